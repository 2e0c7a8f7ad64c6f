package pages

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

// Doctor is the page of what may keep a first login from working.
type Doctor struct {
	View *web.View
	// Examine looks from the server's side, at an application too unless "".
	Examine func(ctx context.Context, app string) []api.Finding
}

// Register adds the routes.
func (h *Doctor) Register(e *echo.Echo) { e.GET("/doctor", h.show) }

func (h *Doctor) show(c echo.Context) error {
	if c.QueryParam("app") != "" && shell.OriginOf(c.Request()) != shell.FromOwn { // nobody's link calls anything
		return web.Redirect(c, http.StatusSeeOther, "/doctor")
	}
	app := c.QueryParam("app")
	return h.View.Show(c, http.StatusOK, "console/doctor", map[string]any{
		"Title":    "Diagnostic",
		"Findings": h.Examine(shell.Context(c), strings.TrimSpace(app)),
		"App":      app,
	})
}
