package pages

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/web"
)

// Outbox is the page of the mails and SMS.
type Outbox struct {
	View   *web.View
	Outbox *outbox.Outbox
}

// Register adds the routes.
func (h *Outbox) Register(e *echo.Echo) { e.GET("/outbox", h.list) }

// mailView is a message with the QR code it holds.
type mailView struct {
	outbox.Message
	Image any
}

// list shows the mails and SMS, the newest first.
func (h *Outbox) list(c echo.Context) error {
	id := c.QueryParam("national_id")
	list, part, err := shell.Shown(c, shell.List{Path: "/outbox", Filter: url.Values{"national_id": {id}},
		Count: func(ctx context.Context, most int) (int, error) { return h.Outbox.Count(ctx, id, most) }},
		h.newest(shell.Context(c), id))
	if err != nil {
		return err
	}
	rows := make([]mailView, len(list))
	for n, m := range list {
		rows[n] = mailView{Message: m}
	}
	for n := range rows[:min(len(rows), 20)] { // older ones have their link
		if rows[n].Link != "" {
			if rows[n].Image, err = web.QR(rows[n].Link); err != nil {
				return err
			}
		}
	}
	return h.View.Show(c, http.StatusOK, "console/outbox", map[string]any{
		"Title": "Courriels et SMS", "Messages": rows, "Part": part})
}

// newest are everybody's, by pages, or a person's, of whom few are kept.
func (h *Outbox) newest(c context.Context, id string) api.Lister[outbox.Message] {
	if id == "" {
		return func(after string, limit int) ([]outbox.Message, string, error) {
			return h.Outbox.Latest(c, after, limit)
		}
	}
	return func(string, int) ([]outbox.Message, string, error) {
		list, err := h.Outbox.List(c, outbox.Filter{NationalID: id}, outbox.MaxOf)
		slices.Reverse(list)
		return list, "", err
	}
}
