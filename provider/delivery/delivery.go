// Package delivery tells clients' servers what happened — a CIBA login that was
// answered, a logout — at the addresses they registered, and keeps a log of it.
// A delivery is written down by whoever causes it, in the same transaction, and
// made after: what was not made when the program ended is made by the next run.
package delivery

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// State is where a delivery stands.
type State string

// The states; all but Pending are final.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Failed    State = "failed"
)

// Kind is what a client's server is told.
type Kind string

// The kinds of deliveries.
const (
	CIBAPing          Kind = "ciba-ping"          // that the person has answered
	BackchannelLogout Kind = "backchannel-logout" // that a session was logged out
)

// Attempt is one call.
type Attempt struct {
	Time   time.Time `json:"time"`
	Status int       `json:"status,omitempty"`
	Error  string    `json:"error,omitempty"`
}

// Delivery is one message for one client.
type Delivery struct {
	ID        string    `json:"id"`
	Kind      Kind      `json:"kind"`
	Client    string    `json:"client_id"`
	LoginID   string    `json:"login_id,omitempty"`
	URI       string    `json:"uri"`
	State     State     `json:"state"`
	Attempts  []Attempt `json:"attempts"`
	CreatedAt time.Time `json:"created_at"`
}

// Message is what is sent; it holds secrets and is never shown.
type Message struct {
	ContentType   string `json:"content_type"`
	Authorization string `json:"authorization,omitempty"`
	Body          string `json:"body,omitempty"`
	// Intent is what the kind's Writer makes the body of, anew at each try, where
	// it cannot be made within a transaction or would grow old.
	Intent json.RawMessage `json:"intent,omitempty"`
	Tries  int             `json:"tries"` // until a 2xx answer, at most MaxTries
}

// Writer makes the body of a delivery from its intent, just before it is sent.
type Writer func(ctx context.Context, d Delivery, intent json.RawMessage) (body string, err error)

// entry is what the store keeps.
type entry struct {
	Delivery Delivery  `json:"delivery"`
	Message  Message   `json:"message"`
	Due      time.Time `json:"due"` // the next try
}

var (
	entries  = store.Collection[entry]("deliveries")      // by id, the newest first
	ofClient = store.Collection[string]("deliveries-of")  // ids, by client, the newest first
	due      = store.Collection[string]("deliveries-due") // clients of what is pending, by entry.place
)

// kept is how long the log remembers a delivery.
const kept = 24 * time.Hour

// pauses lie between the tries.
var pauses = []time.Duration{time.Second, 5 * time.Second, 20 * time.Second}

// MaxTries is the most a message may be tried.
const MaxTries = 4

// place is where a pending delivery stands among all that are.
func (e *entry) place() string { return store.Moment(e.Due) + "." + e.Delivery.ID }

// newID makes an id by which the log lists the newest first.
func newID(t time.Time) string { return store.NewestFirst(t) + "-" + rand.Text() }

// Send writes a delivery down; it goes on by itself.
func (s *Sender) Send(ctx context.Context, d Delivery, m Message) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return s.SendIn(tx, d, m) })
}

// SendIn is Send within a transaction: what is committed is delivered, also when
// the program ends before.
func (s *Sender) SendIn(tx store.Tx, d Delivery, m Message) error {
	now := s.clock.Now()
	d.ID, d.State, d.CreatedAt, d.Attempts = newID(now), Pending, now, []Attempt{}
	return begin(tx, entry{d, m, now}, kept)
}

// begin keeps a new entry with its places in the log and among what is due.
func begin(tx store.Tx, e entry, ttl time.Duration) error {
	id := e.Delivery.ID
	err := errors.Join(entries.Put(tx, id, e, ttl), ofClient.Of(e.Delivery.Client).Put(tx, id, id, ttl))
	if e.Delivery.State == Pending {
		err = errors.Join(err, due.Put(tx, e.place(), e.Delivery.Client, ttl))
	}
	return err
}

// List returns up to limit deliveries of the log, newest first, behind the one
// with the id after, and says where it goes on ("" at the end); client "" means
// all.
func (s *Sender) List(ctx context.Context, client, after string, limit int) (out []Delivery, next string, err error) {
	out = []Delivery{}
	if _, bad := store.ParseNewestFirst(after); bad != nil && after != "" {
		return nil, "", store.NoPlace(after)
	}
	err = s.store.View(ctx, func(tx store.Tx) error {
		var page []entry
		page, next, err = list(tx, client, after, limit)
		for _, e := range page {
			out = append(out, e.Delivery)
		}
		return err
	})
	return out, next, err
}

func list(tx store.Tx, client, after string, limit int) (page []entry, next string, err error) {
	if client == "" {
		page, err = entries.List(tx, after, limit+1)
		page, next = store.Cut(page, limit, func(e *entry) string { return e.Delivery.ID })
		return page, next, err
	}
	ids, err := ofClient.Of(client).List(tx, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	ids, next = store.Cut(ids, limit, func(id *string) string { return *id })
	page, err = entries.Those(tx, ids)
	return page, next, err
}

// Count tells how many deliveries the log holds, of a client or ("") of all, and
// counts no further than to most.
func (s *Sender) Count(ctx context.Context, client string, most int) (int, error) {
	if client == "" {
		return entries.Count(ctx, s.store, most)
	}
	return ofClient.Of(client).Count(ctx, s.store, most)
}

// record notes an attempt and what follows from it, unless the delivery is gone
// or was settled meanwhile. It returns the delivery when this was its end.
func (s *Sender) record(tx store.Tx, place, id string, a Attempt) (*Delivery, error) {
	if err := due.Delete(tx, place); err != nil {
		return nil, err
	}
	e, err := entries.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Delivery.State != Pending {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.Delivery.Attempts = append(e.Delivery.Attempts, a)
	n := len(e.Delivery.Attempts)
	switch {
	case a.Status/100 == 2:
		e.Delivery.State = Delivered
	case n >= min(max(e.Message.Tries, 1), MaxTries):
		e.Delivery.State = Failed
	default:
		e.Due = s.clock.Now().Add(pauses[min(n, len(pauses))-1])
		return nil, errors.Join(entries.Put(tx, id, e, kept), due.Put(tx, e.place(), e.Delivery.Client, kept))
	}
	return &e.Delivery, entries.Put(tx, id, e, kept)
}

// Index gives the deliveries of data folders of earlier versions the ids and
// places that they have now; it is needed once.
func Index(ctx context.Context, s store.Store, c clock.Clock) error {
	return entries.Batches(ctx, s, func(tx store.Tx, id string, e entry, _ time.Time) error {
		if len(id) > store.MomentLen && id[store.MomentLen] == '-' {
			return nil
		}
		left := kept - c.Now().Sub(e.Delivery.CreatedAt)
		e.Delivery.ID, e.Due = newID(e.Delivery.CreatedAt), e.Delivery.CreatedAt
		return errors.Join(entries.Delete(tx, id), begin(tx, e, min(max(left, time.Minute), kept)))
	})
}
