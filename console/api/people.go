package api

import (
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// People are the identities: read, written, generated, brought in and taken out.
type People struct {
	Store  store.Store
	People *identities.People
	ECPS   *ecps.Phones
	Cards  *cards.Cards
	Jobs   *Jobs
	// FHIR is the address of the directory, which exports in its form name.
	FHIR string
}

// Person is an identity as the API shows and takes it: its name and means
// are derived, so that what was read can be sent back.
type Person struct {
	identities.Identity
	Name  string             `json:"name"`
	Means []identities.Means `json:"means"`
}

// View is a person as the API shows them.
func (s *People) View(c context.Context, i *identities.Identity) Person {
	p := Person{Identity: *i, Name: i.Name(), Means: []identities.Means{}}
	if _, err := s.ECPS.Device(c, i.NationalID); err == nil {
		p.Means = append(p.Means, identities.MeansECPS)
	}
	if serials, err := s.Cards.Serials(c, i.NationalID); err == nil && len(serials) > 0 {
		p.Means = append(p.Means, identities.MeansCard)
	}
	return p
}

func (s *People) listIdentities(c echo.Context) (any, error) {
	return listed(c, s.List(ctx(c), PeopleQuery(c)))
}

// List lists people with their means, by national id.
func (s *People) List(c context.Context, q identities.Query) Lister[Person] {
	return ByID(func(p *Person) string { return p.NationalID }, func(after string, limit int) ([]Person, error) {
		people, err := s.People.List(c, q, after, limit)
		rows := make([]Person, len(people))
		for i := range people {
			rows[i] = s.View(c, &people[i])
		}
		return rows, err
	})
}

func (s *People) getIdentity(c echo.Context) (any, error) {
	i, err := s.People.Get(ctx(c), param(c, "id"))
	if err != nil {
		return nil, err
	}
	return s.View(ctx(c), i), nil
}

func (s *People) createIdentity(c echo.Context) (any, error) {
	var in Person
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if err := s.People.Create(ctx(c), &in.Identity); err != nil {
		return nil, err
	}
	return s.View(ctx(c), &in.Identity), nil
}

func (s *People) putIdentity(c echo.Context) (any, error) {
	var in Person
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if id := param(c, "id"); in.NationalID != id {
		return nil, problem.IDDiffers.Case("people").With("id", id).Got(in.NationalID)
	}
	if err := s.People.Put(ctx(c), &in.Identity); err != nil {
		return nil, err
	}
	return s.View(ctx(c), &in.Identity), nil
}

func (s *People) claims(c echo.Context) (any, error) {
	i, err := s.People.Get(ctx(c), param(c, "id"))
	if err != nil {
		return nil, err
	}
	return i.UserInfo(identities.Means(c.QueryParam("means")).AuthMode()), nil
}

// PeopleQuery is what a listing or an export is asked for.
func PeopleQuery(c echo.Context) identities.Query {
	return identities.Query{Text: c.QueryParam("q"), Profession: c.QueryParam("profession"), Tag: c.QueryParam("tag")}
}

// persons are people with their means, read in one transaction.
func (s *People) persons(ctx context.Context, page []identities.Kept) (out []Person, err error) {
	return out, s.Store.View(ctx, func(tx store.Tx) error {
		for _, who := range page {
			i, err := who.Identity()
			if err != nil {
				return err
			}
			p := Person{Identity: i, Name: i.Name(), Means: []identities.Means{}}
			if _, err := s.ECPS.DeviceIn(tx, i.NationalID); err == nil {
				p.Means = append(p.Means, identities.MeansECPS)
			}
			if serials, err := s.Cards.SerialsIn(tx, i.NationalID); err == nil && len(serials) > 0 {
				p.Means = append(p.Means, identities.MeansCard)
			}
			out = append(out, p)
		}
		return nil
	})
}

func (s *People) routes() []route {
	return []route{
		{
			"GET",
			"/identities",
			"List people; ?q searches, ?profession&tag filter, ?limit&after pages",
			s.listIdentities,
		},
		{"POST", "/identities", "Create a person", s.createIdentity},
		{
			"POST",
			"/identities/generate",
			"Generate people: {count, seed, from, profession, theme, mix, traps, means, quiet}; the same seed gives the same people in an empty world; numbers that are taken are left out, and next is where to go on from",
			s.generate,
		},
		{
			"POST",
			"/identities/import",
			"Import people: our JSON, YAML or CSV, a UserInfo, or the Annuaire Santé's extraction; all of them, or none; ?fictitious=true replaces real numbers and names; ?async=true answers 202 with a job",
			s.importPeople,
		},
		{
			"GET",
			"/identities/export",
			"Export people; ?format=json, yaml, csv, annuaire, userinfo or fhir; ?q&profession&tag filter",
			func(c echo.Context) (any, error) { return sent{}, s.exportPeople(c) },
		},
		{"GET", "/identities/:id", "One person", s.getIdentity},
		{"PUT", "/identities/:id", "Replace a person", s.putIdentity},
		{
			"DELETE",
			"/identities/:id",
			"Delete a person",
			func(c echo.Context) (any, error) { return nil, s.People.Delete(ctx(c), param(c, "id")) },
		},
		{
			"POST",
			"/identities/:id/restore",
			"Undo a delete",
			func(c echo.Context) (any, error) { return s.People.Restore(ctx(c), param(c, "id")) },
		},
		{"GET", "/identities/:id/claims", "What a relying party would receive", s.claims},
	}
}
