package orders

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// dossier is an order with everything a rule may look at.
type dossier struct {
	desk      *Desk
	order     *Order
	form      *Form
	actor     *Actor
	structure *Structure           // the order's, perhaps new
	person    *identities.Identity // the field identity's, nil when they are to be made
}

// open gathers the dossier.
func (d *Desk) open(tx store.Tx, o *Order) (*dossier, error) {
	form, actor, err := o.parties()
	if err != nil {
		return nil, err
	}
	f := &dossier{desk: d, order: o, form: form, actor: actor}
	o.Structure = cmp.Or(o.Fields["siret"], o.Fields["finess"], o.Fields["siren"])
	if o.Structure == "" && o.Fields["carte"] != "" {
		// What is done to a card is done in the structure it was ordered for.
		if o.Structure, err = structureOf.Maybe(tx, o.Fields["carte"]); err != nil {
			return nil, err
		}
	}
	if f.structure, err = structureFor(tx, o.Structure, actor.ID); err != nil {
		return nil, err
	}
	if id := o.Fields["identity"]; id != "" {
		if f.person, err = d.people.GetIn(tx, id); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// missing names the required fields that are empty.
func (f *dossier) missing() (out []string) {
	for _, field := range f.form.Fields {
		if field.Required && f.order.Fields[field.Name] == "" {
			out = append(out, field.Name)
		}
	}
	return out
}

// judge finds the first rule that the order breaks, nil for none.
func (f *dossier) judge(tx store.Tx) (*Need, error) {
	for _, need := range f.form.Needs {
		good, err := checks[need.Check](tx, f, need.Arg)
		if err != nil {
			return nil, err
		}
		if !good {
			if need.Say == "" {
				need.Say = said[need.Check]
			}
			return &need, nil
		}
	}
	return nil, nil
}

// said is what checks say that are the same in every form.
var said = map[string]string{
	"structure": "un numéro de la structure est demandé : SIRET ou FINESS",
	"person":    "il faut l'identifiant de la personne, ou son nom et son prénom",
}

// check answers whether an order keeps a rule.
type check func(tx store.Tx, f *dossier, arg string) (bool, error)

// simple makes a check of what needs neither argument nor store.
func simple(fn func(f *dossier) bool) check {
	return func(_ store.Tx, f *dossier, _ string) (bool, error) { return fn(f), nil }
}

// checks are the rules that forms name.
var checks = map[string]check{
	"structure":      simple(func(f *dossier) bool { return f.order.Structure != "" }),
	"service-is-cpe": simple(func(f *dossier) bool { return !f.yes("service") || f.staffCard() == cards.CPE }),
	"person": simple(func(f *dossier) bool {
		return f.yes("service") || f.person != nil || f.order.Fields["nom"] != "" && f.order.Fields["prenom"] != ""
	}),
	"contract":          simple(func(f *dossier) bool { return f.yes("contrat") }),
	"contract-known":    simple(func(f *dossier) bool { return f.structure.Contract }),
	"contract-or-known": simple(func(f *dossier) bool { return f.structure.Contract || f.yes("contrat") }),
	"cgu":               simple(func(f *dossier) bool { return f.yes("cgu") }),
	"billing-number": simple(
		func(f *dossier) bool { return !f.yes("facturation") || f.order.Fields["numero_facturation"] != "" },
	),
	"salaried":         simple(func(f *dossier) bool { return f.person.MainActivity().Mode == "S" }),
	"no-student":       simple(func(f *dossier) bool { return !f.person.Student() }),
	"not-professional": simple(func(f *dossier) bool { return f.person == nil || f.person.Profession() == "" }),
	"represents": simple(
		func(f *dossier) bool { return f.order.By != "" && f.structure.Representative == f.order.By },
	),
	"acts-for":    func(tx store.Tx, f *dossier, _ string) (bool, error) { return f.mayAct(tx) },
	"some-number": simple(func(f *dossier) bool { return f.order.Structure != "" }),
	"some-card": simple(
		func(f *dossier) bool { return f.order.Fields["kit"] != "" || f.order.Fields["profession"] != "" },
	),
	"address-given": simple(func(f *dossier) bool {
		return f.order.Fields["incident"] != "changement d'adresse" || f.order.Fields["adresse"] != ""
	}),
	"profession": func(_ store.Tx, f *dossier, codes string) (bool, error) {
		return slices.Contains(strings.Fields(codes), f.person.Profession()), nil
	},
	"requester-card": func(tx store.Tx, f *dossier, _ string) (bool, error) { return f.desk.hasCard(tx, f.order.By) },
	"cards-of": func(tx store.Tx, f *dossier, field string) (bool, error) {
		for _, id := range strings.Fields(f.order.Fields[field]) {
			if has, err := f.desk.hasCard(tx, id); err != nil || !has {
				return has, err
			}
		}
		return true, nil
	},
	"cpa-needs-head": func(tx store.Tx, f *dossier, _ string) (bool, error) {
		if f.staffCard() != cards.CPA {
			return true, nil
		}
		return f.desk.holds(tx, f.structure.Representative, cards.CDA)
	},
	"own-card": func(tx store.Tx, f *dossier, _ string) (bool, error) {
		card, err := f.desk.cards.GetIn(tx, f.order.Fields["carte"])
		if err != nil {
			return false, err
		}
		if card.NationalID == f.order.By {
			return true, nil
		}
		return managedBy(tx, card.Serial, f.order.By)
	},
}

func (f *dossier) yes(field string) bool { return f.order.Fields[field] == "oui" }

// care tells whether the structure's cards are CDE and CPE: it delivers care,
// or bills without, and is registered for that.
func (f *dossier) care() bool { return f.actor.Care || f.structure.Billing || f.yes("facturation") }

// staffCard is the family of the structure's staff.
func (f *dossier) staffCard() cards.Type {
	if f.care() {
		return cards.CPE
	}
	return cards.CPA
}

// mayAct tells whether the requester acts for the structure; a libéral does for
// a practice of their own.
func (f *dossier) mayAct(tx store.Tx) (bool, error) {
	if !f.actor.Own || f.order.By == "" {
		return f.structure.actsFor(f.order.By), nil
	}
	return f.desk.practises(tx, f.order.By)
}

// practises tells whether somebody works as a libéral.
func (d *Desk) practises(tx store.Tx, id string) (bool, error) {
	person, err := d.people.ReadIn(tx, id)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(person.Exercises, func(e identities.Exercise) bool {
		return slices.ContainsFunc(e.Activities, func(a identities.Activity) bool { return a.Mode == "L" })
	}), nil
}

// hasCard tells whether a person holds an active card.
func (d *Desk) hasCard(tx store.Tx, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	serials, err := d.cards.SerialsIn(tx, id)
	return len(serials) > 0, err
}

// holds tells whether a person holds an active card of a family.
func (d *Desk) holds(tx store.Tx, id string, family cards.Type) (bool, error) {
	if id == "" {
		return false, nil
	}
	all, err := d.cards.OfIn(tx, id, "", cards.All)
	return slices.ContainsFunc(all, func(c cards.Card) bool { return c.Type == family && c.State == cards.Active }), err
}

// Enter judges whether a card opens an online service: TOM wants a CDE, a CDA
// or a mandataire's card.
func (d *Desk) Enter(ctx context.Context, service Channel, serial string) error {
	return d.store.View(ctx, func(tx store.Tx) error { return d.enterIn(tx, service, serial) })
}

func (d *Desk) enterIn(tx store.Tx, service Channel, serial string) error {
	n := slices.IndexFunc(Services(), func(s Online) bool { return s.Name == service })
	if n < 0 {
		return problem.ServiceUnknown.Got(string(service))
	}
	card, err := d.cards.GetIn(tx, serial)
	if err != nil {
		return err
	}
	if err := d.cards.Usable(card); err != nil {
		return err
	}
	opens := d.opensTOM
	if service == TOPS {
		opens = d.opensTOPS
	}
	if open, err := opens(tx, card); err != nil || open {
		return err
	}
	s := Services()[n]
	return problem.ServiceRefused.Case(strings.ToLower(string(s.Name))).
		With("type", card.Type).With("national_id", card.NationalID)
}

func (d *Desk) opensTOPS(tx store.Tx, c *cards.Card) (bool, error) {
	return d.practises(tx, c.NationalID)
}

func (d *Desk) opensTOM(tx store.Tx, c *cards.Card) (bool, error) {
	if c.Type == cards.CDE || c.Type == cards.CDA {
		return true, nil
	}
	own, err := structuresWhere(
		tx,
		c.NationalID,
		func(s *Structure) bool { return slices.Contains(s.Mandataires, c.NationalID) },
	)
	return len(own) > 0, err
}

// EnterAs judges whether one of a person's cards opens an online service.
func (d *Desk) EnterAs(ctx context.Context, service Channel, id string) error {
	return d.store.View(ctx, func(tx store.Tx) error { return d.enterAs(tx, service, id) })
}

func (d *Desk) enterAs(tx store.Tx, service Channel, id string) error {
	serials, err := d.cards.SerialsIn(tx, id)
	if err != nil {
		return err
	}
	refusal := error(problem.ServiceRefused.Case("no-card").Got(id))
	for _, serial := range serials {
		if refusal = d.enterIn(tx, service, serial); refusal == nil {
			return nil
		}
	}
	return refusal
}

// TakeBack is the head of a structure taking back the card of somebody who
// leaves: it is opposed.
func (d *Desk) TakeBack(ctx context.Context, by, serial string) error {
	return d.store.Update(ctx, func(tx store.Tx) error {
		managed, err := managedBy(tx, serial, by)
		if err == nil && !managed {
			err = problem.CardNotManaged.Got(serial)
		}
		if err != nil {
			return err
		}
		return d.cards.OpposeIn(tx, serial, "départ du porteur")
	})
}

// Register is the inscription at the order: who has one receives a CPS without
// asking, an intern too.
func (d *Desk) Register(ctx context.Context, id string) (c *cards.Card, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		c, err = d.registerIn(tx, id)
		return err
	})
	return c, err
}

func (d *Desk) registerIn(tx store.Tx, id string) (*cards.Card, error) {
	person, err := d.people.ReadIn(tx, id)
	if err != nil {
		return nil, err
	}
	if identities.OrdreOf(person.Profession()) == "" {
		return nil, problem.RegistrationWithoutOrder.With("profession", person.Profession())
	}
	there, err := d.holds(tx, id, cards.CPS)
	if err == nil && there {
		err = problem.CardThere.Got(id)
	}
	if err != nil {
		return nil, err
	}
	made, err := d.cards.IssueIn(tx, cards.Request{NationalID: id, Type: cards.CPS})
	if err != nil {
		return nil, err
	}
	return &made[0], nil
}
