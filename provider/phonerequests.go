package provider

import (
	"context"
	"errors"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/login"
)

// phoneRequests are the e-CPS requests that logins wait for, one each.
type phoneRequests struct {
	store  store.Store
	logins *login.Logins
	ecps   *ecps.Phones
}

// ask sends a request to the phone and makes the login wait for it. One that it
// waited for before is taken back first, also when the new one is refused.
func (w *phoneRequests) ask(ctx context.Context, p *login.Pending, nationalID string) error {
	takeBack := func(tx store.Tx) error {
		_, err := w.logins.ChangeIn(tx, p.ID, func(p *login.Pending) error { return w.takeBackIn(tx, p) })
		return err
	}
	if p.Request != "" {
		if err := w.store.Update(ctx, takeBack); err != nil {
			return err
		}
	}
	var verdict error
	err := w.store.Update(ctx, func(tx store.Tx) error {
		_, err := w.logins.ChangeIn(tx, p.ID, func(p *login.Pending) (err error) {
			verdict, err = w.askIn(tx, p, nationalID)
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	return verdict
}

// askIn is ask within a transaction. verdict is a refusal that is given after
// the commit.
func (w *phoneRequests) askIn(tx store.Tx, p *login.Pending, nationalID string) (verdict, err error) {
	if err := w.takeBackIn(tx, p); err != nil {
		return nil, err
	}
	r, verdict, err := w.ecps.StartIn(tx, ecps.Ask{NationalID: nationalID, Client: p.ClientName})
	if r != nil {
		p.Request = r.ID
	}
	return verdict, err
}

// takeBackIn cancels the request that the login waits for; a settled one stays
// as it is.
func (w *phoneRequests) takeBackIn(tx store.Tx, p *login.Pending) error {
	if p.Request == "" {
		return nil
	}
	_, err := w.ecps.AnswerIn(tx, p.Request, ecps.Cancelled)
	if refusal := (*problem.Error)(nil); errors.As(err, &refusal) {
		err = nil
	}
	p.Request = ""
	return err
}

// end ends a login that somebody gave up, with its request.
func (w *phoneRequests) end(ctx context.Context, id string) error {
	return w.store.Update(ctx, func(tx store.Tx) error {
		ended, err := w.logins.EndIn(tx, id)
		if err != nil {
			return err
		}
		return w.takeBackIn(tx, ended)
	})
}
