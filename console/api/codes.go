package api

import (
	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// Codes are the code tables of the field.
type Codes struct{}

func (s *Codes) codeTables(echo.Context) (any, error) {
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

func (s *Codes) codes(c echo.Context) (any, error) {
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

func (s *Codes) routes() []route {
	return []route{
		{"GET", "/codes", "The code tables", s.codeTables},
		{"GET", "/codes/:table", "The codes of a table; ?q= searches", s.codes},
	}
}
