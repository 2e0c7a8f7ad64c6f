package cards

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// DefaultPIN is the code porteur of a card issued without one.
const DefaultPIN = "1234"

// Request asks for a card: a person's, or a carte de service of a structure. With
// Holders or Kit it asks for several, each of which has what else it says.
type Request struct {
	NationalID string `json:"national_id"`
	Type       Type   `json:"type"` // "" is the one that goes with the person
	PIN        string `json:"pin"`  // "" is DefaultPIN
	State      State  `json:"-"`    // it is in from the start; "" is Active
	Reason     string `json:"-"`    // of an opposed one
	Production bool   `json:"production"`

	// A carte de service is a CPE that names no person: Service is the
	// structure's name, Structure its SIRET (14 digits) or FINESS (9).
	Service   string `json:"service"`
	Structure string `json:"structure"`

	// Holders are people who are kept in the same transaction: a card each.
	Holders []identities.Identity `json:"-"`
	// Kit is an offer of test cards, whose holders are made with them.
	Kit *Kit `json:"-"`
}

// Issue makes the cards of a request, all of them or none.
func (k *Cards) Issue(ctx context.Context, r Request) (made []Card, err error) {
	err = k.store.Update(ctx, func(tx store.Tx) error {
		made, err = k.IssueIn(tx, r)
		return err
	})
	return made, err
}

// IssueIn makes the cards of a request, in its order: at least one, unless it
// fails.
func (k *Cards) IssueIn(tx store.Tx, r Request) ([]Card, error) {
	all, err := k.apart(tx, r)
	if err != nil {
		return nil, err
	}
	made := make([]Card, 0, len(all))
	for _, one := range all {
		c, err := k.newCard(one.holder, one.Request)
		if err == nil {
			err = place(tx, &c)
		}
		if err != nil {
			return nil, err
		}
		made = append(made, c)
	}
	return made, nil
}

// EquipIn gives people who are kept in the same transaction the card that goes
// with each.
func (k *Cards) EquipIn(tx store.Tx, people []identities.Identity) error {
	if len(people) == 0 {
		return nil
	}
	_, err := k.IssueIn(tx, Request{Holders: people})
	return err
}

// single asks for the card of one holder.
type single struct {
	holder *identities.Identity
	Request
}

// apart takes a request apart into those for one card.
func (k *Cards) apart(tx store.Tx, r Request) (all []single, err error) {
	switch {
	case r.Kit != nil:
		return k.admitIn(tx, r.Kit)
	case r.Holders != nil:
		for n := range r.Holders {
			all = append(all, single{&r.Holders[n], r})
		}
		return all, nil
	case r.Service != "" || r.Structure != "":
		holder, err := serviceHolder(r)
		r.Type = CPE
		return []single{{holder, r}}, err
	}
	person, err := k.people.ReadIn(tx, r.NationalID)
	return []single{{person, r}}, err
}

// serviceHolder is whom a carte de service names: a number of the structure's.
func serviceHolder(r Request) (*identities.Identity, error) {
	prefix := map[int]string{14: "5", 9: "3"}[len(r.Structure)]
	if prefix == "" || !nomenclature.Luhn(r.Structure) {
		return nil, problem.StructureNumber.Got(r.Structure)
	}
	if strings.TrimSpace(r.Service) == "" {
		return nil, problem.StructureNameMissing.Of()
	}
	inner := digits("", 9)
	return &identities.Identity{NationalID: prefix + r.Structure + "/" + inner, FamilyName: "EMPLOYE" + inner}, nil
}

// newCard makes the card of a holder; nothing is kept yet.
func (k *Cards) newCard(holder *identities.Identity, r Request) (Card, error) {
	if r.Type == "" {
		r.Type = TypeOf(holder)
	}
	family, err := FamilyNamed(r.Type)
	if err != nil {
		return Card{}, err
	}
	if r.Type == CPF && (!holder.Student() || identities.OrdreOf(holder.Profession()) == "") {
		return Card{}, problem.CardCPFNotStudent.With("profession", holder.Profession())
	}
	c := k.blank(holder, family)
	return c, c.shape(r)
}

// blank is a person's active card with DefaultPIN.
func (k *Cards) blank(i *identities.Identity, t Family) Card {
	now := k.clock.Now()
	return Card{
		Serial:     digits("9"+t.Product[1:], 8),
		Type:       t.Name,
		State:      Active,
		NationalID: i.NationalID,
		Holder:     i.Name(),
		PIN:        DefaultPIN,
		PUK:        digits("", 8),
		IssuedAt:   now,
		ExpiresAt:  now.AddDate(3, 0, 0),
	}
}

// shape gives a new card what was asked for.
func (c *Card) shape(r Request) error {
	c.Production, c.Service = r.Production, r.Service
	if r.PIN != "" {
		c.PIN = r.PIN
	}
	if err := checkPIN(c.PIN); err != nil {
		return err
	}
	switch r.State {
	case "", Active:
	case Sent:
		c.State = Sent
	case Expired:
		c.IssuedAt, c.ExpiresAt = c.IssuedAt.AddDate(-3, 0, -1), c.IssuedAt.AddDate(0, 0, -1)
	case Blocked:
		c.State, c.WrongPINs = Blocked, MaxWrongPINs
	case Opposed:
		c.State, c.Reason = Opposed, cmp.Or(r.Reason, defaultReason)
	default:
		return problem.CardState.Got(string(r.State))
	}
	return nil
}

func checkPIN(pin string) error {
	if len(pin) != 4 || strings.Trim(pin, "0123456789") != "" {
		return problem.PINForm.With("count", len(pin))
	}
	return nil
}

// Renew makes a card that takes this one's place: same holder and family, a
// validity of its own. The old one is out of use from now on.
func (k *Cards) Renew(ctx context.Context, serial string) (c *Card, err error) {
	err = k.store.Update(ctx, func(tx store.Tx) error {
		c, err = k.RenewIn(tx, serial)
		return err
	})
	return c, err
}

// RenewIn makes a card that takes this one's place.
func (k *Cards) RenewIn(tx store.Tx, serial string) (*Card, error) {
	old, err := k.GetIn(tx, serial)
	if err != nil {
		return nil, err
	}
	if old.Foreign || old.State == Opposed {
		return nil, problem.CardNotRenewable.Got(string(old.State))
	}
	now := k.clock.Now()
	c := *old
	c.Serial, c.State, c.Certificate, c.Signature = digits(serial[:2], 8), Active, "", ""
	c.WrongPINs, c.WrongPUKs, c.PUK = 0, 0, digits("", 8)
	c.IssuedAt, c.ExpiresAt, c.Replaces = now, now.AddDate(3, 0, 0), serial
	if err := place(tx, &c); err != nil {
		return nil, err
	}
	return &c, k.OpposeIn(tx, serial, "renouvelée par "+c.Serial)
}

// held lists the serials of each person's cards, oldest first.
var held = store.Collection[[]string]("cards-held")

// place keeps a new card under a number that is free.
func place(tx store.Tx, c *Card) error {
	for {
		_, err := Collection.Get(tx, c.Serial)
		if errors.Is(err, store.ErrNotFound) {
			return keep(tx, *c)
		}
		if err != nil {
			return err
		}
		c.Serial = digits(c.Serial[:2], 8)
	}
}

// keep writes a card, and notes it with its holder.
func keep(tx store.Tx, c Card) error {
	serials, err := held.Maybe(tx, c.NationalID)
	if err != nil {
		return err
	}
	if !slices.Contains(serials, c.Serial) {
		if err := held.Put(tx, c.NationalID, append(serials, c.Serial), store.Forever); err != nil {
			return err
		}
	}
	return Collection.Put(tx, c.Serial, c, store.Forever)
}

// Index notes every card with its holder: data folders from before the index
// need it once.
func (k *Cards) Index(ctx context.Context) error {
	return Collection.Walk(ctx, k.store, "", func(serial string, _ Card) error {
		return k.store.Update(ctx, func(tx store.Tx) error {
			c, err := Collection.Get(tx, serial)
			if errors.Is(err, store.ErrNotFound) {
				return nil // taken away meanwhile
			}
			if err != nil {
				return err
			}
			return keep(tx, c)
		})
	})
}
