package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Editor is the form for a person.
type Editor struct {
	View   *web.View
	People *identities.People
}

// Register adds the routes.
func (h *Editor) Register(e *echo.Echo) {
	e.GET("/identities/new", h.begin)
	e.POST("/identities/new", h.save)
	e.GET("/identities/:id/edit", h.open)
	e.POST("/identities/:id/edit", h.save)
}

// The form for a person. Its fields bear the claims' own names: e0.codeProfession
// is of the first exercise, e0.a1.codeModeExercice of its second activity. What
// the form does not show travels in the hidden field base.

// begin is the form for a new person, begun from a profession or from
// somebody who is there.
func (h *Editor) begin(c echo.Context) error {
	i, err := h.beginning(shell.Context(c), c.QueryParam("from"), c.QueryParam("profession"))
	if err != nil {
		return h.show(c, &identities.Identity{}, err)
	}
	return h.show(c, i, nil)
}

// open is the form for somebody who is there.
func (h *Editor) open(c echo.Context) error {
	i, err := h.People.Get(shell.Context(c), web.Param(c, "id"))
	if err != nil {
		return err
	}
	return h.show(c, i, nil)
}

// beginning makes the person the form starts from, with a free test number.
func (h *Editor) beginning(ctx context.Context, from, profession string) (*identities.Identity, error) {
	if profession == "" {
		profession = "10"
	}
	g := &identities.Generator{Seed: uint64(rand.Uint32()), Profession: profession}
	if err := g.Check(); err != nil {
		return nil, err
	}
	fresh := g.Person(0)
	for n := 1; ; n++ {
		if _, err := h.People.Get(ctx, fresh.NationalID); problem.Is(err, problem.IdentityUnknown) {
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
	i, err := h.People.Get(ctx, from)
	if err == nil {
		i.NationalID, i.Behaviour, i.Source = fresh.NationalID, fresh.Behaviour, ""
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

func among(codes []string) func(string) bool {
	return func(code string) bool { return slices.Contains(codes, code) }
}

// exerciseForm is an exercise with what can be chosen for it.
type exerciseForm struct {
	identities.Exercise
	At, Label              string // e0, the profession's name
	Civilities, Types, How []choice
	Places                 []activityForm
}

// activityForm is an activity with what can be chosen for it.
type activityForm struct {
	identities.Activity
	At, Of        string // e0.a0, of e0
	Usual, Others []choice
	Structures    []choice
	Details       []detail
}

// detail is a field that is typed.
type detail struct{ Name, Label, Value string }

// chosen are the fields of an activity that the form shows as selects.
var chosen = []string{
	"codeModeExercice",
	"codeSecteurDactivite",
	"codeSectionPharmacien",
	"codeRole",
	"codeGenreActivite",
}

func exerciseForms(i *identities.Identity) (out []exerciseForm) {
	for n, e := range i.Exercises {
		f := exerciseForm{
			Exercise:   e,
			At:         fmt.Sprintf("e%d", n),
			Label:      nomenclature.ProfessionLabel(e.Profession),
			Civilities: choices("R11", among(identities.CivilitiesOf(e.Profession))),
			Types:      choices("R04", among(identities.KnowHowTypesOf(e.Profession))),
		}
		for _, c := range identities.KnowHowCodes(e.Profession, e.KnowHowType) {
			f.How = append(f.How, choice{c.Code, c.Label})
		}
		for m, a := range e.Activities {
			fit := identities.SectorsOf(e.Profession, a.Mode)
			p := activityForm{
				Activity: a,
				At:       fmt.Sprintf("%s.a%d", f.At, m),
				Of:       f.At,
				Usual:    choices("R02", among(fit)),
				Others:   choices("R02", func(code string) bool { return !slices.Contains(fit, code) }),
			}
			for k, s := range identities.Structures(a.Sector) {
				p.Structures = append(p.Structures, choice{strconv.Itoa(k), s.CorporateName})
			}
			p.Details = details(a, p.At)
			f.Places = append(f.Places, p)
		}
		out = append(out, f)
	}
	return out
}

// details are the fields of an activity that are typed, in PSC's order.
func details(a identities.Activity, at string) (out []detail) {
	raw, _ := json.Marshal(a) // strings alone
	d := json.NewDecoder(strings.NewReader(string(raw)))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		value, _ := d.Token()
		if field := fmt.Sprint(name); !slices.Contains(chosen, field) {
			out = append(out, detail{at + "." + field, identities.FieldLabel(field), fmt.Sprint(value)})
		}
	}
	return out
}

func (h *Editor) show(c echo.Context, i *identities.Identity, refusal error) error {
	base, err := json.Marshal(i)
	if err != nil {
		return err
	}
	claims, err := json.MarshalIndent(i.UserInfo(identities.AuthModeMobile), "", "  ")
	if err != nil {
		return err
	}
	var professions, examples []choice
	for _, code := range identities.Professions() {
		professions = append(professions, choice{code, nomenclature.ProfessionLabel(code)})
	}
	for _, p := range identities.Personas() {
		examples = append(examples, choice{p.NationalID, p.Name() + " — " + p.Notes})
	}
	data := map[string]any{
		"Title":       "Nouvelle identité",
		"Path":        "/identities/new",
		"Person":      i,
		"Tags":        strings.Join(i.Tags, " "),
		"Base":        string(base),
		"Claims":      string(claims),
		"Professions": professions,
		"Examples":    examples,
		"Exercises": exerciseForms(
			i,
		),
		"Modes":      choices("R23", nil),
		"Sections":   choices("R06", nil),
		"Civilities": choices("R81", nil),
		"Categories": choices("R09", nil),
		"Kinds":      choices("R22", nil),
		"Functions":  choices("R21", nil),
		"Roles":      choices("R85", nil),
		"Actions":    identities.Actions,
	}
	if id := web.Param(c, "id"); id != "" {
		data["Title"], data["Path"], data["There"] = "Modifier "+i.Name(), "/identities/"+url.PathEscape(
			id,
		)+"/edit", true
	}
	return h.View.Form(c, "console/edit", data, refusal)
}

// save keeps the person, changes the form, or shows what a service would
// receive.
func (h *Editor) save(c echo.Context) error {
	i, err := submitted(c)
	switch action := c.FormValue("action"); {
	case err != nil:
		return h.show(c, i, err)
	case action == "preview":
		return preview(c, i)
	case action != "save":
		return h.show(c, i, reshape(i, action, c.FormValue("add_profession")))
	}
	if id := web.Param(c, "id"); id == "" {
		err = h.People.Create(shell.Context(c), i)
	} else {
		i.NationalID = id
		err = h.People.Put(shell.Context(c), i)
	}
	if err != nil {
		return h.show(c, i, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/identities/"+url.PathEscape(i.NationalID))
}

// reshape adds or takes away an exercise or activity: add-exercise, add-e0,
// remove-e0, remove-e0.a1. Any other action only lets the choices follow.
func reshape(i *identities.Identity, action, profession string) error {
	verb, at, _ := strings.Cut(action, "-")
	switch {
	case action == "add-exercise":
		return addExercise(i, profession)
	case verb != "add" && verb != "remove":
		return nil
	}
	var n, m int
	if got, _ := fmt.Sscanf(
		at,
		"e%d.a%d",
		&n,
		&m,
	); got == 0 || n >= len(i.Exercises) || got == 2 && m >= len(i.Exercises[n].Activities) || n < 0 ||
		m < 0 {
		return problem.FormBroken.Got(action)
	}
	e := &i.Exercises[n]
	switch {
	case verb == "add":
		e.Activities = append(e.Activities, example(e.Profession).MainActivity())
	case strings.Contains(at, "."):
		e.Activities = slices.Delete(e.Activities, m, m+1)
	default:
		i.Exercises = slices.Delete(i.Exercises, n, n+1)
	}
	return nil
}

// addExercise adds one of this profession, as the generator makes it.
func addExercise(i *identities.Identity, profession string) error {
	if err := (&identities.Generator{Profession: profession}).Check(); err != nil {
		return err
	}
	e := example(profession).MainExercise()
	e.FamilyName, e.GivenName = i.FamilyName, i.GivenName
	i.Exercises = append(i.Exercises, e)
	return nil
}

// example is anybody of a profession.
func example(profession string) *identities.Identity {
	g := &identities.Generator{Seed: uint64(rand.Uint32()), Profession: profession}
	if g.Check() != nil {
		g.Profession = "" // an exercise without profession, or one that is not generated
	}
	return g.Person(0)
}

// preview answers the page's script, which asks at each change.
func preview(c echo.Context, i *identities.Identity) error {
	out := map[string]any{"claims": i.UserInfo(identities.AuthModeMobile)}
	if err := i.Validate(); err != nil {
		out["problem"] = problem.From(err).Error()
	}
	return c.JSON(http.StatusOK, out)
}

// submitted lays the form over the person it began from.
func submitted(c echo.Context) (*identities.Identity, error) {
	i := &identities.Identity{}
	if err := json.Unmarshal([]byte(c.FormValue("base")), i); err != nil {
		return i, problem.FormBroken.Got(err.Error())
	}
	form, err := c.FormParams()
	if err != nil {
		return i, err
	}
	value := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	i.NationalID, i.Civility, i.FamilyName, i.GivenName, i.Email, i.Mobile = value(
		"national_id",
	), value(
		"civility",
	), value(
		"family_name",
	), value(
		"given_name",
	), value(
		"email",
	), value(
		"mobile",
	)
	i.Notes, i.Tags, i.AllowInvalid = value("notes"), strings.Fields(value("tags")), value("allow_invalid")
	for n := range i.Exercises {
		if err := overlay(form, fmt.Sprintf("e%d.", n), &i.Exercises[n]); err != nil {
			return i, err
		}
		e := &i.Exercises[n]
		e.FamilyName, e.GivenName = i.FamilyName, i.GivenName
		for m := range e.Activities {
			at := fmt.Sprintf("e%d.a%d.", n, m)
			if err := overlay(form, at, &e.Activities[m]); err != nil {
				return i, err
			}
			if k, err := strconv.Atoi(value(at + "structure")); err == nil {
				if all := identities.Structures(e.Activities[m].Sector); k >= 0 && k < len(all) {
					e.Activities[m].MoveTo(all[k])
				}
			}
		}
		if i.AllowInvalid == "" {
			e.Settle()
		}
	}
	i.Behaviour, err = identities.ParseBehaviour(form.Get("behaviour"), value("after"))
	return i, err
}

// overlay sets the fields of an exercise or activity that the form has.
func overlay(form url.Values, prefix string, into any) error {
	fields := map[string]string{}
	for name, values := range form {
		if field, ok := strings.CutPrefix(name, prefix); ok && !strings.Contains(field, ".") && field != "structure" {
			fields[field] = strings.TrimSpace(values[0])
		}
	}
	raw, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	return err
}
