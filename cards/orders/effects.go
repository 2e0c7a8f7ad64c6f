package orders

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// apply does the form's effects of this moment ("submit", or "" for the
// acceptance), and keeps the structure as they leave it.
func (f *dossier) apply(tx store.Tx, at string) error {
	for _, e := range f.form.Effects {
		if e.At != at {
			continue
		}
		if err := effects[e.Do](tx, f, e.Arg); err != nil {
			return err
		}
	}
	if f.order.Structure == "" || f.form.Anyone {
		return nil
	}
	return keepStructure(tx, f.structure)
}

type effect func(tx store.Tx, f *dossier, arg string) error

// effects are what forms do, by name.
var effects map[string]effect

func init() { // not a literal: the effects call each other
	effects = map[string]effect{
		"contract": func(_ store.Tx, f *dossier, _ string) error {
			if f.actor.Own && f.structure.Representative == "" {
				f.structure.Representative = f.order.By // a practice of their own
			}
			f.structure.Contract = f.structure.Contract || f.yes("contrat")
			f.structure.Name = cmp.Or(f.structure.Name, f.order.Fields["denomination"])
			return nil
		},
		"billing": func(_ store.Tx, f *dossier, _ string) error {
			f.structure.Billing = f.structure.Billing || f.yes("facturation")
			return nil
		},
		"represent": func(_ store.Tx, f *dossier, _ string) error {
			f.structure.Representative = f.person.NationalID
			return nil
		},
		"issue":          issue,
		"test-cards":     testCards,
		"incident":       incident,
		"replacement":    replacement,
		"mandate":        mandate,
		"administrators": administrators,
		"address": func(tx store.Tx, f *dossier, _ string) error {
			return f.desk.cards.SetAddressIn(tx, f.order.Fields["carte"], f.order.Fields["adresse"])
		},
	}
}

// issue makes the card of the person, who is made first when only named.
func issue(tx store.Tx, f *dossier, which string) error {
	if f.yes("service") {
		return f.produce(tx, cards.Request{
			Service:   cmp.Or(f.structure.Name, "STRUCTURE FICTIVE"),
			Structure: f.order.Structure,
		})
	}
	family := map[string]cards.Type{"head": cards.CDA, "questionnaire": cards.CPA, "staff": f.staffCard()}[which]
	switch {
	case family == "":
		family = cards.Type(which)
	case which != "staff" && f.care():
		family = cards.CDE
	}
	if f.person == nil {
		if err := f.makePerson(tx, family); err != nil {
			return err
		}
	}
	return f.produce(tx, cards.Request{NationalID: f.person.NationalID, Type: family})
}

// produce makes a card that is on its way until it is received, and notes it
// with the order and with the structure's fleet.
func (f *dossier) produce(tx store.Tx, r cards.Request) error {
	r.State = cards.Sent
	made, err := f.desk.cards.IssueIn(tx, r)
	for _, c := range made {
		f.order.Cards = append(f.order.Cards, c.Serial)
		f.structure.Cards = append(f.structure.Cards, c.Serial)
	}
	return err
}

// makePerson registers somebody whom the structure alone knows: their national
// id is the structure's number and an internal one.
func (f *dossier) makePerson(tx store.Tx, family cards.Type) error {
	prefix := "5"
	if f.order.Fields["siret"] == "" {
		prefix = "3"
	}
	internal := strings.ToUpper(string(family))
	fields := f.order.Fields
	activity := identities.Activity{
		CorporateName: cmp.Or(f.structure.Name, fields["denomination"]),
		SIRET:         fields["siret"],
		FINESS:        fields["finess"],
		Mode:          "S",
	}
	person := identities.Identity{
		FamilyName: fields["nom"],
		GivenName:  fields["prenom"],
		Behaviour:  identities.Behaviour{Action: identities.Ask},
		Tags:       []string{"commande"},
		Notes:      "enregistré par " + f.form.No,
		Exercises: []identities.Exercise{
			{
				Category:   "C",
				FamilyName: fields["nom"],
				GivenName:  fields["prenom"],
				Activities: []identities.Activity{activity},
			},
		},
	}
	for range 100 {
		person.NationalID = fmt.Sprintf("%s%s/%sT%05d", prefix, f.order.Structure, internal, rand.IntN(100_000))
		err := f.desk.people.CreateIn(tx, &person)
		if problem.Is(err, problem.IdentityExists) {
			continue
		}
		f.person = &person
		return err
	}
	return problem.NoInternalID.Of()
}

func testCards(tx store.Tx, f *dossier, _ string) error {
	if name := f.order.Fields["kit"]; name != "" {
		kit, err := cards.KitNamed(name)
		if err == nil {
			err = f.issueKit(tx, kit)
		}
		if err != nil {
			return err
		}
	}
	profession := f.order.Fields["profession"]
	if profession == "" {
		return nil
	}
	n, err := strconv.Atoi(cmp.Or(f.order.Fields["quantite"], "1"))
	if err != nil {
		return err
	}
	kit, err := cards.TestKit(profession, n)
	if err != nil {
		return err
	}
	return f.issueKit(tx, kit)
}

// issueKit makes the people and cards of a kit, and notes them with the order.
func (f *dossier) issueKit(tx store.Tx, kit *cards.Kit) error {
	made, err := f.desk.cards.IssueIn(tx, cards.Request{Kit: kit})
	for _, c := range made {
		f.order.Cards = append(f.order.Cards, c.Serial)
	}
	return err
}

// incident: loss and theft oppose the card at once, a lost code sends a new
// one, a changed address is kept.
func incident(tx store.Tx, f *dossier, _ string) error {
	serial := f.order.Fields["carte"]
	switch what := f.order.Fields["incident"]; what {
	case "perte", "vol", "défaut":
		return f.desk.cards.OpposeIn(tx, serial, what)
	case "perte du code":
		return f.newCode(tx, serial)
	}
	return f.desk.cards.SetAddressIn(tx, serial, f.order.Fields["adresse"])
}

func (f *dossier) newCode(tx store.Tx, serial string) error {
	card, err := f.desk.cards.NewCodeIn(tx, serial)
	if err != nil {
		return err
	}
	person, err := f.desk.people.GetIn(tx, card.NationalID)
	if err != nil {
		return err
	}
	return f.desk.outbox.Put(tx, outbox.Message{NationalID: person.NationalID, Channel: outbox.Mail, Code: card.PIN,
		To: cmp.Or(person.Email, "adresse de livraison de la carte"), Subject: "Votre nouveau code porteur",
		Text: "Carte " + card.Serial + " : votre nouveau code porteur est " + card.PIN + "."})
}

// replacement issues the same card anew.
func replacement(tx store.Tx, f *dossier, _ string) error {
	if !f.yes("remplacement") {
		return nil
	}
	old, err := f.desk.cards.GetIn(tx, f.order.Fields["carte"])
	if err != nil {
		return err
	}
	if old.State != cards.Opposed {
		return problem.ReplacementWithoutOpposition.Got(string(old.State))
	}
	return f.produce(tx, cards.Request{NationalID: old.NationalID, Type: old.Type})
}

func mandate(_ store.Tx, f *dossier, _ string) error {
	for _, id := range strings.Fields(f.order.Fields["mandataires"]) {
		f.structure.Mandataires = slices.DeleteFunc(
			f.structure.Mandataires,
			func(other string) bool { return other == id },
		)
		if f.order.Fields["action"] == "désigner" {
			f.structure.Mandataires = append(f.structure.Mandataires, id)
		}
	}
	return nil
}

func administrators(_ store.Tx, f *dossier, how string) error {
	if how == "action" && f.order.Fields["action"] == "supprimer" {
		how = "remove"
	}
	for _, id := range strings.Fields(f.order.Fields["administrateurs"]) {
		if how == "remove" {
			delete(f.structure.Administrators, id)
			continue
		}
		kinds := words[pki.ProfileName](f.order.Fields["types"])
		if len(kinds) == 0 {
			kinds = []pki.ProfileName{pki.ProfileAuthCLI}
		}
		f.structure.Administrators[id] = Administrator{kinds, f.order.Fields["perimetre"]}
	}
	return nil
}
