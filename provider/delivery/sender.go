package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// How much is under way at once: so many calls, and so many of one client, so
// that a server that hangs holds up its own messages.
const (
	maxCalls     = 16
	maxOfClient  = 4
	window       = 256             // deliveries looked at in one transaction
	windows      = 64              // of a round
	tick         = time.Second     // a look at the clock while one is due later: it may be moved
	idle         = 5 * time.Second // a look at the store without a change: it may be replaced
	unrecordable = 20 * time.Second
)

// Sender delivers.
type Sender struct {
	store   store.Store
	clock   clock.Clock
	client  *http.Client
	writers map[Kind]Writer
	done    func(context.Context, Delivery)

	ctx  context.Context
	work sync.WaitGroup
	free chan struct{} // holds a token when a call has ended

	mu   sync.Mutex
	busy map[string]string // the client of what is under way, by place
}

// New makes a sender that stops when ctx ends. roots are trusted for https.
func New(ctx context.Context, s store.Store, c clock.Clock, roots *x509.CertPool) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: noLinkLocal}
	return &Sender{store: s, clock: c, ctx: ctx, writers: map[Kind]Writer{}, done: func(context.Context, Delivery) {},
		free: make(chan struct{}, 1), busy: map[string]string{},
		client: &http.Client{
			Timeout: 5 * time.Second,
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				DisableKeepAlives:      true,
				MaxResponseHeaderBytes: 64 << 10,
				TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
}

// Writes says who makes the bodies of a kind from their intents. It is set
// before Run.
func (s *Sender) Writes(kind Kind, w Writer) { s.writers[kind] = w }

// OnDone has fn called for each delivery that has ended, well or badly. It is
// set before Run.
func (s *Sender) OnDone(fn func(context.Context, Delivery)) { s.done = fn }

// Run delivers what earlier runs left and what is written down from now on,
// until the sender's context ends.
func (s *Sender) Run() { s.work.Go(s.dispatch) }

// Wait returns when the sender has stopped.
func (s *Sender) Wait() { s.work.Wait() }

func (s *Sender) dispatch() {
	changed := s.store.Watch(s.ctx, due.Prefix())
	for s.ctx.Err() == nil {
		wait, err := s.round()
		if err != nil && s.ctx.Err() == nil {
			slog.ErrorContext(s.ctx, "deliveries", "error", err)
		}
		select {
		case <-changed:
		case <-s.free:
		case <-time.After(wait):
		case <-s.ctx.Done():
		}
	}
}

// round begins with what is due, and says how long to wait for what is not. It
// looks behind the deliveries that cannot begin now: however many one client
// has, they hold up those of no other.
func (s *Sender) round() (wait time.Duration, err error) {
	for after, n := "", 0; n < windows && !s.full(); n++ {
		var page []store.Entry
		err = s.store.View(s.ctx, func(tx store.Tx) (err error) {
			page, err = tx.List(due.Prefix(), after, window)
			return err
		})
		for _, e := range page {
			if left := s.begin(e); left > 0 {
				return min(idle, left, tick), err
			}
			after = e.Key
		}
		if err != nil || len(page) < window {
			break
		}
	}
	return idle, err
}

// begin begins a delivery that is due, unless it is under way or has no room
// now; of one that is not it says how long to wait.
func (s *Sender) begin(e store.Entry) (left time.Duration) {
	place := due.ID(e.Key)
	at, bad := store.ParseMoment(place)
	left = at.Sub(s.clock.Now())
	if bad == nil && left > 0 && left <= pauses[len(pauses)-1] { // later than that: the clock was moved back
		return left
	}
	var client string
	if json.Unmarshal(e.Value, &client) == nil && s.take(place, client) {
		s.work.Go(func() { s.deliver(place) })
	}
	return 0
}

// full tells that no further call has room.
func (s *Sender) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.busy) >= maxCalls
}

// take reserves a delivery and room for its call, if there is any.
func (s *Sender) take(place, client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.busy[place]; taken || len(s.busy) >= maxCalls {
		return false
	}
	n := 0
	for _, other := range s.busy {
		if other == client {
			n++
		}
	}
	if n >= maxOfClient {
		return false
	}
	s.busy[place] = client
	return true
}

func (s *Sender) release(place string) {
	s.mu.Lock()
	delete(s.busy, place)
	s.mu.Unlock()
	select {
	case s.free <- struct{}{}:
	default: // one look is enough for several
	}
}

// deliver calls once and notes how it went. A call that the program's end cuts
// short is not the endpoint's failure: it is made again.
func (s *Sender) deliver(place string) {
	defer s.release(place)
	ctx := context.WithoutCancel(s.ctx)
	id := place[min(len(place), store.MomentLen+1):]
	e, err := entries.Load(ctx, s.store, id)
	var a Attempt
	switch {
	case errors.Is(err, store.ErrNotFound): // gone meanwhile: its place is taken away
	case err != nil:
		s.hold(err)
		return
	case e.Delivery.State == Pending:
		if a = s.try(e); a.Status == 0 && s.ctx.Err() != nil {
			return
		}
	}
	var ended *Delivery
	err = s.store.Update(ctx, func(tx store.Tx) (err error) {
		ended, err = s.record(tx, place, id, a)
		return err
	})
	switch {
	case err != nil:
		s.hold(err)
	case ended != nil:
		s.done(ctx, *ended)
	}
}

// hold waits before a delivery is made again that was made and could not be
// noted.
func (s *Sender) hold(err error) {
	slog.ErrorContext(s.ctx, "delivery log", "error", err)
	select {
	case <-time.After(unrecordable):
	case <-s.ctx.Done():
	}
}
