package console

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu/cards"
	"pscemu/identities"
	"pscemu/identities/fhir"
	"pscemu/identities/nomenclature"
	"pscemu/problem"
)

// maxBatch is how many people one call generates: a command goes on with from.
const maxBatch = 5000

// generate makes people with the means asked for. Those who are there already
// stay as they are.
func (s *Console) generate(c echo.Context) (any, error) {
	in := generation{Count: 1}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.generated(c, in)
}

// generation is an order of people.
type generation struct {
	Count      int            `json:"count"`
	Seed       uint64         `json:"seed"`
	From       int            `json:"from,omitempty"`
	Profession string         `json:"profession,omitempty"`
	Theme      string         `json:"theme,omitempty"`
	Mix        map[string]int `json:"mix,omitempty"`
	Traps      bool           `json:"traps,omitempty"`
	Means      []string       `json:"means,omitempty"` // ecps and card when left out
	Quiet      bool           `json:"quiet,omitempty"` // the answer holds no people
}

func (s *Console) generated(c echo.Context, in generation) (any, error) {
	if in.Means == nil {
		in.Means = []string{"ecps", "card"}
	}
	if in.Count < 1 || in.Count > maxBatch || in.From < 0 || in.From+in.Count > identities.MaxGenerated {
		return nil, problem.New(problem.Invalid, "count-invalid", "this many people cannot be made at once").Want("a count from 1 to 5000; go on with from")
	}
	for _, m := range in.Means {
		if m != "ecps" && m != "card" {
			return nil, problem.New(problem.Invalid, "means-unknown", "no such means").Got(m).Want("ecps, card")
		}
	}
	g := &identities.Generator{Seed: in.Seed, Profession: in.Profession, Theme: in.Theme, Mix: in.Mix, Traps: in.Traps}
	if err := g.Check(); err != nil {
		return nil, err
	}
	people := make([]identities.Identity, in.Count)
	for n := range people {
		people[n] = *g.Person(in.From + n)
	}
	added, err := s.People.AddAll(ctx(c), people)
	if err != nil {
		return nil, err
	}
	if err := s.equip(c, added, in.Means); err != nil {
		return nil, err
	}
	if in.Quiet {
		people = nil
	}
	rows := make([]Person, len(people))
	for n := range people {
		rows[n] = Person{Identity: people[n], Name: people[n].Name(), Means: in.Means}
	}
	return items{rows, ""}, nil
}

func (s *Console) equip(c echo.Context, people []identities.Identity, means []string) error {
	if slices.Contains(means, "ecps") {
		if err := s.ECPS.ActivateAll(ctx(c), people, cards.DefaultPIN); err != nil {
			return err
		}
	}
	if slices.Contains(means, "card") {
		return s.Cards.IssueAll(ctx(c), people)
	}
	return nil
}

func (s *Console) importPeople(c echo.Context) (any, error) {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, err
	}
	in, err := identities.ParseImport(raw)
	if err != nil {
		return nil, err
	}
	if c.QueryParam("fictitious") == "true" {
		for n := range in.People {
			if warning := identities.MakeFictitious(&in.People[n]); warning != "" {
				in.Warnings = append(in.Warnings, warning)
			}
		}
	}
	if err := s.People.PutAll(ctx(c), in.People); err != nil {
		return nil, err
	}
	rows := make([]Person, len(in.People))
	for n := range in.People {
		rows[n] = s.person(ctx(c), &in.People[n])
	}
	return struct {
		Items    []Person `json:"items"`
		Warnings []string `json:"warnings"`
	}{rows, slices.Clip(append([]string{}, in.Warnings...))}, nil
}

// exportPeople writes them as they are read, however many.
func (s *Console) exportPeople(c echo.Context) error {
	name := cmp.Or(c.QueryParam("format"), "json")
	q := query(c)
	if name == "fhir" {
		return s.exportFHIR(c, q)
	}
	format, known := identities.FormatNamed(name)
	if !known {
		names := []string{"fhir"}
		for _, f := range identities.Formats {
			names = append(names, f.Name)
		}
		return problem.New(problem.Invalid, "format-unknown", "no such format").Got(name).Want(strings.Join(names, ", "))
	}
	attachment(c, format.File, format.MediaType)
	c.Response().WriteHeader(http.StatusOK)
	return format.Write(c.Response(), func(fn func(*identities.Identity) error) error { return s.People.Each(ctx(c), q, "", fn) })
}

func (s *Console) exportFHIR(c echo.Context, q identities.Query) error {
	people, err := s.People.List(ctx(c), q, "", 0)
	if err != nil {
		return err
	}
	attachment(c, "identites.fhir.json", "application/fhir+json")
	c.Response().WriteHeader(http.StatusOK)
	return json.NewEncoder(c.Response()).Encode(fhir.Export(s.fhirBase(), people))
}

// attachment makes the answer a file to keep. Its name is letters, digits and
// .-_ alone, whatever it was made of: a name is no place for markup, paths or
// header parameters.
func attachment(c echo.Context, name, kind string) {
	name = strings.Map(func(r rune) rune {
		if r > '~' || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", r) {
			return '_'
		}
		return r
	}, name)
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.Response().Header().Set(echo.HeaderContentType, kind)
}

// query is what a listing or an export is asked for.
func query(c echo.Context) identities.Query {
	return identities.Query{Text: c.QueryParam("q"), Profession: c.QueryParam("profession"), Tag: c.QueryParam("tag")}
}

func (s *Console) codeTables(echo.Context) (any, error) {
	type row struct {
		Table   string `json:"table"`
		ID      string `json:"id"`
		OID     string `json:"oid"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Codes   int    `json:"codes"`
	}
	rows := []row{}
	for _, name := range nomenclature.Tables() {
		t, _ := nomenclature.Lookup(name)
		rows = append(rows, row{name, t.ID, t.OID, t.Name, t.Version, len(t.Codes)})
	}
	return items{rows, ""}, nil
}

func (s *Console) codes(c echo.Context) (any, error) {
	t, there := nomenclature.Lookup(param(c, "table"))
	if !there {
		p := problem.New(problem.NotFound, "table-unknown", "no such code table").Got(param(c, "table")).Want("one that GET /api/v1/codes lists, such as G15 or R02")
		if near := problem.Nearest(param(c, "table"), nomenclature.Tables()); near != "" {
			p.Want(near)
		}
		return nil, p
	}
	return items{t.Search(c.QueryParam("q")), ""}, nil
}
