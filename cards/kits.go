package cards

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"pscemu/identities"
	"pscemu/problem"
	"pscemu/store"
)

// Kit is an offer of test cards: the kit d'intégration of 2022's webinar, or a
// set of cards of the professions that work together in one structure.
type Kit struct {
	Name  string    `json:"name"`
	Label string    `json:"label"`
	Theme string    `json:"theme,omitempty"` // of the structure they share
	Cards []KitCard `json:"cards"`
}

// KitCard is one card of a kit, whose holder is made with it.
type KitCard struct {
	Who        string `json:"who"` // code of the profession, or the card of staff
	Label      string `json:"label,omitempty"`
	State      State  `json:"state,omitempty"`      // active unless said
	Activities int    `json:"activities,omitempty"` // 1 unless said
}

//go:embed kits.json
var kitData []byte

// Kits lists the offer.
var Kits = sync.OnceValue(func() (all []Kit) {
	if err := json.Unmarshal(kitData, &all); err != nil {
		panic(err) // embedded, checked by a test
	}
	return all
})

// KitNamed finds a kit.
func KitNamed(name string) (*Kit, error) {
	var names []string
	for _, k := range Kits() {
		if k.Name == name {
			return &k, nil
		}
		names = append(names, k.Name)
	}
	return nil, problem.New(problem.Invalid, "kit-unknown", "no such kit of cards").Got(name).Want(strings.Join(names, ", "))
}

// IssueKit makes the people of a kit, each with their card, and returns the
// cards in the kit's order.
func (d *Desk) IssueKit(ctx context.Context, name string) (out []Card, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		out, err = d.IssueKitIn(tx, name)
		return err
	})
	return out, err
}

// IssueKitIn makes the people of a kit, each with their card.
func (d *Desk) IssueKitIn(tx store.Tx, name string) ([]Card, error) {
	kit, err := KitNamed(name)
	if err != nil {
		return nil, err
	}
	return d.issueKitIn(tx, kit)
}

// IssueTest makes n people of a profession (or staff, by their card), each with
// their card: the individual offer of test cards.
func (d *Desk) IssueTest(ctx context.Context, who string, n int) (out []Card, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		out, err = d.IssueTestIn(tx, who, n)
		return err
	})
	return out, err
}

// maxTest bounds how many test cards one command makes: it is one transaction,
// which others wait for.
const maxTest = 1000

// IssueTestIn makes n people of a profession, each with their card.
func (d *Desk) IssueTestIn(tx store.Tx, who string, n int) ([]Card, error) {
	if err := (&identities.Generator{Profession: who}).Check(); err != nil {
		return nil, err
	}
	if n < 1 || n > maxTest {
		return nil, problem.New(problem.Invalid, "count-invalid", "this many cards cannot be made at once").
			Got(fmt.Sprint(n)).Want("1 to 1000")
	}
	kit := &Kit{Name: "individuelle", Label: "Carte de test"}
	for range n {
		kit.Cards = append(kit.Cards, KitCard{Who: who})
	}
	return d.issueKitIn(tx, kit)
}

func (d *Desk) issueKitIn(tx store.Tx, kit *Kit) ([]Card, error) {
	people, err := d.admitIn(tx, kit)
	if err != nil {
		return nil, err
	}
	out := make([]Card, len(people))
	for n := range people {
		r := Request{}
		if kit.Cards[n].State == Opposed {
			r.State, r.Reason = Opposed, "carte opposée du kit"
		}
		c, err := d.IssueToIn(tx, &people[n], r)
		if err != nil {
			return nil, err
		}
		out[n] = *c
	}
	return out, nil
}

// admitIn makes people with numbers that are free.
func (d *Desk) admitIn(tx store.Tx, kit *Kit) ([]identities.Identity, error) {
	for range 100 {
		people := kit.people(uint64(rand.Uint32()))
		free, err := d.people.FreeIn(tx, people)
		if err != nil {
			return nil, err
		}
		if free {
			_, err := d.people.AddIn(tx, people)
			return people, err
		}
	}
	return nil, problem.New(problem.Internal, "kit-no-numbers", "no free test numbers were found")
}

// people are the holders, who share the structures of the seed.
func (k *Kit) people(seed uint64) []identities.Identity {
	out := make([]identities.Identity, len(k.Cards))
	for n, c := range k.Cards {
		g := &identities.Generator{Seed: seed, Profession: c.Who, Theme: k.Theme, Structures: 1}
		i := qualified(g, n)
		for extra := 1; len(i.Exercises[0].Activities) < c.Activities; extra++ {
			a := g.Person(1000*extra + n).MainActivity()
			i.Exercises[0].Activities = append(i.Exercises[0].Activities, a)
		}
		i.Tags, i.Notes = append(i.Tags, "kit", k.Name), strings.TrimSpace(k.Label+" "+c.Label)
		out[n] = *i
	}
	return out
}

// qualified is the n-th person of the generator, or the next who no longer
// learns: a kit holds CPS, not CPF.
func qualified(g *identities.Generator, n int) *identities.Identity {
	for ; ; n += 100 {
		if i := g.Person(n); !i.Student() {
			return i
		}
	}
}
