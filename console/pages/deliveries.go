package pages

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

// Deliveries is the page of what clients' servers were told.
type Deliveries struct {
	View *web.View
	API  *api.Deliveries
}

// Register adds the routes.
func (h *Deliveries) Register(e *echo.Echo) { e.GET("/deliveries", h.list) }

func (h *Deliveries) list(c echo.Context) error {
	client := c.QueryParam("client")
	list, part, err := shell.Shown(c, shell.List{Path: "/deliveries", Filter: url.Values{"client": {client}},
		Count: func(ctx context.Context, most int) (int, error) { return h.API.Sender.Count(ctx, client, most) }},
		h.API.List(shell.Context(c), client))
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/deliveries", map[string]any{"Title": "Envois", "Deliveries": list,
		"Part": part, "Client": client})
}
