package ecps

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Way is how a person comes by an e-CPS.
type Way string

// The ways to an e-CPS.
const (
	ByCard    Way = "card"    // the card was presented with its code porteur
	ByContact Way = "contact" // a QR code by mail and a code by SMS
	ByConsole Way = "console" // the tester activated it at once
)

// Lifetimes of an activation's QR code: 90 s on the portal, as PSC has it; a
// mailed one 24 h [?].
var lifetimes = map[Way]time.Duration{ByCard: 90 * time.Second, ByContact: 24 * time.Hour}

// Limits of activations.
const (
	MaxSMSTries    = 5 // wrong SMS codes end the activation
	MaxActivations = 5 // begun by one person within an hour
)

// Activation is a person on the way to an e-CPS: the QR code is on the portal
// or in a mail, the phone has yet to read it.
type Activation struct {
	ID         string    `json:"id"`
	Secret     string    `json:"secret"`
	NationalID string    `json:"national_id"`
	By         Way       `json:"by"`
	SMS        string    `json:"sms,omitempty"` // the code that went to the mobile
	WrongSMS   int       `json:"wrong_sms"`
	Done       bool      `json:"done"`
	ExpiresAt  time.Time `json:"expires_at"`
	QR         string    `json:"qr"` // what the QR code holds
}

var activations = store.Collection[Activation]("ecps-activations")

// StartActivation begins an activation. By card the caller has judged the card;
// by contact details a mail and an SMS go to the outbox.
func (s *Phones) StartActivation(ctx context.Context, nationalID string, by Way) (a *Activation, err error) {
	err = s.commit(ctx, func(tx store.Tx) (verdict, err error) {
		a, verdict, err = s.StartActivationIn(tx, nationalID, by)
		return verdict, err
	})
	return a, err
}

// StartActivationIn is StartActivation within a transaction. Who may not have an
// e-CPS is told so after as much work as for somebody who may, the counting
// included: neither the time nor the number of tries tells who exists.
func (s *Phones) StartActivationIn(tx store.Tx, nationalID string, by Way) (a *Activation, verdict, err error) {
	if _, known := lifetimes[by]; !known {
		return nil, nil, problem.ECPSWayUnknown.Got(string(by))
	}
	person, err := s.people.ReadIn(tx, nationalID)
	if identities.CheckNationalID(nationalID) == nil { // else it is nobody's, and no key of the store
		if err := s.notTooOften(tx, nationalID, err == nil); err != nil {
			return nil, nil, err
		}
	}
	if err == nil && by == ByContact {
		err = mayByContact(person)
	}
	var refusal *problem.Error
	switch {
	case errors.As(err, &refusal):
		return nil, refusal, nil
	case err != nil:
		return nil, nil, err
	}
	a = s.newActivation(nationalID, by)
	if by == ByContact {
		if err := s.send(tx, person, a); err != nil {
			return nil, nil, err
		}
	}
	return a, nil, activations.Put(tx, a.ID, *a, lifetimes[by]+historyKept)
}

func (s *Phones) newActivation(nationalID string, by Way) *Activation {
	a := &Activation{ID: rand.Text(), Secret: rand.Text(), NationalID: nationalID, By: by,
		ExpiresAt: s.clock.Now().Add(lifetimes[by])}
	a.QR = s.phone + "/activate?" + url.Values{"qr": {a.ID + "." + a.Secret}}.Encode()
	if by == ByContact {
		a.SMS = fmt.Sprintf("%06d", random(1_000_000))
	}
	return a
}

// mayByContact: people with an ADELI number activate by card only (2022–2025),
// everybody else needs a mail address and a mobile.
func mayByContact(i *identities.Identity) error {
	if strings.HasPrefix(i.NationalID, "0") {
		return problem.ECPSADELIByCard.Got(i.NationalID)
	}
	var missing []string
	if i.Email == "" {
		missing = append(missing, "email")
	}
	if i.Mobile == "" {
		missing = append(missing, "mobile")
	}
	if len(missing) > 0 {
		return problem.ECPSContactsMissing.With("missing", problem.Nor(missing))
	}
	return nil
}

func (s *Phones) send(tx store.Tx, i *identities.Identity, a *Activation) error {
	return errors.Join(
		s.outbox.Put(
			tx,
			outbox.Message{
				NationalID: i.NationalID,
				Channel:    outbox.Mail,
				To:         i.Email,
				Subject:    "Activation de votre e-CPS",
				Link:       a.QR,
				Text: "Bonjour " + i.Name() + ",\n\nOuvrez l'application e-CPS et scannez le QR code de ce message, " +
					"valable 24 heures. Le code reçu par SMS vous sera demandé.",
			},
		),
		s.outbox.Put(
			tx,
			outbox.Message{
				NationalID: i.NationalID,
				Channel:    outbox.SMS,
				To:         i.Mobile,
				Code:       a.SMS,
				Text:       "Votre code d'activation e-CPS : " + a.SMS,
			},
		),
	)
}

// Activation finds one by the id that the portal's page knows.
func (s *Phones) Activation(ctx context.Context, id string) (a *Activation, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		a, err = activationIn(tx, id)
		return err
	})
	return a, err
}

func activationIn(tx store.Tx, id string) (*Activation, error) {
	a, err := activations.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noActivation()
	}
	return &a, err
}

func noActivation() error {
	return problem.ECPSActivationUnknown.Of()
}

// Scanned finds the activation that a QR code is of: the code itself, or the
// address it holds.
func (s *Phones) Scanned(ctx context.Context, qr string) (a *Activation, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		a, err = s.scannedIn(tx, qr)
		return err
	})
	return a, err
}

func (s *Phones) scannedIn(tx store.Tx, qr string) (*Activation, error) {
	if u, err := url.Parse(qr); err == nil && u.Query().Has("qr") {
		qr = u.Query().Get("qr")
	}
	id, secret, _ := strings.Cut(strings.TrimSpace(qr), ".")
	a, err := activationIn(tx, id)
	if err == nil && subtle.ConstantTimeCompare([]byte(a.Secret), []byte(secret)) != 1 {
		err = noActivation()
	}
	if err != nil {
		return nil, err
	}
	return a, s.usable(a)
}

func (s *Phones) usable(a *Activation) error {
	switch {
	case a.Done:
		return problem.ECPSActivationUsed.Of()
	case a.WrongSMS >= MaxSMSTries:
		return problem.ECPSActivationDead.Of()
	case !s.clock.Now().Before(a.ExpiresAt):
		return problem.ECPSActivationExpired.With("lifetime", lifetimes[a.By])
	}
	return nil
}

// Completion is what the phone sends: the QR code, the SMS code when the
// activation has one, the e-CPS code that the person chose, and the public key
// it made (base64 SPKI, "" for a phone that can make none).
type Completion struct {
	QR   string `json:"qr"`
	SMS  string `json:"sms"`
	Code string `json:"code"`
	Key  string `json:"key"`
}

// Complete makes the phone the person's device; the one before is replaced.
// An activation serves once; wrong SMS codes are counted in the store.
func (s *Phones) Complete(ctx context.Context, c Completion) (d *Device, err error) {
	err = s.commit(ctx, func(tx store.Tx) (verdict, err error) {
		d, verdict, err = s.CompleteIn(tx, c)
		return verdict, err
	})
	return d, err
}

// CompleteIn is Complete within a transaction; the verdict is a wrong SMS code,
// which was counted.
func (s *Phones) CompleteIn(tx store.Tx, c Completion) (made *Device, verdict, err error) {
	a, d, err := s.completing(tx, c)
	if err != nil {
		return nil, nil, err
	}
	if verdict = a.judge(c.SMS); verdict == nil {
		a.Done, made = true, d
		if err := s.put(tx, *d); err != nil {
			return nil, nil, err
		}
	}
	return made, verdict, activations.Put(tx, a.ID, *a, a.ExpiresAt.Sub(s.clock.Now())+historyKept)
}

// completing finds the activation, which can be used, and makes the device that
// it leads to; nothing is kept yet.
func (s *Phones) completing(tx store.Tx, c Completion) (*Activation, *Device, error) {
	if err := checkForm(c.Code); err != nil {
		return nil, nil, err
	}
	a, err := s.scannedIn(tx, c.QR)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.people.ReadIn(tx, a.NationalID); err != nil {
		return nil, nil, err
	}
	d, err := s.newDevice(a.NationalID, c.Code, a.By)
	if err == nil && c.Key != "" {
		d.Key, err = ParseKey(c.Key)
	}
	return a, &d, err
}

// judge compares the SMS code and counts wrong ones.
func (a *Activation) judge(sms string) error {
	if a.SMS == "" || subtle.ConstantTimeCompare([]byte(a.SMS), []byte(strings.TrimSpace(sms))) == 1 {
		return nil
	}
	a.WrongSMS++
	return problem.ECPSSMSWrong.With("left", MaxSMSTries-a.WrongSMS)
}

// WaitActivation returns when the activation is done or its time is over, or
// when ctx ends.
func (s *Phones) WaitActivation(ctx context.Context, id string) (a *Activation, err error) {
	s.until(ctx, activations.Key(id), func(ctx context.Context) bool {
		a, err = s.Activation(ctx, id)
		return err != nil || s.usable(a) != nil
	})
	return a, err
}
