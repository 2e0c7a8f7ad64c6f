package ecps

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"time"

	"github.com/pquerna/otp/totp"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Device is a person's activated e-CPS. A new activation replaces it.
type Device struct {
	ID           string    `json:"id"`
	NationalID   string    `json:"national_id"`
	Code         string    `json:"code,omitempty"`        // 4 digits, chosen at activation
	TOTPSecret   string    `json:"totp_secret,omitempty"` // base32, approves without the page
	Key          []byte    `json:"key,omitempty"`         // public key (SPKI, P-256); none: the console holds it
	By           Way       `json:"by"`                    // how it was activated
	WrongCodes   int       `json:"wrong_codes"`           // in a row; three block the device
	WrongNumbers int       `json:"wrong_numbers"`         // in a row; three block the device
	WrongTOTPs   int       `json:"wrong_totps"`           // in a row; three block the device
	LastTOTP     int64     `json:"last_totp,omitempty"`   // time step of the one-time password that served last
	ActivatedAt  time.Time `json:"activated_at"`
	Ended        string    `json:"ended,omitempty"` // why it is no longer: replaced, lost, deleted
	EndedAt      time.Time `json:"ended_at,omitzero"`
}

// Tries in a row that block a device.
const (
	MaxWrongCodes   = 3
	MaxWrongNumbers = 3
	MaxWrongTOTPs   = 3
)

// Blocked tells whether wrong codes, numbers or one-time passwords have blocked
// the device.
func (d *Device) Blocked() bool {
	return d.WrongCodes >= MaxWrongCodes || d.WrongNumbers >= MaxWrongNumbers || d.WrongTOTPs >= MaxWrongTOTPs
}

func blocked(id string) error {
	return problem.ECPSBlocked.Got(id)
}

var (
	devices = store.Collection[Device]("ecps-devices")
	past    = store.Collection[[]Device]("ecps-devices-past") // by person, newest first, without secrets
)

// pastKept is how many former devices of a person are remembered.
const pastKept = 50

var fourDigits = regexp.MustCompile(`^\d{4}$`)

func checkForm(code string) error {
	if fourDigits.MatchString(code) {
		return nil
	}
	return problem.ECPSCodeForm.With("count", len(code))
}

// Activate gives the person a new device with this code at once, held by the
// console; it replaces the old.
func (s *Phones) Activate(ctx context.Context, nationalID, code string) (d *Device, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) (err error) {
		d, err = s.ActivateIn(tx, nationalID, code)
		return err
	})
	return d, err
}

// ActivateIn is Activate within a transaction.
func (s *Phones) ActivateIn(tx store.Tx, nationalID, code string) (*Device, error) {
	if err := checkForm(code); err != nil {
		return nil, err
	}
	if _, err := s.people.ReadIn(tx, nationalID); err != nil {
		return nil, err
	}
	d, err := s.newDevice(nationalID, code, ByConsole)
	if err != nil {
		return nil, err
	}
	return &d, s.put(tx, d)
}

func (s *Phones) newDevice(nationalID, code string, by Way) (Device, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "pscemu", AccountName: nationalID})
	if err != nil {
		return Device{}, err
	}
	return Device{
		ID:          rand.Text(),
		NationalID:  nationalID,
		Code:        code,
		TOTPSecret:  key.Secret(),
		By:          by,
		ActivatedAt: s.clock.Now(),
	}, nil
}

// ActivateAll gives each person a device with this code in one transaction.
func (s *Phones) ActivateAll(ctx context.Context, people []identities.Identity, code string) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return s.ActivateAllIn(tx, people, code) })
}

// ActivateAllIn is ActivateAll within a transaction; the people are there.
func (s *Phones) ActivateAllIn(tx store.Tx, people []identities.Identity, code string) error {
	if err := checkForm(code); err != nil {
		return err
	}
	for n := range people {
		d, err := s.newDevice(people[n].NationalID, code, ByConsole)
		if err == nil {
			err = s.put(tx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// put makes a device the person's; the former one becomes history.
func (s *Phones) put(tx store.Tx, d Device) error {
	if err := s.end(tx, d.NationalID, "replaced"); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return devices.Put(tx, d.NationalID, d, store.Forever)
}

// end takes the person's device away and remembers why. It answers nothing any
// more by itself.
func (s *Phones) end(tx store.Tx, nationalID, why string) error {
	d, err := devices.Get(tx, nationalID)
	if err != nil {
		return err
	}
	former, err := past.Maybe(tx, nationalID)
	if err != nil {
		return err
	}
	d.Code, d.TOTPSecret, d.Ended, d.EndedAt = "", "", why, s.clock.Now()
	former = append([]Device{d}, former...)
	former = former[:min(len(former), pastKept)]
	return errors.Join(s.silence(tx, nationalID), past.Put(tx, nationalID, former, store.Forever),
		devices.Delete(tx, nationalID))
}

// Device finds the person's device.
func (s *Phones) Device(ctx context.Context, nationalID string) (d *Device, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		d, err = s.DeviceIn(tx, nationalID)
		return err
	})
	return d, err
}

// DeviceIn finds the person's device within a transaction.
func (s *Phones) DeviceIn(tx store.Tx, nationalID string) (*Device, error) {
	d, err := devices.Get(tx, nationalID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(nationalID)
	}
	return &d, err
}

// Former lists the devices a person had before, newest first.
func (s *Phones) Former(ctx context.Context, nationalID string) ([]Device, error) {
	list, err := past.LoadMaybe(ctx, s.store, nationalID)
	return append([]Device{}, list...), err
}

// Reasons why a device can end by the person's wish.
var reasons = []string{"deleted", "lost"}

// Remove ends the person's device: why is deleted or lost.
func (s *Phones) Remove(ctx context.Context, nationalID, why string) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return s.RemoveIn(tx, nationalID, why) })
}

// RemoveIn is Remove within a transaction.
func (s *Phones) RemoveIn(tx store.Tx, nationalID, why string) error {
	why = cmp.Or(why, reasons[0])
	if !slices.Contains(reasons, why) {
		return problem.ECPSReasonUnknown.With("accepted", problem.Or(reasons)).Got(why)
	}
	err := s.end(tx, nationalID, why)
	if errors.Is(err, store.ErrNotFound) {
		return unknown(nationalID)
	}
	return err
}

// judgeCode compares the e-CPS code and counts wrong ones, in a row; the caller
// keeps the device.
func (d *Device) judgeCode(code string) error {
	if subtle.ConstantTimeCompare([]byte(d.Code), []byte(code)) == 1 {
		d.WrongCodes = 0
		return nil
	}
	d.WrongCodes++
	return problem.ECPSCodeWrong.With("left", MaxWrongCodes-d.WrongCodes)
}

// judgeNumber compares the number picked and counts wrong ones, likewise.
func (d *Device) judgeNumber(picked, shown string) State {
	if picked == shown {
		d.WrongNumbers = 0
		return Approved
	}
	d.WrongNumbers++
	return WrongNumber
}

// keep writes a device whose counters were judged, if they have changed.
func (d *Device) keep(tx store.Tx, before Device) error {
	if d.WrongCodes == before.WrongCodes && d.WrongNumbers == before.WrongNumbers &&
		d.WrongTOTPs == before.WrongTOTPs && d.LastTOTP == before.LastTOTP {
		return nil
	}
	return devices.Put(tx, d.NationalID, *d, store.Forever)
}

// ParseKey reads a device's public key: SPKI in base64, ECDSA P-256, as
// WebCrypto exports it.
func ParseKey(encoded string) ([]byte, error) {
	der, err := base64.StdEncoding.DecodeString(encoded)
	var key any
	if err == nil {
		key, err = x509.ParsePKIXPublicKey(der)
	}
	if ec, ok := key.(*ecdsa.PublicKey); err != nil || !ok || ec.Curve != elliptic.P256() {
		return nil, problem.ECPSKeyInvalid.Of()
	}
	return der, nil
}

// Signed is what a device signs: the request, its answer (approve or refuse)
// and the number picked.
func Signed(request, answer, number string) []byte {
	return []byte("pscemu e-CPS\n" + request + "\n" + answer + "\n" + number)
}

// proves wants the signature of the device's key (ECDSA P-256, SHA-256, r and
// s of 32 bytes in base64) where the device has one. A device that the console
// holds has none; policy phone-key=required refuses it.
func (s *Phones) proves(d *Device, request, answer, number, signature string) error {
	if d.Key == nil {
		if s.settings.Policies(nil, nil).PhoneKey == "required" {
			return problem.ECPSKeyMissing.Of()
		}
		return nil
	}
	refusal := problem.ECPSSignatureWrong.Of()
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(raw) != 64 {
		return refusal
	}
	key, err := x509.ParsePKIXPublicKey(d.Key)
	if err != nil {
		return err
	}
	ec, ok := key.(*ecdsa.PublicKey)
	hash := sha256.Sum256(Signed(request, answer, number))
	if !ok || !ecdsa.Verify(ec, hash[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
		return refusal
	}
	return nil
}
