package config

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// Policies are the settings about which nobody outside ANS is certain, or that
// changed over the years: each can be set for the emulator, while it runs, and
// where the tag says so for one client or one identity. One that makes things
// easier than PSC does names the value that strict holds it to.
type Policies struct {
	ClientAuth       string        `name:"client-auth" default:"mtls" help:"how clients authenticate: mtls, secret or either" choices:"mtls,secret,either" for:"client"`
	ACR              string        `name:"acr" default:"requested" help:"acr policy: requested, a value such as eidas2, or one per means: card=eidas2,mobile=requested" form:"[A-Za-z0-9_.:/-]{1,80}|((card|mobile)=[A-Za-z0-9_.:/-]{1,80})(,(card|mobile)=[A-Za-z0-9_.:/-]{1,80})?" for:"client,identity"`
	AuthLevel        bool          `name:"auth-level-claim" default:"false" help:"add auth_level 1 to the tokens of a card login" for:"client,identity"`
	CodeLifetime     time.Duration `name:"code-lifetime" default:"1m" help:"lifetime of a code" for:"client"`
	AccessLifetime   time.Duration `name:"access-token-lifetime" default:"2m" help:"lifetime of access and id tokens" for:"client,identity"`
	RefreshLifetime  time.Duration `name:"refresh-token-lifetime" default:"30m" help:"lifetime of a refresh token" for:"client,identity"`
	SessionLifetime  time.Duration `name:"session-lifetime" default:"4h" help:"lifetime of the browser's single sign-on session" for:"identity"`
	RefreshRotation  bool          `name:"refresh-rotation" default:"true" help:"a refresh token serves once; its reuse ends the session" for:"client"`
	BindAccessTokens bool          `name:"bind-access-tokens" default:"false" help:"bind access tokens to the client certificate (RFC 8705 §3)" for:"client"`
	RequirePKCE      bool          `name:"require-pkce" default:"false" help:"refuse an authorize request without code_challenge" for:"client"`
	RequireScopeAll  bool          `name:"require-scope-all" default:"false" help:"refuse an authorize request whose scope lacks scope_all" for:"client"`
	UserInfoFormat   string        `name:"userinfo-format" default:"json" help:"UserInfo as json or as a signed jwt" choices:"json,jwt" for:"client"`
	IntrospectAny    bool          `name:"introspect-any" default:"false" help:"a client may introspect tokens of other clients, as a resource server does" for:"client"`
	Discovery        string        `name:"discovery" default:"fidelity" help:"discovery document: fidelity (the sandbox's) or truth (what is served here)" choices:"fidelity,truth"`
	BindingMessage   string        `name:"binding-message" default:"text" help:"what a CIBA binding_message may hold: text (50 printable characters) or plain (Keycloak's rule: no spaces)" choices:"text,plain" for:"client" strict:"plain"`
	OrderDelay       string        `name:"order-delay" default:"instant" help:"how long ordered cards are in production: instant, or a duration of the emulator's clock such as 240h (the mean is 10 days)" form:"instant|([0-9]+(ms|s|m|h))+" duration:"instant"`
	CardsAccepted    string        `name:"cards-accepted" default:"test" help:"cards that log in: test, production (cards issued like production's) or both" choices:"test,production,both"`
	PhoneKey         string        `name:"phone-key" default:"either" help:"whose phones may approve: either, or required: those only that made a key when they were activated" choices:"either,required"`
	MaxRequests      int           `name:"max-requests" default:"5" help:"how many e-CPS requests may wait for one person" form:"[1-9][0-9]{0,4}" for:"identity"`
	HideUnknownIDs   bool          `name:"hide-unknown-ids" default:"true" help:"answer the same for an unknown id and one without e-CPS" strict:"true"`
	HSTS             string        `name:"hsts" default:"real" help:"which names are told to be reached by TLS alone: real (PSC's own hosts), configured (those of public-url and hosts too; never localhost) or off" choices:"real,configured,off"`
	DoorLoginHint    bool          `name:"door-login-hint" default:"true" help:"test door: login_hint=auto:… logs in without a page" for:"client" strict:"false"`
	DoorAPILogins    bool          `name:"door-api-logins" default:"true" help:"test door: POST /api/v1/logins does the user's part" strict:"false"`
	DoorTestIdentity bool          `name:"door-test-identity" default:"true" help:"test door: the tab « Identité de test » logs anybody in" strict:"false"`
	DoorCardList     bool          `name:"door-card-list" default:"true" help:"test door: the card tab lists the cards that can be put into the virtual reader" strict:"false"`
	DoorBehaviours   bool          `name:"door-behaviours" default:"true" help:"test door: phones and cards may answer by themselves" strict:"false"`
	DoorTOTP         bool          `name:"door-totp" default:"true" help:"test door: a one-time password approves an e-CPS request" strict:"false"`
	DoorQuirks       bool          `name:"door-quirks" default:"true" help:"test door: people with quirks (magic identities) make things go wrong" strict:"false"`
	DoorFaults       bool          `name:"door-faults" default:"true" help:"test door: faults that were ordered strike" strict:"false"`
}

// profiles are named sets of defaults. bas-2026 is the table's own defaults.
var profiles = map[string]map[string]string{
	"bas-2026": {},
	"bas-2023": {"client-auth": "either"}, // mTLS became mandatory in the sandbox in June 2024
	"prod-2026": {
		"acr":              "card=eidas2,mobile=requested",
		"auth-level-claim": "true",
		"door-login-hint":  "false",
		"cards-accepted":   "both",
	},
	"next": {
		"acr":                   "card=eidas2,mobile=eidas1",
		"bind-access-tokens":    "true",
		"require-pkce":          "true",
		"require-scope-all":     "true",
		"code-lifetime":         "30s",
		"access-token-lifetime": "1m",
	}, // what may come: the strict end of every uncertainty
}

// Live holds the settings of a running emulator.
type Live struct {
	change sync.Mutex
	began  *Loaded // as it was started
	loaded atomic.Pointer[Loaded]
}

// NewLive starts from what was loaded.
func NewLive(l *Loaded) *Live {
	live := &Live{began: l}
	live.loaded.Store(l)
	return live
}

// Table lists the settings in effect.
func (l *Live) Table() []Setting { return l.loaded.Load().Table }

// Strict tells whether every door is closed and PSC's texts stand alone.
func (l *Live) Strict() bool { return l.loaded.Load().Strict }

// Changed are the settings that were set while the emulator ran.
func (l *Live) Changed() map[string]string {
	out := map[string]string{}
	for _, s := range l.Table() {
		if s.Origin == "api" {
			out[s.Name] = s.Value
		}
	}
	return out
}

// With is a copy in which these policies are changed.
func (l *Live) With(values map[string]string) (*Live, error) {
	next := NewLive(l.began)
	next.loaded.Store(l.loaded.Load())
	return next, next.Patch(values)
}

// Check refuses what Replace would.
func (l *Live) Check(values map[string]string) error { return NewLive(l.began).Patch(values) }

// Replace takes back what was changed, and changes these instead.
func (l *Live) Replace(values map[string]string) error {
	fresh := NewLive(l.began)
	if err := fresh.Patch(values); err != nil {
		return err
	}
	l.change.Lock()
	defer l.change.Unlock()
	l.loaded.Store(fresh.loaded.Load())
	return nil
}

// Patch changes policies while the emulator runs: all of them, or none.
func (l *Live) Patch(values map[string]string) error {
	l.change.Lock()
	defer l.change.Unlock()
	next := *l.loaded.Load()
	next.Table = slices.Clone(next.Table)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f, err := policy(name, "")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(next.Table, func(s Setting) bool { return s.Name == name })
		if held, ok := strictly(f); ok && next.Strict {
			if values[name] != held {
				return heldByStrict(name, values[name], held)
			}
			continue // it is so
		}
		next.Table[i].Value, next.Table[i].Origin = values[name], "api"
		if err := set(reflect.ValueOf(&next.Settings).Elem().FieldByIndex(f.Index), next.Table[i], f.Tag); err != nil {
			return err
		}
	}
	l.loaded.Store(&next)
	return nil
}

// policy finds a policy by its setting's name; scope, unless "", is where it
// is to be overridden.
func policy(name, scope string) (reflect.StructField, error) {
	var names []string
	for _, f := range fields() {
		s := row(f)
		if !s.Live || scope != "" && !slices.Contains(s.For, scope) {
			if s.Name == name && scope == "" {
				return f, problem.SettingFixed.With("name", name).Got(name)
			}
			continue
		}
		if s.Name == name {
			return f, nil
		}
		names = append(names, s.Name)
	}
	p := problem.PolicyUnknown.With("accepted", problem.NearestOf(name, names)).Got(name)
	if scope != "" {
		p = p.Case(scope)
	}
	return reflect.StructField{}, p
}

// Overrides are policies of one client or identity, by the setting's name.
type Overrides map[string]string

// Check names the first override that cannot be; scope is client or identity.
func (o Overrides) Check(scope string) error {
	var p Policies
	return o.apply(&p, scope)
}

func (o Overrides) apply(to *Policies, scope string) error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		f, err := policy(name, scope)
		if err != nil {
			return err
		}
		if err := set(
			reflect.ValueOf(to).Elem().FieldByIndex(f.Index[1:]),
			Setting{Name: name, Value: o[name], Origin: scope, Help: f.Tag.Get("help")},
			f.Tag,
		); err != nil {
			return err
		}
	}
	return nil
}

// Policies are those in effect for a client and an identity: the identity's
// own win over the client's, which win over the emulator's.
func (l *Live) Policies(client, identity Overrides) Policies {
	loaded := l.loaded.Load()
	p := loaded.Settings.Policies
	_ = client.apply(&p, "client") // what does not fit was refused when it was registered
	_ = identity.apply(&p, "identity")
	if loaded.Strict {
		p.hold()
	}
	return p
}
