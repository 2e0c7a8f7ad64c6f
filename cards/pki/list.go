package pki

import (
	"context"
	"errors"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// State is where a certificate stands; one that has ended stays in its state.
type State string

// The states of certificates.
const (
	Valid   State = "valid"
	Revoked State = "revoked"
)

// Valid tells whether certificates are ever in this state.
func (s State) Valid() bool { return s == Valid || s == Revoked }

// Certificates are found by indexes, whose parts list serials: those of a state,
// of a client, of a client in a state, of a card, of a structure.
var (
	inState     = store.Collection[string]("certificates-in-state")
	ofClient    = store.Collection[string]("certificates-of-client")
	ofCard      = store.Collection[string]("certificates-of-card")
	ofStructure = store.Collection[string]("certificates-of-structure")
)

// ofClientIn are a client's certificates in a state.
func ofClientIn(state State) store.Collection[string] {
	return store.Collection[string]("certificates-of-client-" + string(state))
}

// places are the parts of the indexes that list a certificate.
func places(c *Certificate) (out []store.Collection[string]) {
	if c.State != "" {
		out = append(out, inState.Of(string(c.State)))
	}
	if c.ClientID != "" {
		out = append(out, ofClient.Of(c.ClientID), ofClientIn(c.State).Of(c.ClientID))
	}
	if c.CardSerial != "" {
		out = append(out, ofCard.Of(c.CardSerial))
	}
	if c.Structure != "" {
		out = append(out, ofStructure.Of(c.Structure))
	}
	return out
}

// keepIn writes a certificate with its places in the indexes.
func keepIn(tx store.Tx, c *Certificate) error {
	was, err := certificates.Maybe(tx, c.Serial)
	if err != nil {
		return err
	}
	for _, p := range places(&was) {
		if err := p.Delete(tx, c.Serial); err != nil {
			return err
		}
	}
	return errors.Join(enlist(tx, c), certificates.Put(tx, c.Serial, *c, store.Forever))
}

// enlist notes a certificate in the indexes.
func enlist(tx store.Tx, c *Certificate) error {
	for _, p := range places(c) {
		if err := p.Put(tx, c.Serial, c.Serial, store.Forever); err != nil {
			return err
		}
	}
	return nil
}

// IndexCertificates notes the certificates in the indexes: data folders from
// before the indexes need it once.
func (p *PKI) IndexCertificates(ctx context.Context) error {
	return certificates.Batches(ctx, p.store, func(tx store.Tx, _ string, c Certificate, _ time.Time) error {
		return enlist(tx, &c)
	})
}

// Query chooses certificates; its zero value chooses all.
type Query struct {
	ClientID, Card string
	State          State
	Structure      string
	Text           string // in the subject, case aside
}

func (q Query) check() error {
	if q.State == "" || q.State.Valid() {
		return nil
	}
	return problem.CertificateStateUnknown.With("valid", Valid).With("revoked", Revoked).Got(string(q.State))
}

func (q Query) matches(c *Certificate) bool {
	return (q.ClientID == "" || c.ClientID == q.ClientID) && (q.Card == "" || c.CardSerial == q.Card) &&
		(q.State == "" || c.State == q.State) && (q.Structure == "" || c.Structure == q.Structure) &&
		(q.Text == "" || strings.Contains(strings.ToLower(c.Subject), strings.ToLower(q.Text)))
}

// place is the smallest part of the indexes that lists all that the query
// chooses, "" when that is every certificate.
func (q Query) place() store.Collection[string] {
	switch {
	case q.Card != "":
		return ofCard.Of(q.Card)
	case q.Structure != "":
		return ofStructure.Of(q.Structure)
	case q.ClientID != "" && q.State != "":
		return ofClientIn(q.State).Of(q.ClientID)
	case q.ClientID != "":
		return ofClient.Of(q.ClientID)
	case q.State != "":
		return inState.Of(string(q.State))
	}
	return ""
}

// Counted tells whether Count can answer: nothing beside the index is to be
// looked at.
func (q Query) Counted() bool {
	filters := 0
	for _, f := range []string{q.Card, q.Structure, q.ClientID + string(q.State)} {
		if f != "" {
			filters++
		}
	}
	return q.Text == "" && filters <= 1
}

// listed is how many certificates a list reads at once.
const listed = 200

// Certificates lists up to limit of what was issued, behind the serial after, by
// serial. A text is looked for in each that the rest of the query chooses.
func (p *PKI) Certificates(ctx context.Context, q Query, after string, limit int) (out []Certificate, err error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	size := listed
	if q.Text == "" {
		size = min(limit, listed)
	}
	out = []Certificate{}
	for more := true; more; {
		err := p.store.View(ctx, func(tx store.Tx) error {
			page, last, err := q.page(tx, after, size)
			after, more = last, last != ""
			for n := 0; n < len(page) && len(out) < limit; n++ {
				if q.matches(&page[n]) {
					out = append(out, page[n])
				}
			}
			return err
		})
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		more = more && len(out) < limit
	}
	return out, nil
}

// page reads certificates of the query's place, and says behind which serial the
// next are, "" for none.
func (q Query) page(tx store.Tx, after string, size int) (page []Certificate, last string, err error) {
	in := q.place()
	if in == "" {
		page, err = certificates.List(tx, after, size+1)
		page, last = store.Cut(page, size, func(c *Certificate) string { return c.Serial })
		return page, last, err
	}
	serials, err := in.List(tx, after, size+1)
	if err != nil {
		return nil, "", err
	}
	serials, last = store.Cut(serials, size, func(s *string) string { return *s })
	page, err = certificates.Those(tx, serials)
	return page, last, err
}

// AnyIn tells whether there is a certificate that the query chooses, which can be
// Counted.
func AnyIn(tx store.Tx, q Query) (bool, error) {
	page, _, err := q.page(tx, "", 1)
	return len(page) > 0, err
}

// Count tells how many certificates a query chooses that can be Counted, and
// counts no further than to most.
func (p *PKI) Count(ctx context.Context, q Query, most int) (int, error) {
	if err := q.check(); err != nil {
		return 0, err
	}
	if in := q.place(); in != "" {
		return in.Count(ctx, p.store, most)
	}
	return certificates.Count(ctx, p.store, most)
}
