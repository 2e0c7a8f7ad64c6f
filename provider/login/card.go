package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// The way to the card origin and back. A ticket leads there, another leads
// back; they are different secrets, each serves once and lives shortly, and the
// card's holder belongs to the ticket back that was made for it: whoever asks
// for a new ticket out forgets both. Both ways, the browser must be the one
// that began the login.

// Ticket is one of the two.
type Ticket struct {
	Secret string    `json:"secret"`
	Holder string    `json:"holder,omitempty"` // national id that the card proved, of a ticket back
	Until  time.Time `json:"until"`
}

// Lifetimes of the tickets: the person looks for the card and types its code
// on the way out, the browser goes back by itself.
const (
	cardOutLifetime  = 5 * time.Minute
	cardBackLifetime = time.Minute
)

func (l *Logins) ticket(secret, holder string, life time.Duration) *Ticket {
	return &Ticket{secret, holder, l.Clock.Now().Add(life)}
}

// good tells whether a secret is this ticket's and its time not over.
func (l *Logins) good(t *Ticket, secret string) bool {
	if t == nil || !l.Clock.Now().Before(t.Until) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(t.Secret), []byte(secret)) == 1
}

func ticketWrong() error {
	return problem.CardTicketWrong.Of()
}

// ToCard makes a new ticket to the card origin. What an earlier one led to is
// forgotten.
func (l *Logins) ToCard(ctx context.Context, id string) (string, error) {
	secret := rand.Text()
	_, err := l.Change(ctx, id, func(p *Pending) error {
		p.CardOut, p.CardBack = l.ticket(secret, "", cardOutLifetime), nil
		return nil
	})
	return secret, err
}

// AtCard finds the login that a ticket led to the card origin, for the browser
// that began it: the cookie comes along, since it belongs to the host and not
// to its port.
func (l *Logins) AtCard(r *http.Request, id, ticket string) (*Pending, error) {
	var p *Pending
	err := l.Store.View(r.Context(), func(tx store.Tx) (err error) {
		p, err = l.find(tx, id)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !l.isBrowser(r, p.Browser):
		return p, otherBrowser()
	case !l.good(p.CardOut, ticket):
		return p, ticketWrong()
	}
	return p, nil
}

// Presented uses the ticket up, notes whom the card proved, and makes the
// ticket back.
func (l *Logins) Presented(ctx context.Context, id, ticket, holder string) (string, error) {
	secret := rand.Text()
	_, err := l.Change(ctx, id, func(p *Pending) error {
		if !l.good(p.CardOut, ticket) {
			return ticketWrong()
		}
		p.CardOut, p.CardBack = nil, l.ticket(secret, holder, cardBackLifetime)
		return nil
	})
	return secret, err
}

// Returned uses the ticket back up, and tells whom the card proved.
func (l *Logins) Returned(ctx context.Context, id, ticket string) (holder string, err error) {
	_, err = l.Change(ctx, id, func(p *Pending) error {
		if !l.good(p.CardBack, ticket) {
			return ticketWrong()
		}
		holder, p.CardBack = p.CardBack.Holder, nil
		return nil
	})
	return holder, err
}
