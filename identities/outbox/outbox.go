// Package outbox keeps the mails and SMS that people would be sent. None ever
// leaves: whoever tests reads them here, on the console or by the API.
package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Channel is the way a message would go.
type Channel string

// The channels.
const (
	Mail Channel = "mail"
	SMS  Channel = "sms"
)

// Message is one mail or SMS.
type Message struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	NationalID string    `json:"national_id"`
	Channel    Channel   `json:"channel"`
	To         string    `json:"to"`
	Subject    string    `json:"subject,omitempty"` // of a mail
	Text       string    `json:"text"`
	Code       string    `json:"code,omitempty"` // what the person is to type
	Link       string    `json:"link,omitempty"` // what the QR code of a mail holds
}

// Kept is how long a message can be read, MaxOf how many of one person's.
const (
	Kept  = 7 * 24 * time.Hour
	MaxOf = 50
)

var (
	messages = store.Collection[Message]("outbox")
	of       = store.Collection[[]string]("outbox-of")    // by person: ids, oldest first
	last     = store.Collection[time.Time]("outbox-last") // the time in the newest id
	newest   = store.Collection[string]("outbox-newest")  // ids, the newest first
)

// Outbox is where the messages lie.
type Outbox struct {
	store store.Store
	clock clock.Clock
}

// New opens the outbox.
func New(s store.Store, c clock.Clock) *Outbox { return &Outbox{s, c} }

// moment is the time that a new id begins with: later than that of all others,
// also when the clock stands still or went back, so that who waits for what
// comes behind a message misses none.
func (o *Outbox) moment(tx store.Tx) (time.Time, error) {
	before, err := last.Maybe(tx, "last")
	if err != nil {
		return before, err
	}
	at := o.clock.Now()
	if !at.After(before) {
		at = before.Add(1)
	}
	return at, last.Put(tx, "last", at, Kept)
}

// Put lays a message into the outbox, within tx.
func (o *Outbox) Put(tx store.Tx, m Message) error {
	at, err := o.moment(tx)
	if err != nil {
		return err
	}
	m.Time, m.ID = o.clock.Now(), store.Moment(at)+"-"+rand.Text()[:8]
	if err := newest.Put(tx, store.NewestFirst(at), m.ID, Kept); err != nil {
		return err
	}
	ids, err := of.Maybe(tx, m.NationalID)
	if err != nil {
		return err
	}
	ids = append(ids, m.ID)
	if len(ids) > MaxOf {
		if err := drop(tx, ids[0]); err != nil {
			return err
		}
		ids = ids[1:]
	}
	return errors.Join(of.Put(tx, m.NationalID, ids, Kept), messages.Put(tx, m.ID, m, Kept))
}

func drop(tx store.Tx, id string) error {
	at, err := store.ParseMoment(id)
	if err == nil {
		err = newest.Delete(tx, store.NewestFirst(at))
	}
	return errors.Join(err, messages.Delete(tx, id))
}

// Latest returns up to limit messages of everybody, newest first, behind the
// place after, and says where the list goes on ("" at its end).
func (o *Outbox) Latest(ctx context.Context, after string, limit int) (out []Message, next string, err error) {
	if _, bad := store.ParseNewestFirst(after); bad != nil && after != "" {
		return nil, "", store.NoPlace(after)
	}
	err = o.store.View(ctx, func(tx store.Tx) error {
		ids, err := newest.List(tx, after, limit+1)
		if err != nil {
			return err
		}
		ids, last := store.Cut(ids, limit, func(id *string) string { return *id })
		if out, err = messages.Those(tx, ids); err != nil || last == "" {
			return err
		}
		at, err := store.ParseMoment(last)
		next = store.NewestFirst(at)
		return err
	})
	return out, next, err
}

// Count tells how many messages there are, a person's or ("") everybody's, and
// counts no further than to most.
func (o *Outbox) Count(ctx context.Context, nationalID string, most int) (int, error) {
	if nationalID == "" {
		return newest.Count(ctx, o.store, most)
	}
	ids, err := of.LoadMaybe(ctx, o.store, nationalID)
	return len(ids), err
}

// Index notes the messages newest first: data folders of earlier versions need
// it once.
func Index(ctx context.Context, s store.Store) error {
	return messages.Batches(ctx, s, func(tx store.Tx, id string, _ Message, _ time.Time) error {
		at, err := store.ParseMoment(id)
		if err != nil {
			return err
		}
		return newest.Put(tx, store.NewestFirst(at), id, Kept)
	})
}

// Filter chooses messages; its zero value chooses all.
type Filter struct {
	NationalID string
	Channel    Channel
	After      string // behind the message with this id
}

func (f Filter) matches(m Message) bool {
	return (f.NationalID == "" || m.NationalID == f.NationalID) && (f.Channel == "" || m.Channel == f.Channel) &&
		m.ID > f.After
}

// List returns up to limit messages, oldest first.
func (o *Outbox) List(ctx context.Context, f Filter, limit int) (out []Message, err error) {
	err = o.store.View(ctx, func(tx store.Tx) (err error) {
		if f.NationalID != "" {
			out, err = ofPerson(tx, f, limit)
		} else {
			out, err = all(tx, f, limit)
		}
		return err
	})
	return append([]Message{}, out...), err
}

func ofPerson(tx store.Tx, f Filter, limit int) ([]Message, error) {
	ids, err := of.Maybe(tx, f.NationalID)
	if err != nil {
		return nil, err
	}
	out, err := messages.Those(tx, ids)
	out = slices.DeleteFunc(out, func(m Message) bool { return !f.matches(m) })
	return out[:min(len(out), limit)], err
}

// listed is how many messages a list reads at once.
const listed = 500

func all(tx store.Tx, f Filter, limit int) (out []Message, err error) {
	for after := f.After; ; {
		page, err := messages.List(tx, after, listed)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			after = m.ID
			if !f.matches(m) {
				continue
			}
			if out = append(out, m); len(out) >= limit {
				return out, nil
			}
		}
		if len(page) < listed {
			return out, nil
		}
	}
}

// Get finds a message.
func (o *Outbox) Get(ctx context.Context, id string) (*Message, error) {
	m, err := messages.Load(ctx, o.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.MessageUnknown.Got(id)
	}
	return &m, err
}

// Wait returns the first message of the filter, as soon as there is one, or
// nil when ctx ends.
func (o *Outbox) Wait(ctx context.Context, f Filter) (*Message, error) {
	changed := o.store.Watch(ctx, messages.Prefix())
	for {
		found, err := o.List(context.WithoutCancel(ctx), f, 1)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return &found[0], nil
		}
		if _, open := <-changed; !open {
			return nil, nil
		}
	}
}
