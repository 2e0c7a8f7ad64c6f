package oidc

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// Authentication is the result of a login: who, by which means, when.
type Authentication struct {
	LoginID  string
	Person   *identities.Identity
	AuthMode identities.AuthMode
	Time     time.Time
	SID      string // of the session to go on in; "" starts one
}

// Grant is the answer to an authorize request: what its response type asked for.
type Grant struct {
	Code        string
	AccessToken string
	ExpiresIn   int // seconds, of the access token
	IDToken     string
	SID         string
	Secret      string // of the browser's cookie; "" when the session went on
}

// Finish ends a login: it keeps the browser session and what it grants in one
// commit. form is the authorize request, which was judged before.
func (p *Provider) Finish(
	ctx context.Context,
	c *clients.Client,
	form url.Values,
	a Authentication,
	acr string,
	asked *Claims,
) (*Grant, error) {
	x := p.newSession(ctx, c, a, form.Get("scope"))
	x.ACR, x.Nonce, x.Claims = acr, form.Get("nonce"), asked
	x.CodeExpiry = p.config.Clock.Now().Add(x.policies.CodeLifetime)
	g := &Grant{SID: x.SID}
	if a.SID == "" {
		g.Secret = rand.Text()
	}
	ctx, _ = p.storage.BeginTX(ctx)
	if err := p.joinSession(ctx, c.ID, a, x, g.Secret); err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, redirectKey{}, form.Get("redirect_uri"))
	if err := p.grantInFront(ctx, c, form, x, g); err != nil {
		return nil, err
	}
	return g, p.storage.Commit(ctx)
}

// newSession is the session of a login that succeeded.
func (p *Provider) newSession(ctx context.Context, c *clients.Client, a Authentication, scope string) *Session {
	x := &Session{
		SID:        a.SID,
		Issuer:     issuer(ctx, p.config),
		ClientID:   c.ID,
		LoginID:    a.LoginID,
		NationalID: a.Person.NationalID,
		AuthMode:   a.AuthMode,
		AuthTime:   a.Time,
		Scope: strings.Join(
			strings.Fields(scope),
			" ",
		),
		FamilyName: a.Person.FamilyName,
		GivenName:  a.Person.GivenName,
		Email:      a.Person.Email,
		OtherIDs:   a.Person.OtherIDs(),
		policies:   p.config.Settings.Policies(c.Policies, a.Person.Policies),
	}
	if x.SID == "" {
		x.SID = uuid()
	}
	return x
}

// joinSession starts the browser session, or adds the client to it.
func (p *Provider) joinSession(
	ctx context.Context,
	clientID string,
	a Authentication,
	x *Session,
	secret string,
) error {
	return p.storage.write(ctx, func(tx store.Tx) error {
		b := Browser{
			SID:        x.SID,
			Secret:     secret,
			NationalID: x.NationalID,
			AuthMode:   x.AuthMode,
			AuthTime:   x.AuthTime,
			Issuer:     x.Issuer,
			LoginID:    x.LoginID,
		}
		left := x.policies.SessionLifetime
		if a.SID != "" {
			var err error
			if b, err = browsers.Get(tx, a.SID); err != nil {
				return problem.SessionUnknown.Of()
			}
			left -= p.config.Clock.Now().Sub(b.AuthTime)
			if slices.Contains(b.Clients, clientID) || left <= 0 {
				return nil
			}
		}
		b.Clients = append(slices.Clone(b.Clients), clientID)
		return putBrowser(tx, b, left)
	})
}

// grantInFront makes what the response type names: a code, by fosite, an
// access token and an id token (OAuth 2.0 Multiple Response Types).
func (p *Provider) grantInFront(ctx context.Context, c *clients.Client, form url.Values, x *Session, g *Grant) error {
	types, id := fosite.Arguments(strings.Fields(form.Get("response_type"))), uuid()
	var err error
	if types.Has("code") {
		if id, err = p.codeInFront(ctx, form, x, g); err != nil {
			return err
		}
	}
	if !types.HasOneOf("token", "id_token") {
		return nil
	}
	request := record{ID: id, Client: c.ID, Scopes: strings.Fields(x.Scope)}.request(c)
	request.Session = x
	if types.Has("token") {
		if err := p.accessInFront(ctx, request, g); err != nil {
			return err
		}
	}
	if types.Has("id_token") {
		g.IDToken, err = p.strategy.idToken(request, g.AccessToken, g.Code)
	}
	return err
}

// codeInFront makes a code, and returns the id of its grant.
func (p *Provider) codeInFront(ctx context.Context, form url.Values, x *Session, g *Grant) (string, error) {
	ar, err := p.oauth2.NewAuthorizeRequest(ctx, authorizeRequest(ctx, form))
	if err != nil {
		return "", err
	}
	for _, s := range ar.GetRequestedScopes() {
		ar.GrantScope(s)
	}
	resp, err := p.oauth2.NewAuthorizeResponse(ctx, ar, x)
	if err != nil {
		return "", err
	}
	g.Code = resp.GetCode()
	return ar.GetID(), nil
}

func (p *Provider) accessInFront(ctx context.Context, request *fosite.Request, g *Grant) error {
	x := request.Session.(*Session)
	access, _, err := p.strategy.GenerateAccessToken(ctx, request)
	if err != nil {
		return err
	}
	g.AccessToken, g.ExpiresIn = access, int(x.policies.AccessLifetime.Seconds())
	rec := newRecord(request)
	return p.storage.write(
		ctx,
		func(tx store.Tx) error { return grants.Put(tx, grantKey(rec.ID), rec, x.policies.AccessLifetime) },
	)
}

// authorizeRequest shows the stored parameters to fosite. The state is a
// stand-in: PSC accepts none and short ones, fosite wants eight characters,
// and the callback is written with the real one by package provider. What else
// the response type asks for besides a code is granted here.
func authorizeRequest(ctx context.Context, form url.Values) *http.Request {
	shown := url.Values{"state": {"state-is-optional-at-psc"}, "response_type": {"code"}}
	for _, k := range []string{"client_id", "redirect_uri", "scope", "nonce", "code_challenge", "code_challenge_method"} {
		if v := form.Get(k); v != "" {
			shown.Set(k, v)
		}
	}
	r := &http.Request{
		Method:   http.MethodGet,
		URL:      &url.URL{Path: "/auth", RawQuery: shown.Encode()},
		Form:     shown,
		PostForm: url.Values{},
		Header:   http.Header{},
	}
	return r.WithContext(ctx)
}
