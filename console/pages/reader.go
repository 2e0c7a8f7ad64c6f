package pages

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Reader is the card reader: the logins that wait for a card.
type Reader struct {
	View  *web.View
	API   *api.Reader
	Cards *api.Cards
}

// Register adds the routes.
func (h *Reader) Register(e *echo.Echo) {
	e.GET("/reader", h.list)
	e.POST("/reader/:request", h.answer)
}

// list shows the logins that wait for a card (CIBA, channel CARD), live.
func (h *Reader) list(c echo.Context) error { return h.show(c, nil) }

// waitingCard is a login at the reader with the cards that can answer it.
type waitingCard struct {
	ecps.Request
	Cards shell.SomeCards
}

func (h *Reader) show(c echo.Context, refusal error) error {
	waiting := func(ctx context.Context, most int) (int, error) {
		return h.API.ECPS.CountWaiting(ctx, identities.MeansCard, most)
	}
	requests := api.Requests(shell.Context(c), h.API.ECPS, ecps.Filter{Means: identities.MeansCard, PendingOnly: true})
	rs, part, err := shell.Shown(c, shell.List{Path: "/reader", Count: waiting}, requests)
	if err != nil {
		return err
	}
	var rows []waitingCard
	for _, r := range rs {
		all, err := shell.FewCards(r.NationalID, h.Cards.List(shell.Context(c), r.NationalID))
		if err != nil {
			return err
		}
		rows = append(rows, waitingCard{r, all})
	}
	data := map[string]any{"Title": "Lecteur de cartes", "Requests": rows, "Part": part}
	if refusal != nil {
		data["Problem"] = problem.From(refusal)
	}
	return h.View.Show(c, http.StatusOK, "console/reader", data)
}

func (h *Reader) answer(c echo.Context) error {
	id := web.Param(c, "request")
	var err error
	if c.FormValue("answer") == "refuse" {
		_, err = h.API.ECPS.Answer(shell.Context(c), id, ecps.Refused)
	} else {
		serial := cmp.Or(strings.TrimSpace(c.FormValue("serial")), c.FormValue("card"))
		_, err = h.API.Present(shell.Context(c), id, serial, c.FormValue("pin"))
	}
	if err != nil {
		return h.show(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/reader")
}
