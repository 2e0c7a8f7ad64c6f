package oidc

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/faults"
)

// Config is what the token service needs to know.
type Config struct {
	Issuer   string // where a context names no other
	Clock    clock.Clock
	Settings *config.Live
	People   *identities.People
	Faults   *faults.Set
	// Decision tells where the request stands that a CIBA login waits for.
	Decision func(ctx context.Context, request string) (ecps.State, error)
}

type issuerKey struct{}

// WithIssuer names the issuer that requests of this context are made to: one
// listener answers under several host names, and none accepts what another
// issued.
func WithIssuer(ctx context.Context, iss string) context.Context {
	return context.WithValue(ctx, issuerKey{}, iss)
}

func issuer(ctx context.Context, c *Config) string {
	if iss, ok := ctx.Value(issuerKey{}).(string); ok {
		return iss
	}
	return c.Issuer
}

// Provider grants and judges tokens.
type Provider struct {
	config   *Config
	oauth2   fosite.OAuth2Provider
	storage  *storage
	strategy *strategy
	keys     *keys
	registry *clients.Registry

	changing sync.Mutex // held while signing keys change, in the store and here

	mu  sync.Mutex
	enc *publicKey
}

// Authenticate tells which client sent a request.
type Authenticate func(r *http.Request, form url.Values) (*clients.Client, error)

// New composes the service; keys are made at first use.
func New(
	ctx context.Context,
	c *Config,
	s store.Store,
	registry *clients.Registry,
	authenticate Authenticate,
) (*Provider, error) {
	k, err := loadKeys(ctx, s, c.Clock.Now())
	if err != nil {
		return nil, err
	}
	p := &Provider{
		config:   c,
		storage:  newStorage(s, registry, c, k),
		strategy: &strategy{config: c, keys: k},
		keys:     k,
		registry: registry,
	}
	p.compose(authenticate, func(h handler) handler { return h })
	return p, nil
}

// compose makes fosite, whose own handlers pass through within.
func (p *Provider) compose(authenticate Authenticate, within func(handler) handler) {
	p.oauth2 = compose.Compose(configuration(authenticate), p.storage, p.strategy, p.grantFactories(within)...)
}

// configuration is fosite's. Requests share it: what fosite would fill in at
// first use stands in it from the start.
func configuration(authenticate Authenticate) *fosite.Config {
	c := &fosite.Config{ // lifetimes are the strategies' and the storage's, by policy
		ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.DefaultAudienceMatchingStrategy,
		EnablePKCEPlainChallengeMethod: true, OmitRedirectScopeParam: true,
		SanitationWhiteList: keptFields, RefreshTokenScopes: []string{}, // PSC gives a refresh token whatever the scope
		RedirectSecureChecker: func(context.Context, *url.URL) bool { return true }, // judged by the registration
		ClientAuthenticationStrategy: func(_ context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
			c, err := authenticate(r, form)
			if err != nil {
				return nil, err
			}
			return client{Client: c}, nil
		},
	}
	c.ClientSecretsHasher = &fosite.BCrypt{Config: c}
	return c
}

// response adds to fosite's answer what Keycloak's holds.
type response struct{ strategy *strategy }

func (h *response) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	g := r.GetGrantTypes()
	return g.ExactOne(clients.AuthorizationCode) || g.ExactOne(clients.RefreshToken) || g.ExactOne(clients.CIBA)
}

func (h *response) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest leaves the grant to fosite's own handlers.
func (h *response) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

func (h *response) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	w fosite.AccessResponder,
) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	token, err := h.strategy.idToken(r, w.GetAccessToken(), "")
	w.SetExtra("id_token", token)
	return err
}

// TokenResponse is the answer of the token endpoint, in Keycloak's order.
type TokenResponse struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int    `json:"expires_in"`
	RefreshExpiresIn int    `json:"refresh_expires_in"`
	RefreshToken     string `json:"refresh_token"`
	TokenType        string `json:"token_type"`
	IDToken          string `json:"id_token"`
	NotBeforePolicy  int    `json:"not-before-policy"`
	SessionState     string `json:"session_state"`
	Scope            string `json:"scope"`
}

// Token serves the grants authorization_code, refresh_token and CIBA. The
// session comes back as soon as it is known, also with an error.
func (p *Provider) Token(r *http.Request) (t *TokenResponse, x *Session, err error) {
	ctx := r.Context()
	access, err := p.oauth2.NewAccessRequest(ctx, r, &Session{})
	if err != nil {
		return nil, p.SessionOf(r), err
	}
	x = access.GetSession().(*Session)
	if err := p.grantable(ctx, access, x); err != nil {
		return nil, x, err
	}
	if x.policies.BindAccessTokens {
		if x.Thumbprint, err = bind(r, x.Thumbprint); err != nil {
			return nil, x, err
		}
	}
	if _, rotate := p.config.Faults.Take(faults.KeySet, "", x.ClientID, x.NationalID); rotate {
		if err := p.rotate(ctx); err != nil {
			return nil, x, err
		}
	}
	resp, err := p.oauth2.NewAccessResponse(ctx, access)
	if err != nil {
		return nil, x, err
	}
	refresh, _ := resp.GetExtra("refresh_token").(string)
	id, _ := resp.GetExtra("id_token").(string)
	return &TokenResponse{
		AccessToken:      resp.GetAccessToken(),
		ExpiresIn:        int(x.policies.AccessLifetime.Seconds()),
		RefreshExpiresIn: int(x.policies.RefreshLifetime.Seconds()),
		RefreshToken:     refresh,
		TokenType:        "Bearer",
		IDToken:          id,
		SessionState:     x.SID,
		Scope:            x.Scope,
	}, x, nil
}

// bind returns the thumbprint of the request's certificate; a refresh must
// come with the one its grant is bound to.
func bind(r *http.Request, bound string) (string, error) {
	presented := Thumbprint(r)
	if presented == "" || bound != "" && presented != bound {
		return "", refuse(problem.BoundOtherwise.Of())
	}
	return presented, nil
}

// Thumbprint is x5t#S256 of the certificate a request came with, "" for none.
func Thumbprint(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return encode(sum[:])
}

// rotate makes a new key the signing one, as a provider may at any time.
func (p *Provider) rotate(ctx context.Context) error {
	k, err := p.PublishKey(ctx)
	if err != nil {
		return err
	}
	return p.UseKey(ctx, k.KID)
}

// SessionOf finds the session that a request is about — by its code, its
// refresh token, its auth_req_id, its access token, also one that is used or
// has expired — or nil. It judges nothing.
func (p *Provider) SessionOf(r *http.Request) *Session {
	ctx, form := r.Context(), r.PostForm
	if id := form.Get("auth_req_id"); id != "" {
		if b, err := backchannels.Load(ctx, p.storage.store, id); err == nil {
			return &Session{LoginID: b.LoginID, ClientID: b.Client, NationalID: b.NationalID}
		}
	}
	if code := form.Get("code"); code != "" {
		if rec, err := codes.Load(ctx, p.storage.store, code); err == nil {
			return &rec.Session
		}
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	for typ, list := range map[string][]string{
		typAccess:  {bearer, form.Get("access_token"), form.Get("token")},
		typRefresh: {form.Get("refresh_token"), form.Get("token")},
	} {
		for _, token := range list {
			if token == "" {
				continue
			}
			if c, _, err := p.keys.verify(token, typ); err == nil {
				if rec, _, err := p.storage.grantOf(ctx, c.JTI); err == nil {
					return &rec.Session
				}
				if b, err := browsers.Load(ctx, p.storage.store, c.SID); err == nil { // the grant is gone
					return &Session{LoginID: b.LoginID, ClientID: c.Azp, NationalID: b.NationalID}
				}
			}
		}
	}
	return nil
}

// LoginOf is the journal's login of SessionOf, "" for none.
func (p *Provider) LoginOf(r *http.Request) string {
	if x := p.SessionOf(r); x != nil {
		return x.LoginID
	}
	return ""
}

// grantable checks what fosite leaves — the issuer, the person, the browser
// session, the code's end on the emulator's clock, the scope of a refresh —
// and sets the policies of the moment.
func (p *Provider) grantable(ctx context.Context, r fosite.AccessRequester, x *Session) error {
	c := r.GetClient().(client)
	if grant := r.GetGrantTypes()[0]; !c.AllowsGrant(grant) {
		return refuse(problem.GrantForbidden.With("grant", grant))
	}
	person, err := p.config.People.Read(ctx, x.NationalID)
	if problem.Is(err, problem.IdentityUnknown) {
		return refuse(problem.PersonGone.Of())
	}
	if err != nil {
		return err
	}
	x.policies = p.config.Settings.Policies(c.Policies, person.Policies)
	if x.policies.DoorPersonFaults {
		if person.Has(identities.FaultTokenFails) {
			return refuse(problem.QuirkToken503.Of())
		}
		if person.Has(identities.FaultACRMissing) {
			x.ACR = ""
		}
	}
	if r.GetGrantTypes().ExactOne(clients.CIBA) {
		return nil // its session begins now
	}
	if x.Issuer != issuer(ctx, p.config) {
		return refuse(problem.CodeUnknown.With("issuer", x.Issuer))
	}
	if _, err := p.Browser(ctx, x.SID); err != nil {
		if problem.Is(err, problem.SessionUnknown) {
			return refuse(problem.SessionEnded.Of())
		}
		return err
	}
	if r.GetGrantTypes().ExactOne(clients.AuthorizationCode) {
		if !p.config.Clock.Now().Before(x.CodeExpiry) {
			return refuse(problem.CodeExpired.With("code_expiry", x.CodeExpiry.Format(time.RFC3339)))
		}
		return nil
	}
	return notWidened(r, x)
}

func notWidened(r fosite.AccessRequester, x *Session) error {
	asked, granted := r.GetRequestForm().Get("scope"), fosite.Arguments(strings.Fields(x.Scope))
	for _, s := range strings.Fields(asked) {
		if !granted.Has(s) {
			refusal := refuse(problem.ScopeWidened.With("s", s))
			refusal.Argument = asked
			return refusal
		}
	}
	return nil
}
