package api

import (
	"bufio"
	"cmp"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/fhir"
	"pscemu.invalid/pscemu/internal/problem"
)

// exportPeople writes them as they are read, however many.
func (s *People) exportPeople(c echo.Context) error {
	name := cmp.Or(c.QueryParam("format"), "json")
	q := PeopleQuery(c)
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

func (s *People) exportFHIR(c echo.Context, q identities.Query) error {
	return s.export(
		c,
		q,
		"identites.fhir.json",
		"application/fhir+json",
		func(w io.Writer, each identities.Each) error {
			return fhir.Write(w, s.FHIR, each)
		},
	)
}

func (s *People) export(c echo.Context, q identities.Query, name, kind string,
	write func(io.Writer, identities.Each) error) error {
	attachment(c, name, kind)
	return answerStream(c, http.StatusOK, kind, func(w *bufio.Writer) error {
		return write(w, func(fn func(*identities.Identity) error) error { return s.People.Each(ctx(c), q, "", fn) })
	})
}
