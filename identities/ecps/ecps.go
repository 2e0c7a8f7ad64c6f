// Package ecps is the e-CPS: the phone each person may hold, the requests it
// receives, and what comes of them.
package ecps

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"time"

	"github.com/pquerna/otp/totp"

	"pscemu/clock"
	"pscemu/identities"
	"pscemu/problem"
	"pscemu/store"
)

// Device is a person's activated e-CPS. A new activation replaces it.
type Device struct {
	NationalID  string    `json:"national_id"`
	Code        string    `json:"code"`        // 4 digits, chosen at activation
	TOTPSecret  string    `json:"totp_secret"` // base32, approves without the page
	WrongCodes  int       `json:"wrong_codes"` // in a row; three block the device
	ActivatedAt time.Time `json:"activated_at"`
}

// MaxWrongCodes in a row block a device.
const MaxWrongCodes = 3

// Blocked tells whether wrong codes have blocked the device.
func (d *Device) Blocked() bool { return d.WrongCodes >= MaxWrongCodes }

// State is where a request stands.
type State string

// The states; all but Pending are final.
const (
	Pending     State = "pending"
	Approved    State = "approved"
	Refused     State = "refused"
	WrongNumber State = "wrong-number"
	Cancelled   State = "cancelled"
	Expired     State = "expired"
)

// Request is one login waiting for the phone.
type Request struct {
	ID         string    `json:"id"`
	NationalID string    `json:"national_id"`
	Client     string    `json:"client"` // the service's name, as the phone shows it
	Message    string    `json:"message,omitempty"`
	Number     string    `json:"number"` // the two digits PSC's page shows
	Choices    []string  `json:"choices"`
	State      State     `json:"state"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Limits of a request.
const (
	RequestLifetime = 2 * time.Minute
	MaxPending      = 5 // per person
)

var (
	devices  = store.Collection[Device]("ecps-devices")
	requests = store.Collection[Request]("ecps-requests")
)

// Service runs the phones.
type Service struct {
	store  store.Store
	clock  clock.Clock
	people *identities.People
	strict bool
}

// New opens the service. Under strict no phone answers by itself.
func New(s store.Store, c clock.Clock, people *identities.People, strict bool) *Service {
	return &Service{store: s, clock: c, people: people, strict: strict}
}

var fourDigits = regexp.MustCompile(`^\d{4}$`)

// Activate gives the person a new device with this code; it replaces the old.
func (s *Service) Activate(ctx context.Context, nationalID, code string) (*Device, error) {
	if !fourDigits.MatchString(code) {
		return nil, problem.New(problem.Invalid, "ecps-code-form", "the e-CPS code has the wrong form").Got(fmt.Sprintf("%d characters", len(code))).Want("4 digits")
	}
	if _, err := s.people.Get(ctx, nationalID); err != nil {
		return nil, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "pscemu", AccountName: nationalID})
	if err != nil {
		return nil, err
	}
	d := Device{NationalID: nationalID, Code: code, TOTPSecret: key.Secret(), ActivatedAt: s.clock.Now()}
	return &d, devices.Save(ctx, s.store, nationalID, d, store.Forever)
}

// Device finds the person's device.
func (s *Service) Device(ctx context.Context, nationalID string) (*Device, error) {
	d, err := devices.Load(ctx, s.store, nationalID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(nationalID)
	}
	return &d, err
}

// Remove deletes the person's device.
func (s *Service) Remove(ctx context.Context, nationalID string) error {
	if _, err := s.Device(ctx, nationalID); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx store.Tx) error { return devices.Delete(tx, nationalID) })
}

// unknown is the same for an unknown person and one without e-CPS, so that
// the page tells no stranger who exists.
func unknown(id string) *problem.Error {
	return problem.New(problem.NotFound, "ecps-unknown", "Aucune e-CPS active n'est associée à cet identifiant").Got(id).
		Want("l'identifiant national complet, imprimé au-dessus du nom sur la carte").Do("vérifiez l'identifiant, ou activez une e-CPS (pscemu ecps activate)")
}

// Start sends a request to the person's phone and applies their behaviour.
func (s *Service) Start(ctx context.Context, nationalID, client, message string) (*Request, error) {
	device, err := s.Device(ctx, nationalID)
	if err != nil {
		return nil, err
	}
	if device.Blocked() {
		return nil, problem.New(problem.Forbidden, "ecps-blocked", "Cette e-CPS est bloquée après trois codes erronés").Got(nationalID).Do("réactivez l'e-CPS (pscemu ecps activate)")
	}
	person, err := s.people.Get(ctx, nationalID)
	if err != nil {
		return nil, unknown(nationalID)
	}
	if s.strict {
		person.Behaviour = identities.Behaviour{Action: identities.Ask}
	}
	r := s.newRequest(nationalID, client, message)
	if person.Behaviour.After == 0 {
		r.State = outcome(person.Behaviour.Action)
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		if err := s.room(tx, nationalID); err != nil {
			return err
		}
		return requests.Put(tx, r.ID, r, requestKept)
	})
	if err == nil && person.Behaviour.After > 0 {
		time.AfterFunc(person.Behaviour.After, func() { _, _ = s.settle(context.Background(), r.ID, outcome(person.Behaviour.Action)) })
	}
	return &r, err
}

// requestKept is how long a request can be read back after it was made.
const requestKept = RequestLifetime + time.Hour

func outcome(a identities.Action) State {
	switch a {
	case identities.Approve:
		return Approved
	case identities.Refuse:
		return Refused
	}
	return Pending
}

func (s *Service) room(tx store.Tx, nationalID string) error {
	all, err := requests.List(tx, "", 1<<20)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range all {
		if r.NationalID == nationalID && s.stateOf(r) == Pending {
			n++
		}
	}
	if n < MaxPending {
		return nil
	}
	return problem.New(problem.Forbidden, "ecps-too-many", "Trop de demandes attendent déjà sur ce téléphone").Got(fmt.Sprint(n)).Want(fmt.Sprintf("moins de %d", MaxPending)).
		Do("répondez-y ou attendez deux minutes")
}

func (s *Service) newRequest(nationalID, client, message string) Request {
	now := s.clock.Now()
	numbers := distinctNumbers(3)
	return Request{ID: rand.Text(), NationalID: nationalID, Client: client, Message: message, Number: numbers[random(3)], Choices: numbers,
		State: Pending, CreatedAt: now, ExpiresAt: now.Add(RequestLifetime)}
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

func random(n int64) int64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // no randomness, no security
	}
	return v.Int64()
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

// Requests lists the requests of a person ("" = of everybody), newest last.
func (s *Service) Requests(ctx context.Context, nationalID string, pendingOnly bool) ([]Request, error) {
	all, err := requests.Page(ctx, s.store, "", 10_000)
	out := []Request{}
	for _, r := range all {
		r.State = s.stateOf(r)
		if (nationalID == "" || r.NationalID == nationalID) && (!pendingOnly || r.State == Pending) {
			out = append(out, r)
		}
	}
	return out, err
}

// Approve answers on the phone: its code and the number picked among three.
func (s *Service) Approve(ctx context.Context, id, code, number string) (*Request, error) {
	r, err := s.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.checkCode(ctx, r.NationalID, code); err != nil {
		return nil, err
	}
	if number != r.Number {
		return s.settle(ctx, id, WrongNumber)
	}
	return s.settle(ctx, id, Approved)
}

// ApproveTOTP answers with the device's one-time password instead.
func (s *Service) ApproveTOTP(ctx context.Context, id, password string) (*Request, error) {
	r, err := s.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := s.Device(ctx, r.NationalID)
	if err != nil {
		return nil, err
	}
	if ok, err := totp.ValidateCustom(password, d.TOTPSecret, s.clock.Now(), totp.ValidateOpts{Period: 30, Skew: 1, Digits: 6}); err != nil || !ok {
		return nil, problem.New(problem.Forbidden, "ecps-totp-wrong", "the one-time password is wrong").Want("the current 6 digits of this device's TOTP secret")
	}
	return s.settle(ctx, id, Approved)
}

// Answer settles a request with authority (console, API): no code is asked.
func (s *Service) Answer(ctx context.Context, id string, state State) (*Request, error) {
	return s.settle(ctx, id, state)
}

// checkCode counts wrong codes in the store, so that neither a restart nor a
// parallel try resets them.
func (s *Service) checkCode(ctx context.Context, nationalID, code string) error {
	var verdict error
	err := s.store.Update(ctx, func(tx store.Tx) error {
		d, err := devices.Get(tx, nationalID)
		if err != nil {
			return unknown(nationalID)
		}
		if d.Blocked() {
			return problem.New(problem.Forbidden, "ecps-blocked", "Cette e-CPS est bloquée après trois codes erronés").Do("réactivez l'e-CPS")
		}
		if subtle.ConstantTimeCompare([]byte(d.Code), []byte(code)) == 1 {
			if d.WrongCodes == 0 {
				return nil
			}
			d.WrongCodes = 0
		} else {
			d.WrongCodes++
			verdict = problem.New(problem.Forbidden, "ecps-code-wrong", "Code e-CPS erroné").Do(fmt.Sprintf("il reste %d essai(s)", MaxWrongCodes-d.WrongCodes))
		}
		return devices.Put(tx, nationalID, d, store.Forever)
	})
	return errors.Join(err, verdict)
}

// settle moves a pending request to its final state, once.
func (s *Service) settle(ctx context.Context, id string, to State) (*Request, error) {
	var out Request
	err := s.store.Update(ctx, func(tx store.Tx) error {
		r, err := requests.Get(tx, id)
		if err != nil {
			return noRequest(id)
		}
		if now := s.stateOf(r); now != Pending {
			return problem.New(problem.Conflict, "ecps-request-settled", "this request waits for no answer any more").Got(string(now)).Want("a pending request").Do("start the login again")
		}
		if to == Pending {
			out = r
			return nil
		}
		r.State = to
		out = r
		return requests.Put(tx, id, r, requestKept)
	})
	return &out, err
}

// Wait returns the request as soon as it is no longer pending, or when ctx
// ends, whichever comes first.
func (s *Service) Wait(ctx context.Context, id string) (*Request, error) {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	changed := s.store.Watch(watching, requests.Key(id))
	tick := time.NewTicker(time.Second) // the emulator's clock may be moved meanwhile
	defer tick.Stop()
	for {
		r, err := s.Request(watching, id)
		if err != nil || r.State != Pending {
			return r, err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return r, nil
		}
	}
}

// Watch tells, by key, whenever a request changes.
func (s *Service) Watch(ctx context.Context) <-chan string {
	return s.store.Watch(ctx, requests.Prefix())
}
