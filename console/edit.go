package console

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu/cards"
	"pscemu/identities"
	"pscemu/identities/nomenclature"
	"pscemu/problem"
)

// newPersonPage is the form for a person, begun from a profession or from
// somebody who is there; what the form does not show is kept from there.
func (s *Console) newPersonPage(c echo.Context) error {
	i, err := s.beginning(ctx(c), c.QueryParam("from"), c.QueryParam("profession"))
	if err != nil {
		return s.editPage(c, &identities.Identity{}, err)
	}
	return s.editPage(c, i, nil)
}

// beginning makes the person the form starts from, with a free test number.
func (s *Console) beginning(ctx context.Context, from, profession string) (*identities.Identity, error) {
	if profession == "" {
		profession = "10"
	}
	g := &identities.Generator{Seed: uint64(rand.Uint32()), Profession: profession}
	if err := g.Check(); err != nil {
		return nil, err
	}
	fresh := g.Person(0)
	for n := 1; ; n++ {
		if _, err := s.People.Get(ctx, fresh.NationalID); problem.Is(err, "identity-unknown") {
			break
		} else if err != nil {
			return nil, err
		}
		fresh = g.Person(n)
	}
	fresh.Tags = nil
	if from == "" {
		return fresh, nil
	}
	i, err := s.People.Get(ctx, from)
	if err == nil {
		i.NationalID, i.Behaviour = fresh.NationalID, fresh.Behaviour
	}
	return i, err
}

// choice is one option of a select.
type choice struct{ Code, Label string }

func choices(table string, keep func(code string) bool) []choice {
	t, _ := nomenclature.Lookup(table)
	out := []choice{}
	for _, c := range t.Codes {
		if c.End == "" && (keep == nil || keep(c.Code)) {
			out = append(out, choice{c.Code, c.Label})
		}
	}
	return out
}

func (s *Console) editPage(c echo.Context, i *identities.Identity, refusal error) error {
	base, err := json.Marshal(i)
	if err != nil {
		return err
	}
	claims, err := json.MarshalIndent(i.UserInfo("MOBILE"), "", "  ")
	if err != nil {
		return err
	}
	e, a := i.MainExercise(), i.MainActivity()
	var professions []choice
	for _, code := range identities.Professions() {
		professions = append(professions, choice{code, nomenclature.ProfessionLabel(code)})
	}
	data := map[string]any{"Title": "Nouvelle identité", "Person": i, "Exercise": e, "Activity": a, "Base": string(base), "Claims": string(claims), "Professions": professions,
		"Specialties": choices("R38", func(code string) bool { return identities.SpecialtyOf(code) == e.Profession }), "Modes": choices("R23", nil), "Sectors": choices("R02", nil),
		"Sections": choices("R06", nil), "Civilities": choices("R81", nil)}
	status := http.StatusOK
	if refusal != nil {
		status = http.StatusUnprocessableEntity
		data["Problem"] = problem.From(refusal)
	}
	return s.page(c, status, "console_edit", data)
}

// savePerson keeps the person, or shows what a service would receive.
func (s *Console) savePerson(c echo.Context) error {
	i, err := submitted(c)
	if err == nil {
		err = i.Validate()
	}
	if c.FormValue("action") == "preview" {
		return s.preview(c, i, err)
	}
	if err == nil {
		err = s.People.Create(ctx(c), i)
	}
	if err != nil {
		return s.editPage(c, i, err)
	}
	return c.Redirect(http.StatusSeeOther, "/identities/"+url.PathEscape(i.NationalID))
}

// preview answers the page's script, which asks at each change.
func (s *Console) preview(c echo.Context, i *identities.Identity, refusal error) error {
	out := map[string]any{"claims": i.UserInfo("MOBILE")}
	if refusal != nil {
		out["problem"] = problem.From(refusal).Error()
	}
	return c.JSON(http.StatusOK, out)
}

// submitted lays the form over the person it began from.
func submitted(c echo.Context) (*identities.Identity, error) {
	i := &identities.Identity{}
	if err := json.Unmarshal([]byte(c.FormValue("base")), i); err != nil {
		return i, problem.New(problem.Invalid, "form-broken", "the form cannot be read").Got(err.Error()).Do("open it again")
	}
	value := func(name string) string { return strings.TrimSpace(c.FormValue(name)) }
	i.NationalID, i.Civility, i.FamilyName, i.GivenName, i.Email = value("national_id"), value("civility"), value("family_name"), value("given_name"), value("email")
	if len(i.Exercises) == 0 {
		return i, nil
	}
	e := &i.Exercises[0]
	e.FamilyName, e.GivenName = i.FamilyName, i.GivenName
	if e.KnowHow = value("know_how"); e.KnowHow == "" {
		e.KnowHowType = ""
	} else {
		e.KnowHowType = "S"
	}
	if len(e.Activities) > 0 {
		a := &e.Activities[0]
		a.Mode, a.Sector, a.PharmacistSection, a.CorporateName = value("mode"), value("sector"), value("section"), value("structure")
	}
	return i, nil
}

// personAction gives the person a means, or deletes them.
func (s *Console) personAction(c echo.Context) error {
	id, to := param(c, "id"), ""
	var err error
	switch c.Param("action") {
	case "ecps":
		_, err = s.ECPS.Activate(ctx(c), id, cards.DefaultPIN)
		to = "/" + url.PathEscape(id)
	case "card":
		_, err = s.Cards.Issue(ctx(c), id, c.FormValue("type"), "")
		to = "/" + url.PathEscape(id)
	case "delete":
		err = s.People.Delete(ctx(c), id)
		to = "?deleted=" + url.QueryEscape(id)
	case "restore":
		_, err = s.People.Restore(ctx(c), id)
		to = "/" + url.PathEscape(id)
	default:
		err = echo.ErrNotFound
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/identities"+to)
}
