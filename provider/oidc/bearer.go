package oidc

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/internal/problem"
)

// Bearer judges an access token and returns the session behind it.
func (p *Provider) Bearer(ctx context.Context, token string) (*Session, error) {
	c, _, err := p.keys.verify(token, typAccess)
	if err = p.strategy.inForce(ctx, c, err); err != nil {
		return nil, problem.TokenInvalid.Got(err.Error())
	}
	return p.alive(ctx, c.JTI)
}

func (p *Provider) alive(ctx context.Context, jti string) (*Session, error) {
	rec, _, err := p.storage.grantOf(ctx, jti)
	if err == nil {
		_, err = p.Browser(ctx, rec.Session.SID)
	}
	switch {
	case errors.Is(err, fosite.ErrNotFound), problem.Is(err, problem.SessionUnknown):
		return nil, problem.SessionEnded.Case("token")
	case err != nil:
		return nil, err
	}
	return &rec.Session, nil
}

// Inspect returns the claims of an access or refresh token in force that
// belongs to the client, or nil.
func (p *Provider) Inspect(ctx context.Context, token string) ([]byte, *Session, error) {
	typ := typAccess
	c, payload, err := p.keys.verify(token, typ)
	if err != nil {
		typ = typRefresh
		c, payload, err = p.keys.verify(token, typ)
	}
	if p.strategy.inForce(ctx, c, err) != nil {
		return nil, nil, nil
	}
	rec, r, err := p.storage.grantOf(ctx, c.JTI)
	if errors.Is(err, fosite.ErrNotFound) ||
		err == nil && typ == typRefresh && rec.Refresh != c.JTI && p.storage.rotates(r.GetClient()) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.Browser(ctx, rec.Session.SID); err != nil {
		if problem.Is(err, problem.SessionUnknown) {
			err = nil
		}
		return nil, nil, err
	}
	return payload, &rec.Session, nil
}

// Revoke ends the session of a token that belongs to the client (RFC 7009).
// It returns the session that ended, nil when the token was not good.
func (p *Provider) Revoke(ctx context.Context, clientID, token string) (*Browser, error) {
	payload, session, err := p.Inspect(ctx, token)
	if err != nil || payload == nil {
		return nil, err
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c.Azp != clientID {
		return nil, err
	}
	return p.EndSession(ctx, session.SID)
}

// Hint is what an id_token_hint says.
type Hint struct{ SID, Sub, ClientID string }

// IDTokenHint reads an id token made here, also after its end (OIDC Core §3.1.2.1).
func (p *Provider) IDTokenHint(ctx context.Context, token string) (*Hint, error) {
	c, _, err := p.keys.verify(token, typID)
	if err == nil && c.Iss != issuer(ctx, p.config) {
		err = errors.New("other issuer: " + c.Iss)
	}
	if err != nil {
		return nil, problem.IDTokenHintInvalid.Got(err.Error())
	}
	return &Hint{SID: c.SID, Sub: c.Sub, ClientID: c.Azp}, nil
}
