// Package ecps is the e-CPS: how a person comes by it, the device they hold,
// the requests it receives, and what comes of them. A request may also wait
// for the person's card in the reader (CIBA, channel CARD).
package ecps

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"math/big"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Phones runs the phones.
type Phones struct {
	store    store.Store
	clock    clock.Clock
	people   *identities.People
	outbox   *outbox.Outbox
	settings *config.Live
	phone    string // address of the phone's pages, which QR codes lead to
	settled  func(store.Tx, Request) error
	seed     maphash.Seed // of the places of unknown people
}

// New opens the service; phone is the address of the phone's pages. Where the
// door is closed no phone answers by itself.
func New(
	s store.Store,
	c clock.Clock,
	people *identities.People,
	o *outbox.Outbox,
	settings *config.Live,
	phone string,
) *Phones {
	return &Phones{
		store:    s,
		clock:    c,
		people:   people,
		outbox:   o,
		settings: settings,
		phone:    phone,
		seed:     maphash.MakeSeed(),
		settled:  func(store.Tx, Request) error { return nil },
	}
}

// OnSettled has fn called within the transaction that gives a request its final
// state, once for each request. It is set before the service is used.
func (s *Phones) OnSettled(fn func(store.Tx, Request) error) { s.settled = fn }

// commit runs a core in one transaction. The core's verdict is a refusal that
// is given after its writes were kept, such as a wrong code that was counted;
// its err keeps nothing.
func (s *Phones) commit(ctx context.Context, core func(store.Tx) (verdict, err error)) error {
	var verdict error
	err := s.store.Update(ctx, func(tx store.Tx) (err error) {
		verdict, err = core(tx)
		return err
	})
	if err != nil {
		return err
	}
	return verdict
}

// unknown is the same for an unknown person and one without e-CPS, so that
// the page tells no stranger who exists.
func unknown(id string) *problem.Error {
	return problem.ECPSUnknown.Got(id)
}

func random(n int64) int64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // no randomness, no security
	}
	return v.Int64()
}

// historyKept is how long what has ended can still be read.
const historyKept = time.Hour
