// Package outbox keeps the mails and SMS that people would be sent. None ever
// leaves: whoever tests reads them here, on the console or by the API.
package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"pscemu/clock"
	"pscemu/problem"
	"pscemu/store"
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

// Kept is how long a message can be read, maxOf how many of one person's.
const (
	Kept  = 7 * 24 * time.Hour
	maxOf = 50
)

var (
	messages = store.Collection[Message]("outbox")
	of       = store.Collection[[]string]("outbox-of") // by person: ids, oldest first
)

// Outbox is where the messages lie.
type Outbox struct {
	store store.Store
	clock clock.Clock
}

// New opens the outbox.
func New(s store.Store, c clock.Clock) *Outbox { return &Outbox{s, c} }

// Put lays a message into the outbox, within tx.
func (o *Outbox) Put(tx store.Tx, m Message) error {
	m.Time = o.clock.Now()
	m.ID = fmt.Sprintf("%s-%s", m.Time.Format("20060102150405.000000000"), rand.Text()[:8])
	ids, err := of.Maybe(tx, m.NationalID)
	if err != nil {
		return err
	}
	ids = append(ids, m.ID)
	if len(ids) > maxOf {
		if err := messages.Delete(tx, ids[0]); err != nil {
			return err
		}
		ids = ids[1:]
	}
	return errors.Join(of.Put(tx, m.NationalID, ids, Kept), messages.Put(tx, m.ID, m, Kept))
}

// Filter chooses messages; its zero value chooses all.
type Filter struct {
	NationalID string
	Channel    Channel
	After      string // behind the message with this id
}

func (f Filter) matches(m Message) bool {
	return (f.NationalID == "" || m.NationalID == f.NationalID) && (f.Channel == "" || m.Channel == f.Channel) && m.ID > f.After
}

// List returns up to limit messages, oldest first.
func (o *Outbox) List(ctx context.Context, f Filter, limit int) ([]Message, error) {
	var out []Message
	err := o.store.View(ctx, func(tx store.Tx) error {
		all, err := o.read(tx, f)
		out = slices.DeleteFunc(all, func(m Message) bool { return !f.matches(m) })
		return err
	})
	if len(out) > limit {
		out = out[:limit]
	}
	return append([]Message{}, out...), err
}

func (o *Outbox) read(tx store.Tx, f Filter) (out []Message, err error) {
	if f.NationalID == "" {
		return messages.List(tx, f.After, 10_000)
	}
	ids, err := of.Maybe(tx, f.NationalID)
	if err != nil {
		return nil, err
	}
	return messages.Those(tx, ids)
}

// Get finds a message.
func (o *Outbox) Get(ctx context.Context, id string) (*Message, error) {
	m, err := messages.Load(ctx, o.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.New(problem.NotFound, "message-unknown", "the outbox holds no such message (any more)").Got(id).Want("an id as `pscemu outbox list` prints it")
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
