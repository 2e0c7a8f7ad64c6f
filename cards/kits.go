package cards

import (
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

// maxTest bounds how many test cards one command makes: it is one transaction,
// which others wait for.
const maxTest = 1000

// TestKit is the individual offer: n people of a profession (or staff, by their
// card), each with their card.
func TestKit(who string, n int) (*Kit, error) {
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
	return kit, nil
}

// admitIn makes the holders of a kit, who share the structures of a random seed,
// with numbers that are free.
func (k *Cards) admitIn(tx store.Tx, kit *Kit) ([]single, error) {
	seed, next := uint64(rand.Uint32()), 0
	people := make([]identities.Identity, len(kit.Cards))
	for n, c := range kit.Cards {
		g := &identities.Generator{Seed: seed, Profession: c.Who, Theme: kit.Theme, Structures: 1}
		i, behind, err := k.people.NextIn(tx, g, next, working)
		if err != nil {
			return nil, err
		}
		for extra := 1; len(i.Exercises[0].Activities) < c.Activities; extra++ {
			a := g.Person(1000*extra + next).MainActivity()
			i.Exercises[0].Activities = append(i.Exercises[0].Activities, a)
		}
		i.Tags, i.Notes = append(i.Tags, "kit", kit.Name), strings.TrimSpace(kit.Label+" "+c.Label)
		people[n], next = *i, behind
	}
	if _, err := k.people.AddIn(tx, people); err != nil {
		return nil, err
	}
	all := make([]single, len(people))
	for n := range people {
		all[n].holder = &people[n]
		if kit.Cards[n].State == Opposed {
			all[n].State, all[n].Reason = Opposed, "carte opposée du kit"
		}
	}
	return all, nil
}

// working tells who has a CPS, not a CPF.
func working(i *identities.Identity) bool { return !i.Student() }
