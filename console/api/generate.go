package api

import (
	"context"
	"slices"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// maxBatch is how many people one call generates: a command goes on with from.
const maxBatch = 5000

// Generation asks for people.
type Generation struct {
	// Count is how many, up to 5000 at once; one when it is left out.
	Count int `json:"count"`
	// Seed chooses them.
	Seed uint64 `json:"seed"`
	// From is how many of the seed's people to leave out.
	From int `json:"from,omitempty"`
	// Profession is a code of table G15, for all of them.
	Profession string `json:"profession,omitempty"`
	// Theme is a kind of structure that they work in together.
	Theme string `json:"theme,omitempty"`
	// Mix is how many of each profession, by code, there are in proportion.
	Mix map[string]int `json:"mix,omitempty"`
	// Traps makes people whose data trips applications up.
	Traps bool `json:"traps,omitempty"`
	// Means are what they log in with: ecps and card when it is left out.
	Means []identities.Means `json:"means,omitempty"`
	// Quiet leaves the people out of the answer.
	Quiet bool `json:"quiet,omitempty"`
}

// generator checks the order, and is what carries it out.
func (in *Generation) generator() (*identities.Generator, error) {
	if in.Means == nil {
		in.Means = identities.AllMeans()
	}
	if in.Count < 1 || in.Count > maxBatch || in.From < 0 || in.From >= identities.MaxGenerated {
		return nil, problem.CountInvalid.With("count", in.Count).With("from", in.From)
	}
	for _, m := range in.Means {
		if !m.Valid() {
			return nil, problem.MeansUnknown.Got(string(m))
		}
	}
	g := &identities.Generator{Seed: in.Seed, Profession: in.Profession, Theme: in.Theme, Mix: in.Mix, Traps: in.Traps}
	return g, g.Check()
}

// Generated are the people who were made.
type Generated struct {
	// Items are the people, none when quiet was asked for.
	Items []Person `json:"items"`
	// Count is how many were made.
	Count int `json:"count"`
	// Next is the parameter from to go on with.
	Next int `json:"next"`
}

type generatePeople struct {
	Body Generation `body:"application/json"`
}

func (in *generatePeople) defaults() { in.Body.Count = 1 }

// generate makes people with the means asked for, behind the numbers that are
// taken, and answers with those it stored and the number to go on from.
func (s *People) generate(c context.Context, in *generatePeople) (*Generated, error) {
	g, err := in.Body.generator()
	if err != nil {
		return nil, err
	}
	made, err := s.People.Generate(c, g, in.Body.From, in.Body.Count, Equip(s.ECPS, s.Cards, in.Body.Means))
	if err != nil {
		return nil, err
	}
	out := &Generated{[]Person{}, len(made.People), made.Next}
	if !in.Body.Quiet {
		for _, i := range made.People {
			out.Items = append(out.Items, Person{Identity: i, Name: i.Name(), Means: in.Body.Means})
		}
	}
	return out, nil
}

// Equip gives people these means within a transaction.
func Equip(phones *ecps.Phones, all *cards.Cards, means []identities.Means) identities.Equip {
	return func(tx store.Tx, people []identities.Identity) error {
		if slices.Contains(means, identities.MeansECPS) {
			if err := phones.ActivateAllIn(tx, people, cards.DefaultPIN); err != nil {
				return err
			}
		}
		if slices.Contains(means, identities.MeansCard) {
			return all.EquipIn(tx, people)
		}
		return nil
	}
}
