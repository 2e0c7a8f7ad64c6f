package ecps

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// One-time passwords (RFC 6238): a new one each totpPeriod, those of the steps
// beside the present one are taken too.
const (
	totpPeriod = 30 * time.Second
	totpSkew   = 1
)

// Password is a one-time password as its owner's application shows it.
type Password struct {
	TOTP  string    `json:"totp"`
	Used  bool      `json:"used"`  // it has served, or a later one has: the next one is at Until
	Until time.Time `json:"until"` // when the next one comes
}

// CurrentTOTP is the one-time password of this moment.
func (s *Phones) CurrentTOTP(ctx context.Context, nationalID string) (*Password, error) {
	d, err := s.Device(ctx, nationalID)
	if err != nil {
		return nil, err
	}
	step := stepAt(s.clock.Now())
	password, err := d.password(step)
	return &Password{password, step <= d.LastTOTP, stepTime(step + 1)}, err
}

func stepAt(t time.Time) int64 { return t.Unix() / int64(totpPeriod/time.Second) }

func stepTime(step int64) time.Time {
	return time.Unix(step*int64(totpPeriod/time.Second), 0).UTC()
}

// password is the one of a time step.
func (d *Device) password(step int64) (string, error) {
	form := totp.ValidateOpts{Period: uint(totpPeriod / time.Second), Digits: otp.DigitsSix}
	return totp.GenerateCodeCustom(d.TOTPSecret, stepTime(step), form)
}

// judgeTOTP compares a one-time password and counts wrong ones, in a row; the
// caller keeps the device. A password serves once, and none of an earlier step
// after it (RFC 6238 §5.2), for whatever request.
func (d *Device) judgeTOTP(password string, now time.Time) error {
	step := d.stepOf(password, stepAt(now))
	switch {
	case step == 0:
		d.WrongTOTPs++
		return problem.ECPSTOTPWrong.With("left", max(0, MaxWrongTOTPs-d.WrongTOTPs))
	case step <= d.LastTOTP:
		return problem.ECPSTOTPUsed.Of()
	}
	d.WrongTOTPs, d.LastTOTP = 0, step
	return nil
}

// stepOf is the time step that a password is of, 0 for none near the present.
func (d *Device) stepOf(password string, present int64) (found int64) {
	for step := present - totpSkew; step <= present+totpSkew; step++ {
		right, err := d.password(step)
		if err == nil && subtle.ConstantTimeCompare([]byte(right), []byte(password)) == 1 {
			found = step
		}
	}
	return found
}

// ApproveTOTP answers with the device's one-time password instead. Three wrong
// ones in a row, for whatever requests, block the device.
func (s *Phones) ApproveTOTP(ctx context.Context, id, password string) (*Request, error) {
	if !s.settings.Policies(nil, nil).DoorTOTP {
		return nil, problem.DoorClosed.With("door", "door-totp")
	}
	return s.answer(
		ctx,
		func(tx store.Tx) (r *Request, verdict, err error) { return s.approveTOTPIn(tx, id, password) },
	)
}

func (s *Phones) approveTOTPIn(tx store.Tx, id, password string) (r *Request, verdict, err error) {
	r, d, err := s.onPhone(tx, id)
	if err == nil && d.Blocked() {
		err = blocked(r.NationalID)
	}
	if err != nil {
		return nil, nil, err
	}
	before := *d
	switch verdict = d.judgeTOTP(password, s.clock.Now()); {
	case verdict == nil:
		err = s.settleIn(tx, r, Approved)
	case d.WrongTOTPs > before.WrongTOTPs:
		err = s.wrongTOTP(tx, r, d)
	}
	if err == nil {
		err = d.keep(tx, before)
	}
	return r, verdict, err
}

// wrongTOTP counts a wrong password on the request too, which ends with three of
// its own or with the device.
func (s *Phones) wrongTOTP(tx store.Tx, r *Request, d *Device) error {
	r.WrongTOTPs++
	if d.Blocked() || r.WrongTOTPs >= MaxWrongTOTPs {
		return s.settleIn(tx, r, WrongTOTP)
	}
	return requests.Put(tx, r.ID, *r, r.kept())
}
