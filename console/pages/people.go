package pages

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
)

// People are the pages of the identities: the list, one of them, and what is
// done to one or to many.
type People struct {
	View  *web.View
	API   *api.People
	Cards *api.Cards
}

// Register adds the routes.
func (h *People) Register(e *echo.Echo) {
	e.GET("/identities", h.list)
	e.GET("/identities/:id", h.one)
	e.POST("/identities/bulk", h.bulk)
	e.POST("/identities/:id/:action", h.act)
}

func (h *People) list(c echo.Context) error {
	q := api.PeopleQuery(c)
	list := shell.List{Path: "/identities", Filter: url.Values{"q": {q.Text}, "profession": {q.Profession},
		"tag": {q.Tag}}}
	if q == (identities.Query{}) {
		list.Count = h.API.People.Count
	}
	rows, part, err := shell.Shown(c, list, h.API.List(shell.Context(c), q))
	if err != nil {
		return err
	}
	gone, err := h.API.People.Deleted(shell.Context(c), shell.PageRows+1)
	if err != nil {
		return err
	}
	gone, more := store.Cut(gone, shell.PageRows, func(i *identities.Identity) string { return i.NationalID })
	return h.View.Show(c, http.StatusOK, "console/identities", map[string]any{"Title": "Identités", "People": rows,
		"Query": q, "Part": part, "Deleted": c.QueryParam("deleted"), "Gone": gone, "MoreGone": more != "",
		"Done": c.QueryParam("done"), "Professions": professions(), "Actions": identities.Actions})
}

func (h *People) one(c echo.Context) error {
	i, err := h.API.People.Get(shell.Context(c), web.Param(c, "id"))
	if err != nil {
		return err
	}
	claims, err := json.MarshalIndent(i.UserInfo(identities.AuthModeMobile), "", "  ")
	if err != nil {
		return err
	}
	all, err := shell.FewCards(i.NationalID, h.Cards.List(shell.Context(c), i.NationalID))
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/identity", map[string]any{
		"Title":     i.Name(),
		"Person":    h.API.View(shell.Context(c), i),
		"Claims":    string(claims),
		"Cards":     all,
		"CardTypes": cards.Families,
		"CardType":  cards.TypeOf(i),
	})
}
