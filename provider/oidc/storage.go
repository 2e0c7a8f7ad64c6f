package oidc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// Browser is a browser's single sign-on session; it serves several clients.
type Browser struct {
	SID        string              `json:"sid"`
	Secret     string              `json:"secret"` // the cookie's; the sid alone is known to clients
	NationalID string              `json:"national_id"`
	AuthMode   identities.AuthMode `json:"auth_mode"`
	AuthTime   time.Time           `json:"auth_time"`
	Issuer     string              `json:"iss"`
	Clients    []string            `json:"clients"`            // that took part, to be told of the logout
	LoginID    string              `json:"login_id,omitempty"` // the login it began with
}

var (
	browsers = store.Collection[Browser]("sessions") // by sid
	codes    = store.Collection[record]("codes")     // by code
	grants   = store.Collection[record]("grants")    // by grantKey
)

// usedKept is how long a code is remembered after its end, to tell a replay.
const usedKept = 10 * time.Minute

// storage implements fosite's storage interfaces. Within BeginTX…Commit all
// writes gather and become one transaction of the store.
type storage struct {
	store    store.Store
	registry *clients.Registry
	config   *Config
	keys     *keys

	codes, grants store.Memo[record] // each is read several times in a row
	browsers      store.Memo[Browser]
}

func newStorage(s store.Store, registry *clients.Registry, c *Config, k *keys) *storage {
	return &storage{
		store:    s,
		registry: registry,
		config:   c,
		keys:     k,
		codes:    store.Memo[record]{Of: codes},
		grants:   store.Memo[record]{Of: grants},
		browsers: store.Memo[Browser]{Of: browsers},
	}
}

type bufferKey struct{}

type buffer struct{ writes []func(store.Tx) error }

// BeginTX starts gathering writes, unless ctx gathers already.
func (s *storage) BeginTX(ctx context.Context) (context.Context, error) {
	if _, nested := ctx.Value(bufferKey{}).(*buffer); nested {
		return ctx, nil
	}
	return context.WithValue(ctx, bufferKey{}, &buffer{}), nil
}

// Commit makes the gathered writes durable, all or none.
func (s *storage) Commit(ctx context.Context) error {
	b, ok := ctx.Value(bufferKey{}).(*buffer)
	if !ok || len(b.writes) == 0 {
		return nil
	}
	writes := b.writes
	b.writes = nil
	return s.store.Update(ctx, func(tx store.Tx) error {
		for _, w := range writes {
			if err := w(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rollback forgets the gathered writes.
func (s *storage) Rollback(ctx context.Context) error {
	if b, ok := ctx.Value(bufferKey{}).(*buffer); ok {
		b.writes = nil
	}
	return nil
}

func (s *storage) write(ctx context.Context, fn func(store.Tx) error) error {
	if b, ok := ctx.Value(bufferKey{}).(*buffer); ok {
		b.writes = append(b.writes, fn)
		return nil
	}
	return s.store.Update(ctx, fn)
}

// GetClient finds a registration.
func (s *storage) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c, err := s.registry.Get(ctx, id)
	if problem.Is(err, problem.ClientUnknown) {
		return nil, fmt.Errorf("%w: %w", fosite.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	redirect, _ := ctx.Value(redirectKey{}).(string)
	return client{Client: c, redirect: redirect}, nil
}

type redirectKey struct{}

// ClientAssertionJWTValid and SetClientAssertionJWT serve private_key_jwt,
// which no client here may use.
func (s *storage) ClientAssertionJWTValid(context.Context, string) error {
	return fosite.ErrJTIKnown
}

// SetClientAssertionJWT refuses, as ClientAssertionJWTValid does.
func (s *storage) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

// CreateAuthorizeCodeSession keeps a code until after its end.
func (s *storage) CreateAuthorizeCodeSession(ctx context.Context, code string, r fosite.Requester) error {
	rec := newRecord(r)
	return s.write(
		ctx,
		func(tx store.Tx) error { return codes.Put(tx, code, rec, rec.Session.policies.CodeLifetime+usedKept) },
	)
}

// GetAuthorizeCodeSession returns the request also for a used code, together
// with fosite.ErrInvalidatedAuthorizeCode.
func (s *storage) GetAuthorizeCodeSession(
	ctx context.Context,
	code string,
	_ fosite.Session,
) (fosite.Requester, error) {
	rec, r, err := s.load(ctx, &s.codes, code)
	if err == nil && rec.Used {
		err = fosite.ErrInvalidatedAuthorizeCode
	}
	return r, err
}

func (s *storage) load(
	ctx context.Context,
	from *store.Memo[record],
	id string,
) (rec record, r fosite.Requester, err error) {
	var c *clients.Client
	err = s.store.View(ctx, func(tx store.Tx) error {
		kept, err := from.Get(tx, id)
		if err != nil {
			return err
		}
		rec = *kept // the session in it is the request's own from here on
		c, err = s.registry.In(tx, rec.Client)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return rec, nil, fosite.ErrNotFound
	}
	if err != nil {
		return rec, nil, err
	}
	return rec, rec.request(c), nil
}

// InvalidateAuthorizeCodeSession uses the code up; of two parallel uses the
// second fails here, inside the transaction.
func (s *storage) InvalidateAuthorizeCodeSession(ctx context.Context, code string) error {
	return s.write(ctx, func(tx store.Tx) error {
		kept, err := s.codes.Get(tx, code)
		if err != nil {
			return fosite.ErrNotFound
		}
		if kept.Used {
			return fosite.ErrInvalidatedAuthorizeCode
		}
		rec := *kept
		rec.Used = true
		return codes.Put(tx, code, rec, usedKept)
	})
}

// CreateAccessTokenSession has nothing to do: the jti leads to the grant.
func (s *storage) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetAccessTokenSession finds the grant of an access token.
func (s *storage) GetAccessTokenSession(ctx context.Context, jti string, _ fosite.Session) (fosite.Requester, error) {
	_, r, err := s.grantOf(ctx, jti)
	return r, err
}

func (s *storage) grantOf(ctx context.Context, jti string) (record, fosite.Requester, error) {
	return s.load(ctx, &s.grants, s.keys.grantOf(jti))
}

// DeleteAccessTokenSession has nothing to do: tokens end with their grant.
func (s *storage) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession makes this refresh token the grant's only one.
func (s *storage) CreateRefreshTokenSession(ctx context.Context, jti, _ string, r fosite.Requester) error {
	rec := newRecord(r)
	rec.Refresh = jti
	return s.write(ctx, func(tx store.Tx) error {
		return grants.Put(tx, grantKey(rec.ID), rec, rec.Session.policies.RefreshLifetime)
	})
}

// GetRefreshTokenSession answers fosite.ErrInactiveToken, with the request,
// for a token that was rotated away.
func (s *storage) GetRefreshTokenSession(ctx context.Context, jti string, _ fosite.Session) (fosite.Requester, error) {
	rec, r, err := s.grantOf(ctx, jti)
	if err == nil && rec.Refresh != jti && s.rotates(r.GetClient()) {
		err = fosite.ErrInactiveToken
	}
	return r, err
}

func (s *storage) rotates(c fosite.Client) bool {
	return s.config.Settings.Policies(c.(client).Policies, nil).RefreshRotation
}

// DeleteRefreshTokenSession has nothing to do: the grant names the one refresh
// token that is good.
func (s *storage) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken fails, inside the transaction, when another request was
// faster with the same token.
func (s *storage) RotateRefreshToken(ctx context.Context, grant, jti string) error {
	return s.write(ctx, func(tx store.Tx) error {
		rec, err := grants.Get(tx, grantKey(grant))
		if err != nil {
			return fosite.ErrNotFound
		}
		if rec.Refresh == jti {
			return nil
		}
		c, err := s.registry.In(tx, rec.Client)
		if err != nil || s.rotates(client{Client: c}) {
			return fosite.ErrInactiveToken
		}
		return nil
	})
}

// RevokeRefreshToken ends the whole grant: all its tokens die with it.
func (s *storage) RevokeRefreshToken(ctx context.Context, grant string) error {
	return s.write(ctx, func(tx store.Tx) error { return grants.Delete(tx, grantKey(grant)) })
}

// RevokeAccessToken ends the whole grant.
func (s *storage) RevokeAccessToken(ctx context.Context, grant string) error {
	return s.RevokeRefreshToken(ctx, grant)
}

// CreatePKCERequestSession has nothing to do: the challenge lies with the code.
func (s *storage) CreatePKCERequestSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetPKCERequestSession finds the challenge that came with the code's request.
func (s *storage) GetPKCERequestSession(
	ctx context.Context,
	code string,
	session fosite.Session,
) (fosite.Requester, error) {
	r, err := s.GetAuthorizeCodeSession(ctx, code, session)
	if err == nil && r.GetRequestForm().Get("code_challenge") == "" {
		return nil, fosite.ErrNotFound
	}
	return r, err
}

// DeletePKCERequestSession has nothing to do: the code is used up with it.
func (s *storage) DeletePKCERequestSession(context.Context, string) error { return nil }
