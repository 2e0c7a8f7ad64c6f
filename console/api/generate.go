package api

import (
	"slices"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// maxBatch is how many people one call generates: a command goes on with from.
const maxBatch = 5000

// generation is an order of people.
type generation struct {
	Count      int                `json:"count"`
	Seed       uint64             `json:"seed"`
	From       int                `json:"from,omitempty"`
	Profession string             `json:"profession,omitempty"`
	Theme      string             `json:"theme,omitempty"`
	Mix        map[string]int     `json:"mix,omitempty"`
	Traps      bool               `json:"traps,omitempty"`
	Means      []identities.Means `json:"means,omitempty"` // ecps and card when left out
	Quiet      bool               `json:"quiet,omitempty"` // the answer holds no people
}

// generator checks the order, and is what carries it out.
func (in *generation) generator() (*identities.Generator, error) {
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

// generate makes people with the means asked for, behind the numbers that are
// taken, and answers with those it stored and the number to go on from.
func (s *People) generate(c echo.Context) (any, error) {
	in := generation{Count: 1}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	g, err := in.generator()
	if err != nil {
		return nil, err
	}
	made, err := s.People.Generate(ctx(c), g, in.From, in.Count, Equip(s.ECPS, s.Cards, in.Means))
	if err != nil {
		return nil, err
	}
	out := struct {
		Items []Person `json:"items"`
		Count int      `json:"count"`
		Next  int      `json:"next"` // to go on from
	}{[]Person{}, len(made.People), made.Next}
	if !in.Quiet {
		for _, i := range made.People {
			out.Items = append(out.Items, Person{Identity: i, Name: i.Name(), Means: in.Means})
		}
	}
	return out, nil
}

// Equip gives people these means within a transaction.
func Equip(phones *ecps.Phones, desk *cards.Cards, means []identities.Means) identities.Equip {
	return func(tx store.Tx, people []identities.Identity) error {
		if slices.Contains(means, identities.MeansECPS) {
			if err := phones.ActivateAllIn(tx, people, cards.DefaultPIN); err != nil {
				return err
			}
		}
		if slices.Contains(means, identities.MeansCard) {
			return desk.IssueAllIn(tx, people)
		}
		return nil
	}
}
