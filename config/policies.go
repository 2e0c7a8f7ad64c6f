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
	ClientAuth       string        `name:"client-auth" default:"mtls" choices:"mtls,secret,either" for:"client"`
	ACR              string        `name:"acr" default:"requested" form:"acr" for:"client,identity"`
	AuthLevel        bool          `name:"auth-level-claim" default:"false" for:"client,identity"`
	CodeLifetime     time.Duration `name:"code-lifetime" default:"1m" for:"client"`
	AccessLifetime   time.Duration `name:"access-token-lifetime" default:"2m" for:"client,identity"`
	RefreshLifetime  time.Duration `name:"refresh-token-lifetime" default:"30m" for:"client,identity"`
	SessionLifetime  time.Duration `name:"session-lifetime" default:"4h" for:"identity"`
	RefreshRotation  bool          `name:"refresh-rotation" default:"true" for:"client"`
	BindAccessTokens bool          `name:"bind-access-tokens" default:"false" for:"client"`
	RequirePKCE      bool          `name:"require-pkce" default:"false" for:"client"`
	RequireScopeAll  bool          `name:"require-scope-all" default:"false" for:"client"`
	UserInfoFormat   string        `name:"userinfo-format" default:"json" choices:"json,jwt" for:"client"`
	IntrospectAny    bool          `name:"introspect-any" default:"false" for:"client"`
	Discovery        string        `name:"discovery" default:"fidelity" choices:"fidelity,truth"`
	BindingMessage   string        `name:"binding-message" default:"text" choices:"text,plain" for:"client" strict:"plain"`
	OrderDelay       string        `name:"order-delay" default:"instant" form:"delay" duration:"instant"`
	CardsAccepted    string        `name:"cards-accepted" default:"test" choices:"test,production,both"`
	PhoneKey         string        `name:"phone-key" default:"either" choices:"either,required"`
	MaxRequests      int           `name:"max-requests" default:"5" form:"[1-9][0-9]{0,4}" for:"identity"`
	HideUnknownIDs   bool          `name:"hide-unknown-ids" default:"true" strict:"true"`
	HSTS             string        `name:"hsts" default:"real" choices:"real,configured,off"`
	DoorLoginHint    bool          `name:"door-login-hint" default:"true" for:"client" strict:"false"`
	DoorAPILogins    bool          `name:"door-api-logins" default:"true" strict:"false"`
	DoorTestIdentity bool          `name:"door-test-identity" default:"true" strict:"false"`
	DoorCardList     bool          `name:"door-card-list" default:"true" strict:"false"`
	DoorBehaviours   bool          `name:"door-behaviours" default:"true" strict:"false"`
	DoorTOTP         bool          `name:"door-totp" default:"true" strict:"false"`
	DoorPersonFaults bool          `name:"door-quirks" default:"true" strict:"false"`
	DoorFaults       bool          `name:"door-faults" default:"true" strict:"false"`
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
			Setting{Name: name, Value: o[name], Origin: scope, Help: english()[name]},
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
