package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"

	"pscemu/clock"
	"pscemu/identities"
	"pscemu/problem"
	"pscemu/provider/clients"
	"pscemu/store"
)

// Config is what the token service needs to know.
type Config struct {
	Issuer               string
	Clock                clock.Clock
	CodeLifetime         time.Duration
	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	SessionLifetime      time.Duration
}

// Provider grants and judges tokens.
type Provider struct {
	config   *Config
	oauth2   fosite.OAuth2Provider
	storage  *storage
	strategy *strategy
	keys     *keys
	registry *clients.Registry

	mu  sync.Mutex
	enc *publicKey
}

// Authenticate tells which client sent a request.
type Authenticate func(r *http.Request, form url.Values) (*clients.Client, error)

// New composes the service; keys are made at first use.
func New(ctx context.Context, c *Config, s store.Store, registry *clients.Registry, authenticate Authenticate) (*Provider, error) {
	k, err := loadKeys(ctx, s, c.Clock.Now())
	if err != nil {
		return nil, err
	}
	p := &Provider{config: c, storage: &storage{store: s, registry: registry, config: c}, strategy: &strategy{config: c, keys: k}, keys: k, registry: registry}
	fc := &fosite.Config{
		AuthorizeCodeLifespan: c.CodeLifetime, AccessTokenLifespan: c.AccessTokenLifetime, RefreshTokenLifespan: c.RefreshTokenLifetime,
		ScopeStrategy: fosite.ExactScopeStrategy, EnablePKCEPlainChallengeMethod: true, OmitRedirectScopeParam: true,
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
	p.oauth2 = compose.Compose(fc, p.storage, p.strategy,
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2RefreshTokenGrantFactory, compose.OAuth2PKCEFactory,
		func(fosite.Configurator, interface{}, interface{}) interface{} { return &response{p.strategy} })
	return p, nil
}

// encryptionKey is published, as Keycloak does, and otherwise unused: it is
// made when first asked for, which keeps it off the start.
func (p *Provider) encryptionKey(ctx context.Context) (publicKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.enc == nil {
		k, err := loadRSA(ctx, p.storage.store, "encryption", p.config.Clock.Now())
		if err != nil {
			return publicKey{}, err
		}
		p.enc = &k
	}
	return *p.enc, nil
}

// response adds to fosite's answer what Keycloak's holds.
type response struct{ strategy *strategy }

func (h *response) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne("authorization_code") || r.GetGrantTypes().ExactOne("refresh_token")
}
func (h *response) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest leaves the grant to fosite's own handlers.
func (h *response) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

func (h *response) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	token, err := h.strategy.idToken(r, w.GetAccessToken())
	w.SetExtra("id_token", token)
	return err
}

// Authentication is the result of a login: who, by which means, when.
type Authentication struct {
	LoginID  string
	Person   *identities.Identity
	AuthMode string // CARD or MOBILE
	Time     time.Time
	SID      string // of the session to go on in; "" starts one
}

// Grant is the answer to an authorize request.
type Grant struct {
	Code   string
	SID    string
	Secret string // of the browser's cookie; "" when the session went on
}

// Finish ends a login: it keeps the browser session and the code in one
// commit. form is the authorize request, whose redirect URI was judged before.
func (p *Provider) Finish(ctx context.Context, form url.Values, a Authentication, acr string) (*Grant, error) {
	ctx = context.WithValue(ctx, redirectKey{}, form.Get("redirect_uri"))
	ar, err := p.oauth2.NewAuthorizeRequest(ctx, authorizeRequest(ctx, form))
	if err != nil {
		return nil, err
	}
	browser := Browser{SID: a.SID, NationalID: a.Person.NationalID, AuthMode: a.AuthMode, AuthTime: a.Time}
	if browser.SID == "" {
		browser.SID, browser.Secret = uuid(), rand.Text()
	}
	for _, s := range ar.GetRequestedScopes() {
		ar.GrantScope(s)
	}
	session := &Session{SID: browser.SID, LoginID: a.LoginID, NationalID: a.Person.NationalID, AuthMode: a.AuthMode, ACR: acr, AuthTime: a.Time, Nonce: form.Get("nonce"),
		Scope: strings.Join(ar.GetGrantedScopes(), " "), FamilyName: a.Person.FamilyName, GivenName: a.Person.GivenName, OtherIDs: a.Person.OtherIDs(),
		CodeExpiry: p.config.Clock.Now().Add(p.config.CodeLifetime)}
	ctx, _ = p.storage.BeginTX(ctx)
	if a.SID == "" {
		err = p.storage.write(ctx, func(tx store.Tx) error { return browsers.Put(tx, browser.SID, browser, p.config.SessionLifetime) })
		if err != nil {
			return nil, err
		}
	}
	resp, err := p.oauth2.NewAuthorizeResponse(ctx, ar, session)
	if err != nil {
		return nil, err
	}
	return &Grant{Code: resp.GetCode(), SID: browser.SID, Secret: browser.Secret}, p.storage.Commit(ctx)
}

// authorizeRequest shows the stored parameters to fosite. The state is a
// stand-in: PSC accepts none and short ones, fosite wants eight characters,
// and the callback is written with the real one by package provider.
func authorizeRequest(ctx context.Context, form url.Values) *http.Request {
	shown := url.Values{"state": {"state-is-optional-at-psc"}}
	for _, k := range []string{"client_id", "redirect_uri", "response_type", "scope", "nonce", "code_challenge", "code_challenge_method"} {
		if v := form.Get(k); v != "" {
			shown.Set(k, v)
		}
	}
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/auth", RawQuery: shown.Encode()}, Form: shown, PostForm: url.Values{}, Header: http.Header{}}
	return r.WithContext(ctx)
}

// Browser finds a browser session that still lives.
func (p *Provider) Browser(ctx context.Context, sid string) (*Browser, error) {
	b, err := browsers.Load(ctx, p.storage.store, sid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.New(problem.NotFound, "session-unknown", "no such session, or it has ended")
	}
	return &b, err
}

// CookieSession finds the session of a browser by its cookie's two parts.
func (p *Provider) CookieSession(ctx context.Context, sid, secret string) (*Browser, error) {
	b, err := p.Browser(ctx, sid)
	if err == nil && (secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(b.Secret)) != 1) {
		err = problem.New(problem.NotFound, "session-unknown", "no such session, or it has ended")
	}
	return b, err
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

// Token serves the grants authorization_code and refresh_token. loginID names
// the journal's login as soon as it is known, also with an error.
func (p *Provider) Token(r *http.Request) (t *TokenResponse, loginID string, err error) {
	ctx := r.Context()
	access, err := p.oauth2.NewAccessRequest(ctx, r, &Session{})
	if err != nil {
		return nil, p.loginOf(ctx, r.PostForm), explain(err, r.PostForm)
	}
	x := access.GetSession().(*Session)
	if err := p.grantable(ctx, access, x); err != nil {
		return nil, x.LoginID, err
	}
	resp, err := p.oauth2.NewAccessResponse(ctx, access)
	if err != nil {
		return nil, x.LoginID, explain(err, r.PostForm)
	}
	refresh, _ := resp.GetExtra("refresh_token").(string)
	id, _ := resp.GetExtra("id_token").(string)
	return &TokenResponse{AccessToken: resp.GetAccessToken(), ExpiresIn: int(p.config.AccessTokenLifetime.Seconds()), RefreshExpiresIn: int(p.config.RefreshTokenLifetime.Seconds()),
		RefreshToken: refresh, TokenType: "Bearer", IDToken: id, SessionState: x.SID, Scope: x.Scope}, x.LoginID, nil
}

// loginOf finds the login a refused code belongs to, for the journal.
func (p *Provider) loginOf(ctx context.Context, form url.Values) string {
	rec, err := codes.Load(ctx, p.storage.store, form.Get("code"))
	if err != nil {
		return ""
	}
	return rec.Session.LoginID
}

// grantable checks what fosite leaves: the code's end on the emulator's clock,
// the browser session, and that a refresh asks for no more than was granted.
func (p *Provider) grantable(ctx context.Context, r fosite.AccessRequester, x *Session) error {
	if _, err := p.Browser(ctx, x.SID); err != nil {
		if problem.Is(err, "session-unknown") {
			return refuse(SessionEnded, "the session was logged out, revoked or has ended", "start a new login")
		}
		return err
	}
	if r.GetGrantTypes().ExactOne("authorization_code") {
		if !p.config.Clock.Now().Before(x.CodeExpiry) {
			return refuse(CodeExpired, "the code is older than "+p.config.CodeLifetime.String(), "exchange the code at once")
		}
		return nil
	}
	granted := fosite.Arguments(strings.Fields(x.Scope))
	for _, s := range strings.Fields(r.GetRequestForm().Get("scope")) {
		if !granted.Has(s) {
			return refuse(ScopeWidened, "the refresh asks for scope "+s+", which was not granted", "ask for granted scopes only")
		}
	}
	return nil
}

// Bearer judges an access token and returns the session behind it.
func (p *Provider) Bearer(ctx context.Context, token string) (*Session, string, error) {
	_, payload, err := p.keys.verify(token, "Bearer")
	if err == nil {
		err = p.strategy.ValidateAccessToken(ctx, nil, token)
	}
	if err != nil {
		return nil, "", problem.New(problem.Forbidden, "token-invalid", "Token verification failed").Got(err.Error()).Want("an access token of this issuer, in its time")
	}
	x, err := p.alive(ctx, p.strategy.AccessTokenSignature(ctx, token))
	return x, string(payload), err
}

func (p *Provider) alive(ctx context.Context, jti string) (*Session, error) {
	rec, _, err := p.storage.grantOf(ctx, jti)
	if err == nil {
		_, err = p.Browser(ctx, rec.Session.SID)
	}
	switch {
	case errors.Is(err, fosite.ErrNotFound), problem.Is(err, "session-unknown"):
		return nil, problem.New(problem.Forbidden, "session-ended", "user_session_not_found").Want("a token of a session that was not logged out, revoked or replayed")
	case err != nil:
		return nil, err
	}
	return &rec.Session, nil
}

// Inspect returns the claims of an access or refresh token in force that
// belongs to the client, or nil.
func (p *Provider) Inspect(ctx context.Context, token string) ([]byte, *Session, error) {
	typ := "Bearer"
	c, payload, err := p.keys.verify(token, typ)
	if err != nil {
		typ = "Refresh"
		c, payload, err = p.keys.verify(token, typ)
	}
	if err != nil || p.strategy.inTime(c, nil, nil) != nil {
		return nil, nil, nil
	}
	rec, _, err := p.storage.grantOf(ctx, c.JTI)
	if errors.Is(err, fosite.ErrNotFound) || err == nil && typ == "Refresh" && rec.Refresh != c.JTI {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.Browser(ctx, rec.Session.SID); err != nil {
		if problem.Is(err, "session-unknown") {
			err = nil
		}
		return nil, nil, err
	}
	return payload, &rec.Session, nil
}

// Revoke ends the session of a token that belongs to the client (RFC 7009).
// It tells whether the token was good.
func (p *Provider) Revoke(ctx context.Context, clientID, token string) (bool, error) {
	payload, session, err := p.Inspect(ctx, token)
	if err != nil || payload == nil {
		return false, err
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c.Azp != clientID {
		return false, err
	}
	return true, p.EndSession(ctx, session.SID)
}

// EndSession logs a browser session out: every token of it dies.
func (p *Provider) EndSession(ctx context.Context, sid string) error {
	return p.storage.store.Update(ctx, func(tx store.Tx) error { return browsers.Delete(tx, sid) })
}

// Hint is what an id_token_hint says.
type Hint struct{ SID, Sub, ClientID string }

// IDTokenHint reads an id token of ours, also after its end (OIDC Core §3.1.2.1).
func (p *Provider) IDTokenHint(token string) (*Hint, error) {
	c, _, err := p.keys.verify(token, "ID")
	if err == nil && c.Iss != p.config.Issuer {
		err = errors.New("other issuer: " + c.Iss)
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, "id-token-hint-invalid", "the id_token_hint cannot be used").Got(err.Error()).Want("an id token issued here")
	}
	return &Hint{SID: c.SID, Sub: c.Sub, ClientID: c.Azp}, nil
}
