package cards

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
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
	return nil, problem.KitUnknown.With("accepted", names).Got(name)
}

// IssueKit makes the people of a kit, each with their card, and returns the
// cards in the kit's order.
func (k *Cards) IssueKit(ctx context.Context, name string) (out []Card, err error) {
	err = k.store.Update(ctx, func(tx store.Tx) error {
		out, err = k.IssueKitIn(tx, name)
		return err
	})
	return out, err
}

// IssueKitIn makes the people of a kit, each with their card.
func (k *Cards) IssueKitIn(tx store.Tx, name string) ([]Card, error) {
	kit, err := KitNamed(name)
	if err != nil {
		return nil, err
	}
	return k.issueKitIn(tx, kit)
}

// IssueTest makes n people of a profession (or staff, by their card), each with
// their card: the individual offer of test cards.
func (k *Cards) IssueTest(ctx context.Context, who string, n int) (out []Card, err error) {
	err = k.store.Update(ctx, func(tx store.Tx) error {
		out, err = k.IssueTestIn(tx, who, n)
		return err
	})
	return out, err
}

// maxTest bounds how many test cards one command makes: it is one transaction,
// which others wait for.
const maxTest = 1000

// IssueTestIn makes n people of a profession, each with their card.
func (k *Cards) IssueTestIn(tx store.Tx, who string, n int) ([]Card, error) {
	if err := (&identities.Generator{Profession: who}).Check(); err != nil {
		return nil, err
	}
	if n < 1 || n > maxTest {
		return nil, problem.CountInvalid.Case("cards").Got(fmt.Sprint(n))
	}
	kit := &Kit{Name: "individuelle", Label: "Carte de test"}
	for range n {
		kit.Cards = append(kit.Cards, KitCard{Who: who})
	}
	return k.issueKitIn(tx, kit)
}

func (k *Cards) issueKitIn(tx store.Tx, kit *Kit) ([]Card, error) {
	people, err := k.admitIn(tx, kit)
	if err != nil {
		return nil, err
	}
	out := make([]Card, len(people))
	for n := range people {
		r := Request{}
		if kit.Cards[n].State == Opposed {
			r.State, r.Reason = Opposed, "carte opposée du kit"
		}
		c, err := k.IssueToIn(tx, &people[n], r)
		if err != nil {
			return nil, err
		}
		out[n] = *c
	}
	return out, nil
}

// admitIn makes the holders, who share the structures of a random seed, with
// numbers that are free.
func (d *Cards) admitIn(tx store.Tx, kit *Kit) ([]identities.Identity, error) {
	seed, n := uint64(rand.Uint32()), 0
	out := make([]identities.Identity, len(kit.Cards))
	for k, c := range kit.Cards {
		g := &identities.Generator{Seed: seed, Profession: c.Who, Theme: kit.Theme, Structures: 1}
		i, next, err := d.people.NextIn(
			tx,
			g,
			n,
			func(i *identities.Identity) bool { return !i.Student() },
		) // who has a CPS, not a CPF
		if err != nil {
			return nil, err
		}
		for extra := 1; len(i.Exercises[0].Activities) < c.Activities; extra++ {
			a := g.Person(1000*extra + n).MainActivity()
			i.Exercises[0].Activities = append(i.Exercises[0].Activities, a)
		}
		i.Tags, i.Notes = append(i.Tags, "kit", kit.Name), strings.TrimSpace(kit.Label+" "+c.Label)
		out[k], n = *i, next
	}
	_, err := d.people.AddIn(tx, out)
	return out, err
}
