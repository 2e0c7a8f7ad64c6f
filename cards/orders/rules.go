package orders

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"pscemu/cards"
	"pscemu/identities"
	"pscemu/problem"
	"pscemu/store"
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
func (d *Desk) open(ctx context.Context, o *Order) (*dossier, error) {
	form, actor, err := o.parties()
	if err != nil {
		return nil, err
	}
	f := &dossier{desk: d, order: o, form: form, actor: actor}
	if o.Structure = cmp.Or(o.Fields["siret"], o.Fields["finess"], o.Fields["siren"]); o.Structure == "" && o.Fields["carte"] != "" {
		// What is done to a card is done in the structure it was ordered for.
		err := d.eachStructure(ctx, func(s Structure) {
			if slices.Contains(s.Cards, o.Fields["carte"]) {
				o.Structure = s.ID
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if f.structure, err = d.structure(ctx, o.Structure, actor.ID); err != nil {
		return nil, err
	}
	if id := o.Fields["identity"]; id != "" {
		if f.person, err = d.people.Get(ctx, id); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// structure is what is known of a structure, or a new one.
func (d *Desk) structure(ctx context.Context, id, actor string) (*Structure, error) {
	s, err := structures.Load(ctx, d.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return &Structure{ID: id, Actor: actor, Mandataires: []string{}, Administrators: map[string]Administrator{}, Cards: []string{}}, nil
	}
	return &s, err
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
func (f *dossier) judge(ctx context.Context) (*Need, error) {
	for _, need := range f.form.Needs {
		good, err := checks[need.Check](ctx, f, need.Arg)
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
type check func(ctx context.Context, f *dossier, arg string) (bool, error)

// simple makes a check of what needs neither argument nor store.
func simple(fn func(f *dossier) bool) check {
	return func(_ context.Context, f *dossier, _ string) (bool, error) { return fn(f), nil }
}

// checks are the rules that forms name.
var checks = map[string]check{
	"structure":      simple(func(f *dossier) bool { return f.order.Structure != "" }),
	"service-is-cpe": simple(func(f *dossier) bool { return !f.yes("service") || f.staffCard() == "CPE" }),
	"person": simple(func(f *dossier) bool {
		return f.yes("service") || f.person != nil || f.order.Fields["nom"] != "" && f.order.Fields["prenom"] != ""
	}),
	"contract":          simple(func(f *dossier) bool { return f.yes("contrat") }),
	"contract-known":    simple(func(f *dossier) bool { return f.structure.Contract }),
	"contract-or-known": simple(func(f *dossier) bool { return f.structure.Contract || f.yes("contrat") }),
	"cgu":               simple(func(f *dossier) bool { return f.yes("cgu") }),
	"billing-number":    simple(func(f *dossier) bool { return !f.yes("facturation") || f.order.Fields["numero_facturation"] != "" }),
	"salaried":          simple(func(f *dossier) bool { return f.person.MainActivity().Mode == "S" }),
	"no-student":        simple(func(f *dossier) bool { return !f.person.Student() }),
	"not-professional":  simple(func(f *dossier) bool { return f.person == nil || f.person.Profession() == "" }),
	"represents":        simple(func(f *dossier) bool { return f.order.By != "" && f.structure.Representative == f.order.By }),
	"acts-for":          func(ctx context.Context, f *dossier, _ string) (bool, error) { return f.mayAct(ctx) },
	"some-number":       simple(func(f *dossier) bool { return f.order.Structure != "" }),
	"some-card":         simple(func(f *dossier) bool { return f.order.Fields["kit"] != "" || f.order.Fields["profession"] != "" }),
	"address-given": simple(func(f *dossier) bool {
		return f.order.Fields["incident"] != "changement d'adresse" || f.order.Fields["adresse"] != ""
	}),
	"profession": func(_ context.Context, f *dossier, codes string) (bool, error) {
		return slices.Contains(strings.Fields(codes), f.person.Profession()), nil
	},
	"requester-card": func(ctx context.Context, f *dossier, _ string) (bool, error) { return f.desk.hasCard(ctx, f.order.By) },
	"cards-of": func(ctx context.Context, f *dossier, field string) (bool, error) {
		for _, id := range strings.Fields(f.order.Fields[field]) {
			if has, err := f.desk.hasCard(ctx, id); err != nil || !has {
				return has, err
			}
		}
		return true, nil
	},
	"cpa-needs-head": func(ctx context.Context, f *dossier, _ string) (bool, error) {
		if f.staffCard() != "CPA" {
			return true, nil
		}
		return f.desk.holds(ctx, f.structure.Representative, "CDA")
	},
	"own-card": func(ctx context.Context, f *dossier, _ string) (bool, error) {
		card, err := f.desk.cards.Get(ctx, f.order.Fields["carte"])
		if err != nil {
			return false, err
		}
		if card.NationalID == f.order.By {
			return true, nil
		}
		return f.desk.managedBy(ctx, card.Serial, f.order.By)
	},
}

func (f *dossier) yes(field string) bool { return f.order.Fields[field] == "oui" }

// care tells whether the structure's cards are CDE and CPE: it delivers care,
// or bills without, and is registered for that.
func (f *dossier) care() bool { return f.actor.Care || f.structure.Billing || f.yes("facturation") }

// staffCard is the family of the structure's staff.
func (f *dossier) staffCard() string {
	if f.care() {
		return "CPE"
	}
	return "CPA"
}

// mayAct tells whether the requester acts for the structure; a libéral does for
// a practice of their own.
func (f *dossier) mayAct(ctx context.Context) (bool, error) {
	if !f.actor.Own || f.order.By == "" {
		return f.structure.actsFor(f.order.By), nil
	}
	return f.desk.practises(ctx, f.order.By)
}

// practises tells whether somebody works as a libéral.
func (d *Desk) practises(ctx context.Context, id string) (bool, error) {
	person, err := d.people.Get(ctx, id)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(person.Exercises, func(e identities.Exercise) bool {
		return slices.ContainsFunc(e.Activities, func(a identities.Activity) bool { return a.Mode == "L" })
	}), nil
}

// actsFor tells whether somebody is the representative or a mandataire.
func (s *Structure) actsFor(id string) bool {
	return id != "" && (s.Representative == id || slices.Contains(s.Mandataires, id))
}

// hasCard tells whether a person holds an active card.
func (d *Desk) hasCard(ctx context.Context, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	serials, err := d.cards.Serials(ctx, id)
	return len(serials) > 0, err
}

// holds tells whether a person holds an active card of a family.
func (d *Desk) holds(ctx context.Context, id, family string) (bool, error) {
	if id == "" {
		return false, nil
	}
	all, err := d.cards.List(ctx, id, "", 100)
	return slices.ContainsFunc(all, func(c cards.Card) bool { return c.Type == family && c.State == cards.Active }), err
}

// managedBy tells whether a card was ordered for a structure somebody acts for.
func (d *Desk) managedBy(ctx context.Context, serial, id string) (found bool, err error) {
	err = d.eachStructure(ctx, func(s Structure) {
		found = found || s.actsFor(id) && slices.Contains(s.Cards, serial)
	})
	return found, err
}

func (d *Desk) eachStructure(ctx context.Context, fn func(Structure)) error {
	for after := ""; ; {
		page, err := structures.Page(ctx, d.store, after, 200)
		if err != nil {
			return err
		}
		for _, s := range page {
			fn(s)
			after = s.ID
		}
		if len(page) < 200 {
			return nil
		}
	}
}

// structuresWhere lists the structures that match.
func (d *Desk) structuresWhere(ctx context.Context, match func(*Structure) bool) ([]Structure, error) {
	out := []Structure{}
	err := d.eachStructure(ctx, func(s Structure) {
		if match(&s) {
			out = append(out, s)
		}
	})
	return out, err
}

// Enter judges whether a card opens an online service: TOM wants a CDE, a CDA
// or a mandataire's card.
func (d *Desk) Enter(ctx context.Context, service, serial string) error {
	n := slices.IndexFunc(Services(), func(s Online) bool { return s.Name == service })
	if n < 0 {
		return problem.New(problem.NotFound, "service-unknown", "no such online service").Got(service).Want("TOPS or TOM")
	}
	card, err := d.cards.Get(ctx, serial)
	if err != nil {
		return err
	}
	if err := d.cards.Usable(card); err != nil {
		return err
	}
	opens, err := map[string]func(context.Context, *cards.Card) (bool, error){"TOPS": d.opensTOPS, "TOM": d.opensTOM}[service](ctx, card)
	if err != nil || opens {
		return err
	}
	s := Services()[n]
	return problem.New(problem.Forbidden, "service-refused", s.Say).Got(card.Type + " de " + card.NationalID).Do(s.Remedy)
}

func (d *Desk) opensTOPS(ctx context.Context, c *cards.Card) (bool, error) {
	return d.practises(ctx, c.NationalID)
}

func (d *Desk) opensTOM(ctx context.Context, c *cards.Card) (mandated bool, err error) {
	if c.Type == "CDE" || c.Type == "CDA" {
		return true, nil
	}
	err = d.eachStructure(ctx, func(s Structure) { mandated = mandated || slices.Contains(s.Mandataires, c.NationalID) })
	return mandated, err
}

// Fleet lists the cards ordered for the structures that somebody acts for.
func (d *Desk) Fleet(ctx context.Context, id string) ([]cards.Card, error) {
	own, err := d.ActsFor(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []cards.Card{}
	for _, s := range own {
		for _, serial := range s.Cards {
			c, err := d.cards.Get(ctx, serial)
			if err != nil {
				return nil, err
			}
			out = append(out, *c)
		}
	}
	return out, nil
}

// TakeBack is the head of a structure taking back the card of somebody who
// leaves: it is opposed.
func (d *Desk) TakeBack(ctx context.Context, by, serial string) error {
	managed, err := d.managedBy(ctx, serial, by)
	if err == nil && !managed {
		err = problem.New(problem.Forbidden, "card-not-managed", "cette carte n'est pas d'une structure pour laquelle vous agissez").Got(serial)
	}
	if err != nil {
		return err
	}
	return d.cards.Oppose(ctx, serial, "départ du porteur")
}

// Register is the inscription at the order: who has one receives a CPS without
// asking, an intern too.
func (d *Desk) Register(ctx context.Context, id string) (*cards.Card, error) {
	person, err := d.people.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if identities.OrderOf(person.Profession()) == "" {
		return nil, problem.New(problem.Forbidden, "registration-without-order", "cette profession n'a pas d'ordre : la CPS est délivrée sur demande").Got("profession " + person.Profession()).Do("F201 ou F202")
	}
	if there, err := d.holds(ctx, id, "CPS"); err != nil || there {
		return nil, errors.Join(err, problem.New(problem.Conflict, "card-there", "cette personne a déjà une CPS").Got(id))
	}
	return d.cards.Issue(ctx, id, "CPS", "")
}
