package api

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/fhir"
	"pscemu.invalid/pscemu/internal/problem"
)

type exportPeople struct {
	// Format is json, yaml, csv, annuaire, userinfo or fhir; json when it is left
	// out.
	Format string `query:"format"`
	Search
}

// export writes people as they are read, however many.
func (s *People) export(_ context.Context, in *exportPeople) (Stream, error) {
	name := cmp.Or(in.Format, "json")
	if name == "fhir" {
		return s.written(in.query(), "identites.fhir.json", "application/fhir+json",
			func(w io.Writer, each identities.Each) error { return fhir.Write(w, s.FHIR, each) }), nil
	}
	format, known := identities.FormatNamed(name)
	if !known {
		names := []string{"fhir"}
		for _, f := range identities.Formats {
			names = append(names, f.Name)
		}
		return nil, problem.FormatUnknown.Case("export").With("accepted", names).Got(name)
	}
	return s.written(in.query(), format.File, format.MediaType, format.Write), nil
}

// written writes the people whom a search finds into a file.
func (s *People) written(q identities.Query, name, kind string, write func(io.Writer, identities.Each) error) Stream {
	return func(c echo.Context) error {
		attachment(c, name, kind)
		return answerStream(c, http.StatusOK, kind, func(w *bufio.Writer) error {
			return write(w, func(fn func(*identities.Identity) error) error {
				return s.People.Each(c.Request().Context(), q, "", fn)
			})
		})
	}
}
