package api

import (
	"context"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// Codes are the code tables of the field.
type Codes struct{}

// CodeTable is a table of codes.
type CodeTable struct {
	// Table is its short name, such as G15.
	Table   string `json:"table"`
	ID      string `json:"id"`
	OID     string `json:"oid"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// Codes is how many it has.
	Codes int `json:"codes"`
}

type codesOf struct {
	// Table is the short name of a table.
	Table string `path:"table"`
	// Q is part of a code or of its label.
	Q string `query:"q"`
}

func (s *Codes) tables(context.Context, *None) (*List[CodeTable], error) {
	rows := []CodeTable{}
	for _, name := range nomenclature.Tables() {
		t, _ := nomenclature.Lookup(name)
		rows = append(rows, CodeTable{name, t.ID, t.OID, t.Name, t.Version, len(t.Codes)})
	}
	return all(rows), nil
}

func (s *Codes) codes(_ context.Context, in *codesOf) (*List[nomenclature.Concept], error) {
	t, there := nomenclature.Lookup(in.Table)
	if !there {
		p := problem.TableUnknown.Got(in.Table)
		if near := problem.Nearest(in.Table, nomenclature.Tables()); near != "" {
			p = p.Case("near").With("nearest", near)
		}
		return nil, p
	}
	return all(t.Search(in.Q)), nil
}

func (s *Codes) operations() []Operation {
	return of("codes",
		operation("GET", "/codes", "listCodeTables", "List the code tables", s.tables),
		operation("GET", "/codes/:table", "listCodes", "List the codes of a table", s.codes, refuses(problem.TableUnknown),
			example(Example{Path: map[string]string{"table": "G15"}, Query: map[string]string{"q": "médecin"}})),
	)
}
