// Package login keeps the logins under way — from the authorize request until
// the callback — and binds each to the browser that began it.
package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/journal"
)

// Pending is one login under way.
type Pending struct {
	ID         string     `json:"id"`
	Browser    string     `json:"browser"` // the cookie it is bound to, "" for a door's
	ClientID   string     `json:"client_id"`
	ClientName string     `json:"client_name"`
	Base       string     `json:"base"`               // base URL of the login pages it began on
	Form       url.Values `json:"form"`               // the authorize request
	Request    string     `json:"request,omitempty"`  // e-CPS request waited for
	CardOut    *Ticket    `json:"card_out,omitempty"` // leads to the card origin
	CardBack   *Ticket    `json:"card_back,omitempty"`
	Reader     string     `json:"reader,omitempty"` // card that was in the reader when the page was shown
	Wallet     string     `json:"wallet,omitempty"` // the portal's task, when no client asked
	Place      *Place     `json:"place,omitempty"`  // in the order of those that go first
}

// Path is where the pages of a login lie, and what follows rest below it.
func Path(id, rest string) string { return "/login/" + url.PathEscape(id) + rest }

// Lifetime of a login page, from its opening or its last step.
const Lifetime = 30 * time.Minute

var pending = store.Collection[Pending]("logins")

// Logins keeps the logins under way. All that it knows lies in the store, but
// for a hint about those that were dropped.
type Logins struct {
	Cookies
	Store store.Store
	Clock clock.Clock
	Max   int // how many may be open at once
	// Dropped hears of each login that had to make room for a new one.
	Dropped func(id string)

	gone dropped
}

// New starts a login for this browser, which receives its binding cookie. When
// as many are open as may be, the one that was left alone for longest goes.
func (l *Logins) New(w http.ResponseWriter, r *http.Request, p Pending) (*Pending, error) {
	p.ID, p.Browser = journal.NewID(), l.browser(w, r)
	var out []string
	err := l.Store.Update(r.Context(), func(tx store.Tx) (err error) {
		began := p // a transaction may run twice
		out, err = l.addIn(tx, &began)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range out {
		l.gone.note(id)
		if l.Dropped != nil {
			l.Dropped(id)
		}
	}
	return &p, nil
}

// Change reads a login, changes it and writes it back as one transaction: of
// two changes at once neither undoes the other. It is a step of the person's.
func (l *Logins) Change(ctx context.Context, id string, change func(*Pending) error) (p *Pending, err error) {
	err = l.Store.Update(ctx, func(tx store.Tx) error {
		p, err = l.ChangeIn(tx, id, change)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// ChangeIn is Change within the caller's transaction.
func (l *Logins) ChangeIn(tx store.Tx, id string, change func(*Pending) error) (*Pending, error) {
	p, err := l.find(tx, id)
	if err == nil {
		err = change(p)
	}
	if err == nil {
		err = l.stepIn(tx, p)
	}
	return p, err
}

// Get finds a login for the browser that began it, and for no other.
func (l *Logins) Get(r *http.Request, id string) (*Pending, error) {
	var p *Pending
	var open figures
	err := l.Store.View(r.Context(), func(tx store.Tx) (err error) {
		if p, err = l.find(tx, id); err == nil {
			open, err = readFigures(tx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !l.isBrowser(r, p.Browser) {
		return nil, otherBrowser()
	}
	if l.crowded(open) {
		// Somebody is at this page: it does not go before those left alone.
		return l.Change(r.Context(), id, func(*Pending) error { return nil })
	}
	return p, nil
}

func otherBrowser() error {
	return problem.LoginOtherBrowser.Of()
}

func (l *Logins) find(tx store.Tx, id string) (*Pending, error) {
	p, err := pending.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, l.unknown(id)
	}
	return &p, err
}

func (l *Logins) unknown(id string) error {
	if l.gone.has(id) {
		return problem.LoginDropped.Of()
	}
	return problem.LoginUnknown.Of()
}

// End forgets a login; of two ends the second fails.
func (l *Logins) End(ctx context.Context, id string) error {
	return l.Store.Update(ctx, func(tx store.Tx) error {
		_, err := l.EndIn(tx, id)
		return err
	})
}

// EndIn is End within the caller's transaction; it returns the login as it was.
func (l *Logins) EndIn(tx store.Tx, id string) (*Pending, error) {
	p, err := l.find(tx, id)
	if err != nil {
		return nil, err
	}
	return p, errors.Join(removePlace(tx, p.Place), pending.Delete(tx, id))
}
