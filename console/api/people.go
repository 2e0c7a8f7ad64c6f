package api

import (
	"context"
	"net/http"

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

// wholePerson is what refuses a person who cannot be.
var wholePerson = refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.NationalIDInvalid,
	problem.NationalIDReal, problem.NameMissing, problem.EmailInvalid, problem.MobileInvalid, problem.CodeUnknown,
	problem.KeyWrong, problem.CivilityOfOtherProfession, problem.KnowHowTypeMissing,
	problem.KnowHowTypeOfOtherProfession, problem.KnowHowOfOtherProfession, problem.RoleMissing,
	problem.RoleOfOtherProfession, problem.RoleOfStudent, problem.SectionNotPharmacist,
	problem.SectionOfOtherSector, problem.StudentWithoutOrder, problem.SIRETOfOtherSIREN, problem.IdentityFromFile,
	problem.BehaviourUnknown, problem.DelayInvalid, problem.TagInvalid, problem.QuirkUnknown, problem.PolicyUnknown,
	problem.SettingInvalid)

// Search chooses people.
type Search struct {
	// Q is part of a name, a national id, a profession or a structure.
	Q string `query:"q"`
	// Profession is a code of table G15.
	Profession string `query:"profession"`
	// Tag is one of their tags.
	Tag string `query:"tag"`
}

func (q Search) query() identities.Query {
	return identities.Query{Text: q.Q, Profession: q.Profession, Tag: q.Tag}
}

// WhoseID names a person.
type WhoseID struct {
	// ID is the person's national id.
	ID string `path:"id"`
}

type listPeople struct {
	Search
	Paging
}

type newPerson struct {
	Body Person `body:"application/json"`
}

type putPerson struct {
	WhoseID
	Body Person `body:"application/json"`
}

type claimsOf struct {
	WhoseID
	// Means is what the person logs in with: ecps when it is left out.
	Means identities.Means `query:"means"`
}

func (s *People) list(c context.Context, in *listPeople) (*Page[Person], error) {
	return page(in.Paging, s.List(c, in.query()))
}

func (s *People) get(c context.Context, in *WhoseID) (out Person, err error) {
	i, err := s.People.Get(c, in.ID)
	if err != nil {
		return out, err
	}
	return s.View(c, i), nil
}

func (s *People) create(c context.Context, in *newPerson) (out Person, err error) {
	if err := s.People.Create(c, &in.Body.Identity); err != nil {
		return out, err
	}
	return s.View(c, &in.Body.Identity), nil
}

func (s *People) put(c context.Context, in *putPerson) (out Person, err error) {
	if in.Body.NationalID != in.ID {
		return out, problem.IDDiffers.Case("people").With("id", in.ID).Got(in.Body.NationalID)
	}
	if err := s.People.Put(c, &in.Body.Identity); err != nil {
		return out, err
	}
	return s.View(c, &in.Body.Identity), nil
}

func (s *People) delete(c context.Context, in *WhoseID) (Nothing, error) {
	return Nothing{}, s.People.Delete(c, in.ID)
}

func (s *People) restore(c context.Context, in *WhoseID) (identities.Identity, error) {
	return s.People.Restore(c, in.ID)
}

func (s *People) claims(c context.Context, in *claimsOf) (out identities.UserInfo, err error) {
	i, err := s.People.Get(c, in.ID)
	if err != nil {
		return out, err
	}
	return i.UserInfo(in.Means.AuthMode()), nil
}

func (s *People) operations() []Operation {
	person := Example{Path: examplePerson}
	return of("people",
		operation("GET", "/identities", "listIdentities", "List people, by national id", s.list,
			refuses(problem.LimitInvalid, problem.AfterInvalid),
			example(Example{Query: map[string]string{"q": "DUPONT", "profession": "10", "limit": "20"}})),
		operation("POST", "/identities", "createIdentity", "Create a person", s.create,
			wholePerson, refuses(problem.IdentityExists), example(Example{Body: exampleNewPerson})),
		operation(
			"POST",
			"/identities/generate",
			"generateIdentities",
			"Generate people",
			s.generate,
			says("The same seed gives the same people in an empty world. Numbers that are taken are left out, and "+
				"next is where to go on from."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.CountInvalid,
				problem.MeansUnknown,
				problem.ProfessionUnknown,
				problem.ThemeUnknown,
				problem.ThemeEmpty,
				problem.MixInvalid,
				problem.NumbersExhausted,
				problem.IdentityTwice,
			),
			example(Example{Body: map[string]any{"count": 3, "seed": 42, "profession": "60", "means": []string{"ecps"}}}),
		),
		operation(
			"POST",
			"/identities/import",
			"importIdentities",
			"Import people",
			s.bring,
			says("Our JSON, YAML or CSV, a UserInfo, or the Annuaire Santé's extraction. All of the people are kept, "+
				"or none."),
			status(http.StatusCreated),
			answersA[Imported](http.StatusCreated, "the people, as they are now"),
			answersA[JobView](http.StatusAccepted, "with async: the job that imports"),
			wholePerson, refuses(
				problem.NationalIDInvalid,
				problem.ImportColumns,
				problem.ImportInvalid,
				problem.ImportEmpty,
				problem.ImportTooMany,
				problem.ImportTooDeep,
				problem.ImportTooLarge,
				problem.IdentityTwice,
				problem.IdentityFromFile,
				problem.NationalIDReal,
				problem.JobsTooMany,
				problem.StoreClaimed,
				problem.StoreReplaced,
			),
			example(Example{Body: `[{"national_id":"899790019999","family_name":"DUPONT","given_name":"Alice"}]`,
				Query: map[string]string{"fictitious": "false"}, Kind: "application/json"}),
		),
		operation("GET", "/identities/export", "exportIdentities", "Export people", s.export,
			answers("*/*", "the people, in the form asked for"), refuses(problem.FormatUnknown),
			example(Example{Query: map[string]string{"format": "csv", "profession": "10"}})),
		operation("GET", "/identities/:id", "getIdentity", "Get a person", s.get,
			refuses(problem.IdentityUnknown), example(person)),
		operation("PUT", "/identities/:id", "putIdentity", "Replace a person, or create them", s.put,
			wholePerson, refuses(problem.IDDiffers),
			example(Example{Path: map[string]string{"id": exampleNewID}, Body: exampleNewPerson})),
		operation("DELETE", "/identities/:id", "deleteIdentity", "Delete a person", s.delete,
			says("The person can be brought back: POST /identities/{id}/restore."),
			refuses(problem.IdentityUnknown, problem.IdentityFromFile), example(person)),
		operation("POST", "/identities/:id/restore", "restoreIdentity", "Undo a delete", s.restore,
			refuses(problem.IdentityNotDeleted, problem.IdentityExists), example(person)),
		operation("GET", "/identities/:id/claims", "getClaims", "Get what a relying party would receive", s.claims,
			refuses(problem.IdentityUnknown),
			example(Example{Path: examplePerson, Query: map[string]string{"means": "card"}})),
	)
}
