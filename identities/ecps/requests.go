package ecps

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pquerna/otp/totp"

	"pscemu/config"
	"pscemu/identities"
	"pscemu/problem"
	"pscemu/store"
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

// Means a request waits for.
const (
	Phone = "ecps"
	Card  = "card"
)

// Request is one login waiting for the person.
type Request struct {
	ID         string    `json:"id"`
	NationalID string    `json:"national_id"`
	Means      string    `json:"means"`  // Phone or Card
	Client     string    `json:"client"` // the service's name, as the phone shows it
	Message    string    `json:"message,omitempty"`
	Number     string    `json:"number"` // the two digits PSC's page shows; "" with CIBA, which has no page
	Choices    []string  `json:"choices"`
	State      State     `json:"state"`
	WrongTOTPs int       `json:"wrong_totps,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Limits of a request.
const (
	RequestLifetime = 2 * time.Minute
	maxWrongTOTPs   = 3 // per request, which they end
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
	Means                       string        // Phone unless Card
	Lifetime                    time.Duration // RequestLifetime when 0
	NoNumber                    bool          // there is no page to compare a number with
}

// Start sends a request to the person's phone, or card reader, and applies
// their behaviour.
func (s *Service) Start(ctx context.Context, a Ask) (*Request, error) {
	person, err := s.addressee(ctx, a)
	if err != nil {
		return nil, err
	}
	b, err := s.Behaves(ctx, person)
	if err == nil && b.Action == identities.Unreachable && a.Means != Card {
		err = unreachable(a.NationalID)
	}
	if err != nil {
		return nil, err
	}
	r, to := s.newRequest(a), outcomes[b.Action]
	if to != "" && b.After == 0 && b.Action != identities.Late {
		r.State = to
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		if err := s.room(tx, r, person.Policies); err != nil {
			return err
		}
		return requests.Put(tx, r.ID, r, r.kept())
	})
	switch {
	case err != nil || to == "":
	case b.Action == identities.Late:
		go s.answerLate(r.ID)
	case b.After > 0:
		time.AfterFunc(b.After, func() { _, _ = s.settle(context.Background(), r.ID, to) })
	}
	return &r, err
}

// answerLate approves when the request's time is over: nothing comes of it.
func (s *Service) answerLate(id string) {
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	if _, err := s.Wait(ctx, id); err == nil {
		_, _ = s.settle(ctx, id, Approved)
	}
}

// addressee is the person, when there is a phone that can be asked.
func (s *Service) addressee(ctx context.Context, a Ask) (*identities.Identity, error) {
	person, err := s.people.Read(ctx, a.NationalID)
	if problem.Is(err, "identity-unknown") && s.settings.Policies(nil, nil).HideUnknownIDs {
		return nil, unknown(a.NationalID)
	}
	if err != nil || a.Means == Card {
		return person, err
	}
	device, err := s.Device(ctx, a.NationalID)
	if err == nil && device.Blocked() {
		err = blocked(a.NationalID)
	}
	return person, err
}

// kept is how long a request can be read back after it was made.
func (r *Request) kept() time.Duration { return r.ExpiresAt.Sub(r.CreatedAt) + historyKept }

// room counts the person's pending requests and notes the new one.
func (s *Service) room(tx store.Tx, r Request, policies config.Overrides) error {
	ids, err := waiting.Maybe(tx, r.NationalID)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		other, err := requests.Get(tx, id)
		return err != nil || s.stateOf(other) != Pending
	})
	if most := s.settings.Policies(nil, policies).MaxRequests; len(ids) >= most {
		return problem.New(problem.TooMany, "ecps-too-many", "Trop de demandes attendent déjà sur ce téléphone").Got(fmt.Sprint(len(ids))).Want(fmt.Sprintf("moins de %d", most)).
			Do("répondez-y ou attendez deux minutes")
	}
	latest, err := recent.Maybe(tx, r.NationalID)
	if err != nil {
		return err
	}
	latest = append(latest, r.ID)
	return errors.Join(waiting.Put(tx, r.NationalID, append(ids, r.ID), r.kept()), recent.Put(tx, r.NationalID, latest[max(0, len(latest)-maxRecent):], r.kept()))
}

func (s *Service) newRequest(a Ask) Request {
	now := s.clock.Now()
	r := Request{ID: rand.Text(), NationalID: a.NationalID, Means: cmp.Or(a.Means, Phone), Client: a.Client, Message: a.Message, Choices: []string{}, State: Pending, CreatedAt: now,
		ExpiresAt: now.Add(cmp.Or(a.Lifetime, RequestLifetime))}
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

func (s *Service) stateOf(r Request) State {
	if r.State == Pending && !s.clock.Now().Before(r.ExpiresAt) {
		return Expired
	}
	return r.State
}

// Request finds one request with its state of now.
func (s *Service) Request(ctx context.Context, id string) (*Request, error) {
	r, err := requests.Load(ctx, s.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRequest(id)
	}
	r.State = s.stateOf(r)
	return &r, err
}

func noRequest(id string) error {
	return problem.New(problem.NotFound, "ecps-request-unknown", "no such e-CPS request").Got(id).Want("an id as `pscemu ecps pending` prints it")
}

// Filter chooses requests; its zero value chooses all.
type Filter struct {
	NationalID, Means string
	PendingOnly       bool
}

// Requests lists requests: a person's latest, oldest first, however many
// others there are; or everybody's, in no particular order.
func (s *Service) Requests(ctx context.Context, f Filter) ([]Request, error) {
	var all []Request
	err := s.store.View(ctx, func(tx store.Tx) (err error) {
		if f.NationalID == "" {
			all, err = requests.List(tx, "", 20_000)
			return err
		}
		all, err = ofPerson(tx, f.NationalID)
		return err
	})
	out := []Request{}
	for _, r := range all {
		r.State = s.stateOf(r)
		if (f.Means == "" || r.Means == f.Means) && (!f.PendingOnly || r.State == Pending) {
			out = append(out, r)
		}
	}
	return out, err
}

func ofPerson(tx store.Tx, nationalID string) ([]Request, error) {
	ids, err := recent.Maybe(tx, nationalID)
	if err != nil {
		return nil, err
	}
	return requests.Those(tx, ids)
}

// Response is what the person does on their phone: the code and the number
// picked among three to approve, and the device's signature.
type Response struct {
	Code, Number, Signature string
}

// Approve answers on the phone.
func (s *Service) Approve(ctx context.Context, id string, a Response) (*Request, error) {
	r, d, err := s.onPhone(ctx, id)
	if err == nil {
		err = s.proves(d, id, "approve", a.Number, a.Signature)
	}
	if err == nil {
		err = s.checkCode(ctx, r.NationalID, a.Code)
	}
	if err != nil {
		return nil, err
	}
	to := Approved
	if a.Number != r.Number {
		to = WrongNumber
	}
	settled, err := s.settle(ctx, id, to)
	if err == nil && (to == WrongNumber || d.WrongNumbers > 0) {
		err = s.pickedNumber(ctx, r.NationalID, to == Approved)
	}
	return settled, err
}

// Refuse answers on the phone; no code is asked.
func (s *Service) Refuse(ctx context.Context, id, signature string) (*Request, error) {
	_, d, err := s.onPhone(ctx, id)
	if err == nil {
		err = s.proves(d, id, "refuse", "", signature)
	}
	if err != nil {
		return nil, err
	}
	return s.settle(ctx, id, Refused)
}

// onPhone finds a request that waits for the phone, not for the card, and the
// phone.
func (s *Service) onPhone(ctx context.Context, id string) (*Request, *Device, error) {
	r, err := s.Request(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if r.Means == Card {
		return nil, nil, problem.New(problem.Conflict, "request-wants-card", "this request waits for the card in the reader, not for the phone").Got(id).Do("answer it on the console's reader page, or with POST /api/v1/reader/requests/{id}")
	}
	if r.State != Pending {
		return nil, nil, settledAlready(r.State)
	}
	d, err := s.Device(ctx, r.NationalID)
	return r, d, err
}

// ApproveCard settles a request that waits for this person's card, whose code
// porteur was judged before.
func (s *Service) ApproveCard(ctx context.Context, id, nationalID string) (*Request, error) {
	r, err := s.Request(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case r.Means != Card:
		return nil, problem.New(problem.Conflict, "request-wants-phone", "this request waits for the phone, not for the card").Got(id)
	case r.NationalID != nationalID:
		return nil, problem.New(problem.Forbidden, "card-other-person", "Cette carte n'est pas celle de la personne demandée").Got(nationalID).Want(r.NationalID)
	}
	return s.settle(ctx, id, Approved)
}

// ApproveTOTP answers with the device's one-time password instead. Three wrong
// ones end the request.
func (s *Service) ApproveTOTP(ctx context.Context, id, password string) (*Request, error) {
	if !s.settings.Policies(nil, nil).DoorTOTP {
		return nil, problem.New(problem.Forbidden, "door-closed", "Cette porte de test est fermée").Got("--strict or door-totp=false")
	}
	r, d, err := s.onPhone(ctx, id)
	if err == nil && d.Blocked() {
		err = blocked(r.NationalID)
	}
	if err != nil {
		return nil, err
	}
	if ok, err := totp.ValidateCustom(password, d.TOTPSecret, s.clock.Now(), totp.ValidateOpts{Period: 30, Skew: 1, Digits: 6}); err == nil && ok {
		return s.settle(ctx, id, Approved)
	}
	left := 0
	_, err = s.changeRequest(ctx, id, func(r *Request) {
		r.WrongTOTPs++
		if left = maxWrongTOTPs - r.WrongTOTPs; left <= 0 {
			r.State = WrongTOTP
		}
	})
	if err != nil {
		return nil, err
	}
	return nil, problem.New(problem.Forbidden, "ecps-totp-wrong", "Le mot de passe à usage unique est erroné").Want("les 6 chiffres du moment du secret TOTP de l'e-CPS").Do(fmt.Sprintf("il reste %d essai(s)", left))
}

// Answer settles a request with authority (console, API): no code is asked.
func (s *Service) Answer(ctx context.Context, id string, state State) (*Request, error) {
	return s.settle(ctx, id, state)
}

// settle moves a pending request to its final state, once.
func (s *Service) settle(ctx context.Context, id string, to State) (*Request, error) {
	return s.changeRequest(ctx, id, func(r *Request) { r.State = to })
}

// changeRequest changes a request that is pending.
func (s *Service) changeRequest(ctx context.Context, id string, fn func(*Request)) (*Request, error) {
	var out Request
	err := s.store.Update(ctx, func(tx store.Tx) error {
		r, err := requests.Get(tx, id)
		if err != nil {
			return noRequest(id)
		}
		if now := s.stateOf(r); now != Pending {
			return settledAlready(now)
		}
		fn(&r)
		out = r
		return requests.Put(tx, id, r, r.kept())
	})
	return &out, err
}

func settledAlready(now State) error {
	return problem.New(problem.Conflict, "ecps-request-settled", "this request waits for no answer any more").Got(string(now)).Want("a pending request").Do("start the login again")
}

// Wait returns the request as soon as it is no longer pending, or when ctx
// ends, whichever comes first.
func (s *Service) Wait(ctx context.Context, id string) (r *Request, err error) {
	s.until(ctx, requests.Key(id), func(ctx context.Context) bool {
		r, err = s.Request(ctx, id)
		return err != nil || r.State != Pending
	})
	return r, err
}

// until looks again whenever the key changes, or the clock may have passed a
// moment, until it is done or ctx ends.
func (s *Service) until(ctx context.Context, key string, done func(context.Context) bool) {
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
func (s *Service) Watch(ctx context.Context) <-chan string {
	return s.store.Watch(ctx, requests.Prefix())
}
