package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// sessionsOf lists the sessions of each person: ids, by sid.
var sessionsOf = store.Collection[string]("sessions-of")

// putBrowser keeps a browser session, and notes it with its person.
func putBrowser(tx store.Tx, b Browser, ttl time.Duration) error {
	return errors.Join(browsers.Put(tx, b.SID, b, ttl), sessionsOf.Of(b.NationalID).Put(tx, b.SID, b.SID, ttl))
}

// IndexSessions notes every session with its person: data folders of earlier
// versions need it once.
func IndexSessions(ctx context.Context, s store.Store, c clock.Clock) error {
	return browsers.Batches(ctx, s, func(tx store.Tx, sid string, b Browser, expires time.Time) error {
		return sessionsOf.Of(b.NationalID).Put(tx, sid, sid, max(expires.Sub(c.Now()), time.Second))
	})
}

// OpenSession starts a browser session without any client: the portal's.
func (p *Provider) OpenSession(ctx context.Context, a Authentication) (sid, secret string, err error) {
	b := Browser{
		SID:        uuid(),
		Secret:     rand.Text(),
		NationalID: a.Person.NationalID,
		AuthMode:   a.AuthMode,
		AuthTime:   a.Time,
		Issuer:     issuer(ctx, p.config),
		Clients:    []string{},
	}
	life := p.config.Settings.Policies(nil, a.Person.Policies).SessionLifetime
	return b.SID, b.Secret, p.storage.store.Update(ctx, func(tx store.Tx) error { return putBrowser(tx, b, life) })
}

// Sessions lists up to limit browser sessions of a person behind the one with
// the sid after, and says where the list goes on ("" at its end).
func (p *Provider) Sessions(
	ctx context.Context,
	nationalID, after string,
	limit int,
) (out []Browser, next string, err error) {
	err = p.storage.store.View(ctx, func(tx store.Tx) error {
		var sids []string
		if sids, next, err = SessionsIn(tx, nationalID, after, limit); err != nil {
			return err
		}
		out, err = browsers.Those(tx, sids)
		return err
	})
	return out, next, err
}

// SessionsIn lists the ids of a person's sessions within a transaction, as
// Sessions does.
func SessionsIn(tx store.Tx, nationalID, after string, limit int) (sids []string, next string, err error) {
	sids, err = sessionsOf.Of(nationalID).List(tx, after, limit+1)
	sids, next = store.Cut(sids, limit, func(sid *string) string { return *sid })
	return sids, next, err
}

// Browser finds a browser session that still lives; what it returns is shared.
func (p *Provider) Browser(ctx context.Context, sid string) (*Browser, error) {
	b, err := p.storage.browsers.Load(ctx, p.storage.store, sid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.SessionUnknown.Case("none")
	}
	return b, err
}

// CookieSession finds the session of a browser by its cookie's two parts.
func (p *Provider) CookieSession(ctx context.Context, sid, secret string) (*Browser, error) {
	b, err := p.Browser(ctx, sid)
	if err == nil && (secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(b.Secret)) != 1) {
		err = problem.SessionUnknown.Case("none")
	}
	return b, err
}

// EndSession logs a browser session out: every token of it dies. It returns
// the session that ended, nil when there was none.
func (p *Provider) EndSession(ctx context.Context, sid string) (ended *Browser, err error) {
	err = p.storage.store.Update(ctx, func(tx store.Tx) (err error) {
		ended, err = p.EndSessionIn(tx, sid)
		return err
	})
	return ended, err
}

// EndSessionIn is EndSession within a transaction: of two ends at once one gets
// the session.
func (p *Provider) EndSessionIn(tx store.Tx, sid string) (*Browser, error) {
	b, err := browsers.Get(tx, sid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &b, errors.Join(browsers.Delete(tx, sid), sessionsOf.Of(b.NationalID).Delete(tx, sid))
}
