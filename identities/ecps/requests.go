package ecps

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// State is where a request stands.
type State string

// The states; all but Pending are final.
const (
	Pending     State = "pending"
	Approved    State = "approved"
	Refused     State = "refused"
	WrongNumber State = "wrong-number"
	WrongTOTP   State = "wrong-totp"
	Cancelled   State = "cancelled"
	Expired     State = "expired"
)

// Request is one login waiting for the person.
type Request struct {
	ID         string           `json:"id"`
	NationalID string           `json:"national_id"`
	Means      identities.Means `json:"means"`
	Client     string           `json:"client"` // the service's name, as the phone shows it
	Message    string           `json:"message,omitempty"`
	Number     string           `json:"number"` // the two digits PSC's page shows; "" with CIBA, which has no page
	Choices    []string         `json:"choices"`
	State      State            `json:"state"`
	WrongTOTPs int              `json:"wrong_totps,omitempty"`
	CreatedAt  time.Time        `json:"created_at"`
	ExpiresAt  time.Time        `json:"expires_at"`
	Answer     State            `json:"answer,omitempty"`   // that the phone gives by itself …
	AnswerAt   time.Time        `json:"answer_at,omitzero"` // … at this time, unless something settles it before
}

// Limits of a request.
const (
	RequestLifetime = 2 * time.Minute
	maxRecent       = 30
)

var (
	requests = store.Collection[Request]("ecps-requests")
	waiting  = store.Collection[[]string]("ecps-waiting") // by person: ids of requests that may still be pending
	recent   = store.Collection[[]string]("ecps-recent")  // by person: ids of the latest requests
)

// Ask is a login that wants the person's answer.
type Ask struct {
	NationalID, Client, Message string
	Means                       identities.Means // MeansECPS when ""
	Lifetime                    time.Duration    // RequestLifetime when 0
	NoNumber                    bool             // there is no page to compare a number with
}

// Start sends a request to the person's phone, or card reader, and applies
// their behaviour.
func (s *Phones) Start(ctx context.Context, a Ask) (r *Request, err error) {
	err = s.commit(ctx, func(tx store.Tx) (verdict, err error) {
		r, verdict, err = s.StartIn(tx, a)
		return verdict, err
	})
	return r, err
}

// StartIn is Start within a transaction. The verdict is that the phone cannot be
// reached, for which what was prepared is used up too.
func (s *Phones) StartIn(tx store.Tx, a Ask) (r *Request, verdict, err error) {
	person, err := s.addressee(tx, a)
	if err != nil {
		return nil, nil, err
	}
	others, err := s.room(tx, person)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.behavesIn(tx, person)
	if err != nil {
		return nil, nil, err
	}
	if b.Action == identities.Unreachable && a.Means != identities.MeansCard {
		return nil, unreachable(a.NationalID), nil
	}
	r = s.newRequest(a)
	r.answeredBy(b)
	return r, nil, s.begin(tx, r, others)
}

// begin keeps a new request beside the person's others that wait.
func (s *Phones) begin(tx store.Tx, r *Request, others []string) error {
	latest, err := recent.Maybe(tx, r.NationalID)
	if err != nil {
		return err
	}
	latest = append(latest, r.ID)
	shown := max(0, len(latest)-maxRecent)
	if err := s.forgetSoon(tx, latest[:shown]); err != nil {
		return err
	}
	latest = latest[shown:]
	err = errors.Join(recent.Put(tx, r.NationalID, latest, r.kept()), requests.Put(tx, r.ID, *r, r.kept()))
	if r.State != Pending {
		return err
	}
	return errors.Join(err, waiting.Put(tx, r.NationalID, append(others, r.ID), r.kept()), r.index(tx))
}

// forgetSoon keeps settled requests that no list shows any more for as long as a
// page may still ask how they ended: anybody can make more of them.
func (s *Phones) forgetSoon(tx store.Tx, ids []string) error {
	for _, id := range ids {
		r, err := requests.Get(tx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		case s.stateOf(r) == Pending:
			continue
		}
		if err := requests.Put(tx, id, r, RequestLifetime); err != nil {
			return err
		}
	}
	return nil
}

// answeredBy applies how the person's phone answers. One that is late answers
// when the request's time is over: nothing comes of it.
func (r *Request) answeredBy(b identities.Behaviour) {
	to, acts := outcomes[b.Action]
	switch {
	case !acts:
	case b.Action == identities.Late:
		r.Answer, r.AnswerAt = to, r.ExpiresAt
	case b.After > 0:
		r.Answer, r.AnswerAt = to, r.CreatedAt.Add(b.After)
	default:
		r.State = to
	}
}

// addressee is the person, when there is a phone that can be asked.
func (s *Phones) addressee(tx store.Tx, a Ask) (*identities.Identity, error) {
	person, err := s.people.ReadIn(tx, a.NationalID)
	if problem.Is(err, problem.IdentityUnknown) && s.settings.Policies(nil, nil).HideUnknownIDs {
		return nil, unknown(a.NationalID)
	}
	if err != nil || a.Means == identities.MeansCard {
		return person, err
	}
	device, err := s.DeviceIn(tx, a.NationalID)
	if err == nil && device.Blocked() {
		err = blocked(a.NationalID)
	}
	return person, err
}

// kept is how long a request can be read back after it was made.
func (r *Request) kept() time.Duration { return r.ExpiresAt.Sub(r.CreatedAt) + historyKept }

// room returns the person's requests that wait, and refuses one more than may.
func (s *Phones) room(tx store.Tx, person *identities.Identity) ([]string, error) {
	ids, err := waiting.Maybe(tx, person.NationalID)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		other, err := requests.Get(tx, id)
		return err != nil || s.stateOf(other) != Pending
	})
	if most := s.settings.Policies(nil, person.Policies).MaxRequests; len(ids) >= most {
		return nil, problem.ECPSTooMany.With("most", most).Got(fmt.Sprint(len(ids)))
	}
	return ids, nil
}

func (s *Phones) newRequest(a Ask) *Request {
	now := s.clock.Now()
	r := &Request{
		ID:         rand.Text(),
		NationalID: a.NationalID,
		Means:      cmp.Or(a.Means, identities.MeansECPS),
		Client:     a.Client,
		Message:    a.Message,
		Choices:    []string{},
		State:      Pending,
		CreatedAt:  now,
		ExpiresAt:  now.Add(cmp.Or(a.Lifetime, RequestLifetime)),
	}
	if !a.NoNumber {
		r.Choices = distinctNumbers(3)
		r.Number = r.Choices[random(3)]
	}
	return r
}

func distinctNumbers(n int) []string {
	seen, out := map[int64]bool{}, []string{}
	for len(out) < n {
		if v := random(90); !seen[v] {
			seen[v] = true
			out = append(out, fmt.Sprintf("%02d", v+10))
		}
	}
	return out
}

// stateOf is where a request stands at this moment: what its phone answers by
// itself is settled when its time comes, whether or not anybody noted it.
func (s *Phones) stateOf(r Request) State {
	now := s.clock.Now()
	switch {
	case r.State != Pending:
		return r.State
	case r.answers(now):
		return r.Answer
	case !now.Before(r.ExpiresAt):
		return Expired
	}
	return Pending
}

// answers tells whether the phone has answered by itself, in time.
func (r *Request) answers(now time.Time) bool {
	return r.Answer != "" && r.AnswerAt.Before(r.ExpiresAt) && !now.Before(r.AnswerAt)
}

// Request finds one request with its state of now.
func (s *Phones) Request(ctx context.Context, id string) (r *Request, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		r, err = s.RequestIn(tx, id)
		return err
	})
	return r, err
}

// RequestIn is Request within a transaction.
func (s *Phones) RequestIn(tx store.Tx, id string) (*Request, error) {
	r, err := requests.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRequest(id)
	}
	r.State = s.stateOf(r)
	return &r, err
}

func noRequest(id string) error {
	return problem.ECPSRequestUnknown.Got(id)
}

// pendingIn finds a request that waits for an answer.
func (s *Phones) pendingIn(tx store.Tx, id string) (*Request, error) {
	r, err := requests.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRequest(id)
	}
	if err != nil {
		return nil, err
	}
	if now := s.stateOf(r); now != Pending {
		return nil, settledAlready(now)
	}
	return &r, nil
}

// settleIn gives a request that waits its final state; whoever is to hear of it
// does so in the same transaction.
func (s *Phones) settleIn(tx store.Tx, r *Request, to State) error {
	unlisted := r.unlist(tx)
	r.State = to
	return errors.Join(unlisted, requests.Put(tx, r.ID, *r, r.kept()), s.settled(tx, *r))
}

func settledAlready(now State) error {
	return problem.ECPSRequestSettled.Got(string(now))
}

// Wait returns the request as soon as it is no longer pending, or when ctx
// ends, whichever comes first.
func (s *Phones) Wait(ctx context.Context, id string) (r *Request, err error) {
	s.until(ctx, requests.Key(id), func(ctx context.Context) bool {
		r, err = s.Request(ctx, id)
		return err != nil || r.State != Pending
	})
	return r, err
}

// until looks again whenever the key changes, or the clock may have passed a
// moment, until it is done or ctx ends.
func (s *Phones) until(ctx context.Context, key string, done func(context.Context) bool) {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	changed := s.store.Watch(watching, key)
	tick := time.NewTicker(time.Second) // the emulator's clock may be moved meanwhile
	defer tick.Stop()
	for !done(watching) {
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Watch tells, by key, whenever a request changes.
func (s *Phones) Watch(ctx context.Context) <-chan string {
	return s.store.Watch(ctx, requests.Prefix())
}
