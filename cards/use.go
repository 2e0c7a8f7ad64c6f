package cards

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// changeIn reads, changes and writes a card.
func (k *Cards) changeIn(tx store.Tx, serial string, fn func(*Card) error) (*Card, error) {
	c, err := find(tx, serial)
	if err == nil {
		err = fn(c)
	}
	if err != nil {
		return nil, err
	}
	return c, Collection.Put(tx, serial, *c, store.Forever)
}

// change is changeIn in a transaction of its own.
func (k *Cards) change(ctx context.Context, serial string, fn func(*Card) error) error {
	return k.store.Update(ctx, func(tx store.Tx) error {
		_, err := k.changeIn(tx, serial, fn)
		return err
	})
}

// ReceiveIn is the arrival of a card; one that is in use already stays so.
func (k *Cards) ReceiveIn(tx store.Tx, serial string) error {
	_, err := k.changeIn(tx, serial, func(c *Card) error {
		if c.State == Sent {
			c.State = Active
		}
		return nil
	})
	return err
}

// NewCodeIn gives a card a new code porteur, which the holder is sent.
func (k *Cards) NewCodeIn(tx store.Tx, serial string) (*Card, error) {
	return k.changeIn(tx, serial, func(c *Card) error {
		if c.State == Opposed {
			return problem.CardOpposed.Case("new-code-in").Got(c.Reason)
		}
		c.PIN, c.WrongPINs = digits("", 4), 0
		if c.State == Blocked {
			c.State = Active
		}
		return nil
	})
}

// SetAddressIn keeps where a card's holder is written to.
func (k *Cards) SetAddressIn(tx store.Tx, serial, address string) error {
	_, err := k.changeIn(tx, serial, func(c *Card) error { c.Address = address; return nil })
	return err
}

const defaultReason = "perte ou vol"

// Oppose puts a card out of use for good and revokes its certificates.
func (k *Cards) Oppose(ctx context.Context, serial, reason string) error {
	return k.store.Update(ctx, func(tx store.Tx) error { return k.OpposeIn(tx, serial, reason) })
}

// OpposeIn puts a card out of use for good and revokes its certificates.
func (k *Cards) OpposeIn(tx store.Tx, serial, reason string) error {
	if reason == "" {
		reason = defaultReason
	}
	c, err := k.changeIn(tx, serial, func(c *Card) error { c.State, c.Reason = Opposed, reason; return nil })
	if err != nil {
		return err
	}
	for _, certificate := range []string{c.Certificate, c.Signature} {
		if certificate == "" {
			continue
		}
		if err := k.pki.RevokeIn(tx, certificate); err != nil {
			return err
		}
	}
	return nil
}

// Unblock lets a card that wrong codes blocked be used again, with authority.
func (k *Cards) Unblock(ctx context.Context, serial string) error {
	return k.change(ctx, serial, func(c *Card) error { return c.unblock("") })
}

// UnblockBy is the holder's way: the unblocking code, and a new code porteur.
// Three wrong ones in a row leave the card blocked for good.
func (k *Cards) UnblockBy(ctx context.Context, serial, puk, pin string) error {
	if err := checkPIN(pin); err != nil {
		return err
	}
	var verdict error
	err := k.change(ctx, serial, func(c *Card) (err error) {
		verdict, err = c.unblockBy(puk, pin)
		return err
	})
	return errors.Join(err, verdict)
}

// unblockBy judges an unblocking code. verdict is the answer to a wrong one,
// which is given once it was counted.
func (c *Card) unblockBy(puk, pin string) (verdict, err error) {
	switch {
	case c.WrongPUKs >= MaxWrongPUKs:
		return nil, problem.CardDead.Of()
	case subtle.ConstantTimeCompare([]byte(c.PUK), []byte(puk)) == 1 && c.PUK != "":
		return nil, c.unblock(pin)
	}
	c.WrongPUKs++
	return problem.PUKWrong.With("left", MaxWrongPUKs-c.WrongPUKs), nil
}

func (c *Card) unblock(pin string) error {
	if c.State != Blocked {
		return problem.CardNotBlocked.Got(string(c.State))
	}
	c.State, c.WrongPINs, c.WrongPUKs = Active, 0, 0
	if pin != "" {
		c.PIN = pin
	}
	return nil
}

// PresentPIN is the reader's way: the card and its code porteur. Wrong tries
// are counted in the store before the answer is given.
func (k *Cards) PresentPIN(ctx context.Context, serial, pin string) (c *Card, err error) {
	var verdict error
	err = k.store.Update(ctx, func(tx store.Tx) (err error) {
		c, verdict, err = k.PresentPINIn(tx, serial, pin)
		return err
	})
	if err == nil {
		err = verdict
	}
	return c, err
}

// PresentPINIn is PresentPIN within a transaction. The verdict is a wrong code,
// which was counted; it is given after the commit.
func (k *Cards) PresentPINIn(tx store.Tx, serial, pin string) (c *Card, verdict, err error) {
	c, err = k.changeIn(tx, serial, func(c *Card) error {
		if err := k.Usable(c); err != nil {
			return err
		}
		verdict = c.try(pin)
		return nil
	})
	return c, verdict, err
}

// try judges a code porteur and counts wrong ones.
func (c *Card) try(pin string) error {
	if subtle.ConstantTimeCompare([]byte(c.PIN), []byte(pin)) == 1 {
		c.WrongPINs = 0
		return nil
	}
	c.WrongPINs++
	if left := MaxWrongPINs - c.WrongPINs; left > 0 {
		return problem.PINWrong.With("left", left)
	}
	c.State = Blocked
	return problem.CardBlocked.Case("now")
}

// PresentCertificate is the browser's way: a certificate the TLS handshake
// proved and the PKI accepted. The person is derived from it when unknown.
func (k *Cards) PresentCertificate(ctx context.Context, id *pki.CardIdentity) (c *Card, err error) {
	if !id.Foreign && id.CardSerial != "" {
		if c, err = k.Get(ctx, id.CardSerial); err != nil {
			return nil, err
		}
		if c.NationalID != id.NationalID {
			return nil, problem.CardMismatch.With("national_id", c.NationalID).Got(id.NationalID)
		}
		return c, k.Usable(c)
	}
	err = k.store.Update(ctx, func(tx store.Tx) error {
		c, err = k.seenIn(tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, k.Usable(c)
}

// seenIn keeps a card that was not issued here, with its holder, when it is
// seen for the first time.
func (k *Cards) seenIn(tx store.Tx, id *pki.CardIdentity) (*Card, error) {
	if err := k.deriveIn(tx, id); err != nil {
		return nil, err
	}
	known, err := k.GetIn(tx, id.Serial)
	if !problem.Is(err, problem.CardUnknown) {
		return known, err
	}
	now := k.clock.Now()
	c := Card{Serial: id.Serial, Type: derivedType(id), State: Active, NationalID: id.NationalID,
		Holder: id.GivenName + " " + id.FamilyName, IssuedAt: now, ExpiresAt: now.AddDate(3, 0, 0), Foreign: true}
	return &c, keep(tx, c)
}

func derivedType(id *pki.CardIdentity) Type {
	for _, t := range Families {
		if t.Product == id.Product && t.Level == strings.Trim(id.Level, "\x00") {
			return t.Name
		}
	}
	if strings.Contains(id.NationalID, "/") {
		return CPE
	}
	return CPS
}

// deriveIn makes the account of a person whom only their card names so far.
func (k *Cards) deriveIn(tx store.Tx, id *pki.CardIdentity) error {
	_, err := k.people.ReadIn(tx, id.NationalID)
	if !problem.Is(err, problem.IdentityUnknown) {
		return err
	}
	person := &identities.Identity{
		NationalID: id.NationalID,
		FamilyName: id.FamilyName,
		GivenName:  id.GivenName,
		Behaviour: identities.Behaviour{
			Action: identities.Ask,
		},
		Notes: "compte créé à partir de la carte",
		Tags:  []string{"carte"},
	}
	e := identities.Exercise{Profession: id.Profession, FamilyName: id.FamilyName, GivenName: id.GivenName}
	if id.StructureID != "" {
		e.Activities = []identities.Activity{{CorporateName: id.Structure, FormerStructureID: id.StructureID}}
	}
	if e.Profession != "" || len(e.Activities) > 0 {
		person.Exercises = []identities.Exercise{e}
	}
	if err := person.CheckCodes(); err != nil {
		person.AllowInvalid = "as the card says: " + problem.From(err).Reason
	}
	return k.people.DeriveIn(tx, person)
}
