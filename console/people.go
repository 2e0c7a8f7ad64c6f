package console

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/fhir"
	"pscemu.invalid/pscemu/identities/nomenclature"
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
func (s *Console) generate(c echo.Context) (any, error) {
	in := generation{Count: 1}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	g, err := in.generator()
	if err != nil {
		return nil, err
	}
	made, err := s.People.Generate(ctx(c), g, in.From, in.Count, s.equip(in.Means))
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

// equip gives people these means within a transaction.
func (p *Parts) equip(means []identities.Means) identities.Equip {
	return func(tx store.Tx, people []identities.Identity) error {
		if slices.Contains(means, identities.MeansECPS) {
			if err := p.ECPS.ActivateAllIn(tx, people, cards.DefaultPIN); err != nil {
				return err
			}
		}
		if slices.Contains(means, identities.MeansCard) {
			return p.Cards.IssueAllIn(tx, people)
		}
		return nil
	}
}

// importPeople reads the whole import and judges it before it changes anything;
// it keeps all the people, or none.
func (s *Console) importPeople(c echo.Context) (any, error) {
	scratch, err := spooled(c)
	if err != nil {
		return nil, err
	}
	fictitious := c.QueryParam("fictitious") == "true"
	if c.QueryParam("async") == "true" {
		return s.importLater(c, scratch, fictitious)
	}
	defer scratch.Close()
	in, err := s.keepImport(ctx(c), scratch, fictitious, nil)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return sent{}, s.answerImport(c, in)
}

// importLater imports in a job, which closes what was put aside.
func (s *Console) importLater(c echo.Context, scratch *identities.Scratch, fictitious bool) (any, error) {
	j, err := s.startJob("import", "/identities?", func(ctx context.Context, j *job) (any, error) {
		defer scratch.Close()
		in, err := s.keepImport(ctx, scratch, fictitious, j)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		return importResult{in.Len(), notNil(in.Warnings)}, nil
	})
	if err != nil {
		scratch.Close()
		return nil, err
	}
	return sent{}, accepted(c, j)
}

// importResult is what an import came to.
type importResult struct {
	Count    int      `json:"count"`
	Warnings []string `json:"warnings"`
}

// String tells it on a page.
func (r importResult) String() string {
	return fmt.Sprintf("%d identités, %d avertissements", r.Count, len(r.Warnings))
}

// keepImport judges an import and keeps it. The caller closes it.
func (s *Console) keepImport(ctx context.Context, scratch *identities.Scratch, fictitious bool, j *job) (
	*identities.Import, error) {
	raw, err := scratch.Open()
	if err != nil {
		return nil, err
	}
	in, err := s.People.OpenImport(ctx, raw, fictitious)
	if err != nil {
		return nil, err
	}
	err = identities.InBatches(ctx, s.Store, "import", in.Len(), func(do store.Step) error {
		return s.People.Keep(in, do, func(n int) { j.progress(n, in.Len()) })
	})
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// answerImport answers with the people of an import, as they are now.
func (s *Console) answerImport(c echo.Context, in *identities.Import) error {
	return answerStream(c, http.StatusCreated, echo.MIMEApplicationJSON, func(w *bufio.Writer) error {
		_, _ = w.WriteString(`{"items":[`) // what fails is kept by the writer
		separator := ""
		err := in.Pages(identities.Batch, func(page []identities.Kept) error {
			rows, err := s.persons(ctx(c), page)
			for _, row := range rows {
				raw, err := json.Marshal(row)
				if err != nil {
					return err
				}
				_, _ = w.WriteString(separator)
				_, _ = w.Write(raw)
				separator = ","
			}
			return err
		})
		if err != nil {
			return err
		}
		raw, err := json.Marshal(notNil(in.Warnings))
		_, _ = w.WriteString(`],"warnings":` + string(raw) + "}\n")
		return err
	})
}

// persons are people with their means, read in one transaction.
func (s *Console) persons(ctx context.Context, page []identities.Kept) (out []Person, err error) {
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
		return problem.FormatUnknown.Case("export").With("accepted", names).Got(name)
	}
	return s.export(c, q, format.File, format.MediaType, format.Write)
}

func (s *Console) exportFHIR(c echo.Context, q identities.Query) error {
	return s.export(
		c,
		q,
		"identites.fhir.json",
		"application/fhir+json",
		func(w io.Writer, each identities.Each) error {
			return fhir.Write(w, s.fhirBase(), each)
		},
	)
}

func (s *Console) export(c echo.Context, q identities.Query, name, kind string,
	write func(io.Writer, identities.Each) error) error {
	attachment(c, name, kind)
	return answerStream(c, http.StatusOK, kind, func(w *bufio.Writer) error {
		return write(w, func(fn func(*identities.Identity) error) error { return s.People.Each(ctx(c), q, "", fn) })
	})
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
		p := problem.TableUnknown.Got(param(c, "table"))
		if near := problem.Nearest(param(c, "table"), nomenclature.Tables()); near != "" {
			p = p.Case("near").With("nearest", near)
		}
		return nil, p
	}
	return items{t.Search(c.QueryParam("q")), ""}, nil
}
