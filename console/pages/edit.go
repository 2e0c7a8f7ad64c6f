package pages

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
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

func (h *Editor) show(c echo.Context, i *identities.Identity, refusal error) error {
	base, err := json.Marshal(i)
	if err != nil {
		return err
	}
	claims, err := json.MarshalIndent(i.UserInfo(identities.AuthModeMobile), "", "  ")
	if err != nil {
		return err
	}
	data := map[string]any{
		"Title":       "Nouvelle identité",
		"Path":        "/identities/new",
		"Person":      i,
		"Tags":        strings.Join(i.Tags, " "),
		"Base":        string(base),
		"Claims":      string(claims),
		"Professions": professions(),
		"Examples":    examples(),
		"Exercises":   exerciseForms(i),
		"Actions":     identities.Actions,
	}
	for name, table := range tables {
		data[name] = choices(table, nil)
	}
	if id := web.Param(c, "id"); id != "" {
		data["Title"], data["There"] = "Modifier "+i.Name(), true
		data["Path"] = "/identities/" + url.PathEscape(id) + "/edit"
	}
	return h.View.Form(c, "console/edit", data, refusal)
}

// tables are the code tables whose every code can be chosen, by their name on
// the page.
var tables = map[string]string{"Modes": "R23", "Sections": "R06", "Civilities": "R81", "Categories": "R09",
	"Kinds": "R22", "Functions": "R21", "Roles": "R85"}

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

// preview answers the page's script, which asks at each change.
func preview(c echo.Context, i *identities.Identity) error {
	out := map[string]any{"claims": i.UserInfo(identities.AuthModeMobile)}
	if err := i.Validate(); err != nil {
		out["problem"] = problem.From(err).Error()
	}
	return c.JSON(http.StatusOK, out)
}
