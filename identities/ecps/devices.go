package ecps

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"pscemu/identities"
	"pscemu/problem"
	"pscemu/store"
)

// Device is a person's activated e-CPS. A new activation replaces it.
type Device struct {
	ID           string    `json:"id"`
	NationalID   string    `json:"national_id"`
	Code         string    `json:"code,omitempty"`        // 4 digits, chosen at activation
	TOTPSecret   string    `json:"totp_secret,omitempty"` // base32, approves without the page
	Key          []byte    `json:"key,omitempty"`         // public key (SPKI, P-256) of the device; none when the console holds it
	By           string    `json:"by"`                    // how it was activated: console, card, contact
	WrongCodes   int       `json:"wrong_codes"`           // in a row; three block the device
	WrongNumbers int       `json:"wrong_numbers"`         // in a row; three block the device
	ActivatedAt  time.Time `json:"activated_at"`
	Ended        string    `json:"ended,omitempty"` // why it is no longer: replaced, lost, deleted
	EndedAt      time.Time `json:"ended_at,omitzero"`
}

// Tries in a row that block a device.
const (
	MaxWrongCodes   = 3
	MaxWrongNumbers = 3
)

// Blocked tells whether wrong codes or numbers have blocked the device.
func (d *Device) Blocked() bool {
	return d.WrongCodes >= MaxWrongCodes || d.WrongNumbers >= MaxWrongNumbers
}

func blocked(id string) error {
	return problem.New(problem.Forbidden, "ecps-blocked", "Cette e-CPS est bloquée après trois erreurs").Got(id).Do("réactivez l'e-CPS")
}

var (
	devices = store.Collection[Device]("ecps-devices")
	past    = store.Collection[[]Device]("ecps-devices-past") // by person, newest first, without secrets
)

// pastKept is how many former devices of a person are remembered.
const pastKept = 10

var fourDigits = regexp.MustCompile(`^\d{4}$`)

func checkForm(code string) error {
	if fourDigits.MatchString(code) {
		return nil
	}
	return problem.New(problem.Invalid, "ecps-code-form", "Le code e-CPS n'a pas la bonne forme").Got(fmt.Sprintf("%d caractères", len(code))).Want("4 chiffres")
}

// Activate gives the person a new device with this code at once, held by the
// console; it replaces the old.
func (s *Service) Activate(ctx context.Context, nationalID, code string) (*Device, error) {
	if err := checkForm(code); err != nil {
		return nil, err
	}
	if _, err := s.people.Get(ctx, nationalID); err != nil {
		return nil, err
	}
	d, err := s.newDevice(nationalID, code, "console")
	if err != nil {
		return nil, err
	}
	return &d, s.store.Update(ctx, func(tx store.Tx) error { return s.put(tx, d) })
}

func (s *Service) newDevice(nationalID, code, by string) (Device, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "pscemu", AccountName: nationalID})
	if err != nil {
		return Device{}, err
	}
	return Device{ID: rand.Text(), NationalID: nationalID, Code: code, TOTPSecret: key.Secret(), By: by, ActivatedAt: s.clock.Now()}, nil
}

// ActivateAll gives each person a device with this code in one transaction.
func (s *Service) ActivateAll(ctx context.Context, people []identities.Identity, code string) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		for _, i := range people {
			d, err := s.newDevice(i.NationalID, code, "console")
			if err == nil {
				err = s.put(tx, d)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// put makes a device the person's; the former one becomes history.
func (s *Service) put(tx store.Tx, d Device) error {
	if err := s.end(tx, d.NationalID, "replaced"); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return devices.Put(tx, d.NationalID, d, store.Forever)
}

// end takes the person's device away and remembers why.
func (s *Service) end(tx store.Tx, nationalID, why string) error {
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
	return errors.Join(past.Put(tx, nationalID, former[:min(len(former), pastKept)], store.Forever), devices.Delete(tx, nationalID))
}

// Device finds the person's device.
func (s *Service) Device(ctx context.Context, nationalID string) (*Device, error) {
	d, err := devices.Load(ctx, s.store, nationalID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(nationalID)
	}
	return &d, err
}

// Former lists the devices a person had before, newest first.
func (s *Service) Former(ctx context.Context, nationalID string) ([]Device, error) {
	list, err := past.LoadMaybe(ctx, s.store, nationalID)
	return append([]Device{}, list...), err
}

// Reasons why a device can end by the person's wish.
var reasons = []string{"deleted", "lost"}

// Remove ends the person's device: why is deleted or lost.
func (s *Service) Remove(ctx context.Context, nationalID, why string) error {
	if why == "" {
		why = reasons[0]
	}
	if why != reasons[0] && why != reasons[1] {
		return problem.New(problem.Invalid, "ecps-reason-unknown", "no such reason").Got(why).Want(strings.Join(reasons, " or "))
	}
	return s.store.Update(ctx, func(tx store.Tx) error {
		err := s.end(tx, nationalID, why)
		if errors.Is(err, store.ErrNotFound) {
			return unknown(nationalID)
		}
		return err
	})
}

// CurrentTOTP is the one-time password of this moment.
func (s *Service) CurrentTOTP(ctx context.Context, nationalID string) (string, error) {
	d, err := s.Device(ctx, nationalID)
	if err != nil {
		return "", err
	}
	return totp.GenerateCode(d.TOTPSecret, s.clock.Now())
}

// changeDevice reads, changes and writes a device. verdict is an answer that is
// given after the change was kept.
func (s *Service) changeDevice(ctx context.Context, nationalID string, fn func(*Device) (verdict, err error)) error {
	var verdict error
	err := s.store.Update(ctx, func(tx store.Tx) error {
		d, err := devices.Get(tx, nationalID)
		if err != nil {
			return unknown(nationalID)
		}
		before := d
		if verdict, err = fn(&d); err != nil || before.WrongCodes == d.WrongCodes && before.WrongNumbers == d.WrongNumbers {
			return err
		}
		return devices.Put(tx, nationalID, d, store.Forever)
	})
	return errors.Join(err, verdict)
}

// checkCode counts wrong codes in the store, so that neither a restart nor a
// parallel try resets them.
func (s *Service) checkCode(ctx context.Context, nationalID, code string) error {
	return s.changeDevice(ctx, nationalID, func(d *Device) (error, error) {
		if d.Blocked() {
			return nil, blocked(nationalID)
		}
		if subtle.ConstantTimeCompare([]byte(d.Code), []byte(code)) == 1 {
			d.WrongCodes = 0
			return nil, nil
		}
		d.WrongCodes++
		return problem.New(problem.Forbidden, "ecps-code-wrong", "Code e-CPS erroné").Do(fmt.Sprintf("il reste %d essai(s)", MaxWrongCodes-d.WrongCodes)), nil
	})
}

// pickedNumber counts wrong numbers likewise.
func (s *Service) pickedNumber(ctx context.Context, nationalID string, right bool) error {
	return s.changeDevice(ctx, nationalID, func(d *Device) (error, error) {
		d.WrongNumbers++
		if right {
			d.WrongNumbers = 0
		}
		return nil, nil
	})
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
		return nil, problem.New(problem.Invalid, "ecps-key-invalid", "the device's key cannot be used").Want("a public key ECDSA P-256 (SPKI, base64)")
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
func (s *Service) proves(d *Device, request, answer, number, signature string) error {
	if d.Key == nil {
		if s.settings.Policies(nil, nil).PhoneKey == "required" {
			return problem.New(problem.Forbidden, "ecps-key-missing", "Cette e-CPS n'a pas de clé : elle est tenue par la console").Want("une e-CPS activée sur un téléphone (policy phone-key=required)").Do("activez-la sur le portail")
		}
		return nil
	}
	refusal := problem.New(problem.Forbidden, "ecps-signature-wrong", "Cette réponse ne vient pas du téléphone de la personne").Want("la signature de la clé faite à l'activation").Do("répondez dans le navigateur où l'e-CPS a été activée")
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
