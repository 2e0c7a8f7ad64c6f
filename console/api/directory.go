package api

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/fhir"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Directory answers as the Annuaire Santé does, in FHIR.
type Directory struct {
	People *identities.People
	Base   string // its address
}

// Register adds the directory's routes.
func (s *Directory) Register(e *echo.Echo) {
	e.GET("/fhir/Practitioner", s.fhirPractitioner)
	e.GET("/fhir/Practitioner/:id", s.fhirRead)
	e.GET("/fhir/PractitionerRole", s.fhirRoles)
}

// The directory beside the login: a vendor's look-up in the Annuaire Santé
// agrees with the person who logs in. Read-only.

// fhirPeople finds who a search names: identifier=value or system|value, or a
// resource id.
func (s *Directory) fhirPeople(c echo.Context, wanted string) ([]identities.Identity, error) {
	if i := strings.LastIndex(wanted, "|"); i >= 0 {
		wanted = wanted[i+1:]
	}
	wanted = strings.TrimPrefix(strings.TrimPrefix(wanted, "Practitioner/"), "pscemu-")
	for _, id := range []string{wanted, "8" + wanted, strings.Replace(wanted, "-", "/", 1)} {
		i, err := s.People.Get(c.Request().Context(), id)
		if err == nil {
			return []identities.Identity{*i}, nil
		}
		if !problem.Is(err, problem.IdentityUnknown) {
			return nil, err
		}
	}
	return nil, nil
}

func (s *Directory) fhirPractitioner(c echo.Context) error {
	if c.QueryParam("identifier") == "" {
		return s.fhirRefused(
			c,
			"the search names nobody",
			"identifier=<RPPS or national id>, or identifier=system|value",
		)
	}
	people, err := s.fhirPeople(c, c.QueryParam("identifier"))
	if err != nil {
		return err
	}
	var found []fhir.Resource
	for n := range people {
		found = append(found, fhir.Practitioner(&people[n]))
	}
	return fhirJSON(c, http.StatusOK, fhir.Search(s.Base, found))
}

func (s *Directory) fhirRoles(c echo.Context) error {
	wanted := c.QueryParam("practitioner")
	if wanted == "" {
		wanted = c.QueryParam("practitioner.identifier")
	}
	if wanted == "" {
		return s.fhirRefused(
			c,
			"the search names nobody",
			"practitioner=<id> or practitioner.identifier=<RPPS or national id>",
		)
	}
	people, err := s.fhirPeople(c, wanted)
	if err != nil {
		return err
	}
	var found []fhir.Resource
	for n := range people {
		roles, structures := fhir.Roles(&people[n])
		found = append(found, roles...)
		if strings.HasSuffix(c.QueryParam("_include"), ":organization") {
			found = append(found, structures...)
		}
	}
	return fhirJSON(c, http.StatusOK, fhir.Search(s.Base, found))
}

func (s *Directory) fhirRead(c echo.Context) error {
	people, err := s.fhirPeople(c, web.Param(c, "id"))
	if err != nil {
		return err
	}
	if len(people) == 0 {
		return fhirJSON(c, http.StatusNotFound, outcome("not-found", "no such practitioner"))
	}
	return fhirJSON(c, http.StatusOK, fhir.Practitioner(&people[0]))
}

func (s *Directory) fhirRefused(c echo.Context, reason, want string) error {
	return fhirJSON(c, http.StatusBadRequest, outcome("required", reason+"; expected: "+want))
}

// outcome is FHIR's way to say what went wrong.
func outcome(code, text string) map[string]any {
	return map[string]any{
		"resourceType": "OperationOutcome",
		"issue":        []any{map[string]any{"severity": "error", "code": code, "diagnostics": text}},
	}
}

func fhirJSON(c echo.Context, status int, v any) error {
	c.Response().Header().Set(echo.HeaderContentType, "application/fhir+json; charset=utf-8")
	return c.JSON(status, v)
}
