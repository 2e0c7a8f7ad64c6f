package pages

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/web"
)

// Cards are the pages of the cards, and of a signature with one.
type Cards struct {
	View   *web.View
	API    *api.Cards
	People *identities.People
}

// Register adds the routes.
func (h *Cards) Register(e *echo.Echo) {
	e.GET("/cards", h.list)
	e.GET("/cards/:serial", h.one)
	e.POST("/cards/kit", h.kit)
	e.POST("/cards/:serial/:action", h.act)
	e.GET("/sign", h.sign)
	e.POST("/sign", h.sign)
}

func (h *Cards) list(c echo.Context) error {
	id := c.QueryParam("national_id")
	list, part, err := shell.Shown(c, shell.List{Path: "/cards", Filter: url.Values{"national_id": {id}},
		Count: func(ctx context.Context, most int) (int, error) { return h.API.Cards.Count(ctx, id, most) }},
		h.API.List(shell.Context(c), id))
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/cards", map[string]any{"Title": "Cartes", "Cards": list, "Part": part,
		"Kits": cards.Kits()})
}

// one shows the card's printed face and what can be done with it.
func (h *Cards) one(c echo.Context) error {
	card, err := h.API.Cards.Get(shell.Context(c), web.Param(c, "serial"))
	if err != nil {
		return err
	}
	kind, err := cards.FamilyNamed(card.Type)
	if err != nil {
		return err
	}
	inside, err := h.API.Cards.Inserted(shell.Context(c))
	if err != nil {
		return err
	}
	data := map[string]any{
		"Title":      string(card.Type) + " " + card.Serial,
		"Card":       card,
		"Type":       kind,
		"Inserted":   inside != nil && inside.Serial == card.Serial,
		"Activities": []string{},
	}
	if person, err := h.People.Get(shell.Context(c), card.NationalID); err == nil {
		data["Profession"], data["Activities"] = nomenclature.ProfessionLabel(person.Profession()), onCard(person)
	}
	return h.View.Show(c, http.StatusOK, "console/card", data)
}

// maxOnCard is how many activities a card holds.
const maxOnCard = 16

// onCard are the activities that a person's card holds.
func onCard(i *identities.Identity) (out []string) {
	for _, e := range i.Exercises {
		profession := nomenclature.ProfessionLabel(e.Profession)
		for _, a := range e.Activities {
			if len(out) < maxOnCard {
				out = append(out, profession+" — "+a.CorporateName+" — "+nomenclature.Label("R02", a.Sector))
			}
		}
	}
	return out
}

func (h *Cards) kit(c echo.Context) error {
	kit, err := cards.KitNamed(c.FormValue("kit"))
	if err != nil {
		return err
	}
	if _, err := h.API.Cards.Issue(shell.Context(c), cards.Request{Kit: kit}); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/identities?tag="+url.QueryEscape(c.FormValue("kit")))
}

func (h *Cards) act(c echo.Context) error {
	var err error
	serial := web.Param(c, "serial")
	switch c.Param("action") {
	case "oppose":
		err = h.API.Cards.Oppose(shell.Context(c), serial, c.FormValue("reason"))
	case "unblock":
		err = h.API.Cards.Unblock(shell.Context(c), serial)
	case "insert":
		_, err = h.API.Cards.Insert(shell.Context(c), serial)
	case "pull":
		err = h.API.Cards.PullOut(shell.Context(c))
	default:
		err = echo.ErrNotFound
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/cards/"+url.PathEscape(serial))
}
