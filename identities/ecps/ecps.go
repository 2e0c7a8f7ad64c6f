// Package ecps is the e-CPS: the phone each person may hold, the requests it
// receives, and what comes of them. A request may also wait for the person's
// card in the reader (CIBA, channel CARD).
package ecps

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"time"

	"github.com/pquerna/otp/totp"

	"pscemu/clock"
	"pscemu/config"
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
	waiting  = store.Collection[[]string]("ecps-waiting") // by person: ids of requests that may still be pending
)

// Service runs the phones.
type Service struct {
	store    store.Store
	clock    clock.Clock
	people   *identities.People
	settings *config.Live
}

// New opens the service. Where the door is closed no phone answers by itself.
func New(s store.Store, c clock.Clock, people *identities.People, settings *config.Live) *Service {
	return &Service{store: s, clock: c, people: people, settings: settings}
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
	d, err := s.newDevice(nationalID, code)
	if err != nil {
		return nil, err
	}
	return &d, devices.Save(ctx, s.store, nationalID, d, store.Forever)
}

func (s *Service) newDevice(nationalID, code string) (Device, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "pscemu", AccountName: nationalID})
	if err != nil {
		return Device{}, err
	}
	return Device{NationalID: nationalID, Code: code, TOTPSecret: key.Secret(), ActivatedAt: s.clock.Now()}, nil
}

// ActivateAll gives each person a device with this code in one transaction.
func (s *Service) ActivateAll(ctx context.Context, people []identities.Identity, code string) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		for _, i := range people {
			d, err := s.newDevice(i.NationalID, code)
			if err == nil {
				err = devices.Put(tx, i.NationalID, d, store.Forever)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
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
	if !s.settings.Policies(nil, nil).DoorBehaviours {
		person.Behaviour = identities.Behaviour{Action: identities.Ask}
	}
	r := s.newRequest(a)
	if person.Behaviour.After == 0 {
		r.State = outcome(person.Behaviour.Action)
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		if err := s.room(tx, r); err != nil {
			return err
		}
		return requests.Put(tx, r.ID, r, r.kept())
	})
	if err == nil && person.Behaviour.After > 0 {
		time.AfterFunc(person.Behaviour.After, func() { _, _ = s.settle(context.Background(), r.ID, outcome(person.Behaviour.Action)) })
	}
	return &r, err
}

// addressee is the person, when there is a phone that can be asked.
func (s *Service) addressee(ctx context.Context, a Ask) (*identities.Identity, error) {
	person, err := s.people.Get(ctx, a.NationalID)
	if problem.Is(err, "identity-unknown") && s.settings.Policies(nil, nil).HideUnknownIDs {
		return nil, unknown(a.NationalID)
	}
	if err != nil || a.Means == Card {
		return person, err
	}
	device, err := s.Device(ctx, a.NationalID)
	if err != nil {
		return nil, err
	}
	if person.Has(identities.PhoneUnreachable) && s.settings.Policies(nil, nil).DoorQuirks {
		return nil, problem.New(problem.Forbidden, "ecps-unreachable", "Votre téléphone n'a pas pu être joint").Got(a.NationalID).Do("réessayez")
	}
	if device.Blocked() {
		return nil, problem.New(problem.Forbidden, "ecps-blocked", "Cette e-CPS est bloquée après trois codes erronés").Got(a.NationalID).Do("réactivez l'e-CPS (pscemu ecps activate)")
	}
	return person, nil
}

// kept is how long a request can be read back after it was made.
func (r *Request) kept() time.Duration { return r.ExpiresAt.Sub(r.CreatedAt) + time.Hour }

func outcome(a identities.Action) State {
	switch a {
	case identities.Approve:
		return Approved
	case identities.Refuse:
		return Refused
	}
	return Pending
}

// room counts the person's pending requests and notes the new one.
func (s *Service) room(tx store.Tx, r Request) error {
	ids, err := waiting.Get(tx, r.NationalID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		other, err := requests.Get(tx, id)
		return err != nil || s.stateOf(other) != Pending
	})
	if len(ids) >= MaxPending {
		return problem.New(problem.Forbidden, "ecps-too-many", "Trop de demandes attendent déjà sur ce téléphone").Got(fmt.Sprint(len(ids))).Want(fmt.Sprintf("moins de %d", MaxPending)).
			Do("répondez-y ou attendez deux minutes")
	}
	return waiting.Put(tx, r.NationalID, append(ids, r.ID), r.kept())
}

func (s *Service) newRequest(a Ask) Request {
	now := s.clock.Now()
	r := Request{ID: rand.Text(), NationalID: a.NationalID, Means: a.Means, Client: a.Client, Message: a.Message, Choices: []string{}, State: Pending, CreatedAt: now,
		ExpiresAt: now.Add(cmp.Or(a.Lifetime, RequestLifetime))}
	if r.Means == "" {
		r.Means = Phone
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

// Filter chooses requests; its zero value chooses all.
type Filter struct {
	NationalID, Means string
	PendingOnly       bool
}

// Requests lists requests, in no particular order.
func (s *Service) Requests(ctx context.Context, f Filter) ([]Request, error) {
	all, err := requests.Page(ctx, s.store, "", 10_000)
	out := []Request{}
	for _, r := range all {
		r.State = s.stateOf(r)
		if (f.NationalID == "" || r.NationalID == f.NationalID) && (f.Means == "" || r.Means == f.Means) && (!f.PendingOnly || r.State == Pending) {
			out = append(out, r)
		}
	}
	return out, err
}

// Approve answers on the phone: its code and the number picked among three.
func (s *Service) Approve(ctx context.Context, id, code, number string) (*Request, error) {
	r, err := s.onPhone(ctx, id)
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

// onPhone finds a request that waits for the phone, not for the card.
func (s *Service) onPhone(ctx context.Context, id string) (*Request, error) {
	r, err := s.Request(ctx, id)
	if err == nil && r.Means == Card {
		err = problem.New(problem.Conflict, "request-wants-card", "this request waits for the card in the reader, not for the phone").Got(id).Do("answer it on the console's reader page, or with POST /api/v1/reader/requests/{id}")
	}
	return r, err
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

// ApproveTOTP answers with the device's one-time password instead.
func (s *Service) ApproveTOTP(ctx context.Context, id, password string) (*Request, error) {
	r, err := s.onPhone(ctx, id)
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
		return requests.Put(tx, id, r, r.kept())
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
