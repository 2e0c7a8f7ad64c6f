// Package pages is the workshop: the pages on which people drive the emulator.
package pages

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider"
)

// Home is the first page of the console: the doors, the settings, the keys; and
// the page that says where the emulator differs from Pro Santé Connect.
type Home struct {
	View     *web.View
	Settings *api.Settings
	Keys     *api.Keys
	Version  string
}

// Register adds the routes.
func (h *Home) Register(e *echo.Echo) {
	e.GET("/", h.home)
	e.GET("/fidelity", h.fidelity)
}

func (h *Home) home(c echo.Context) error {
	return h.View.Show(c, http.StatusOK, "console/home", map[string]any{
		"Title":    "Console",
		"Doors":    h.Settings.Doors.List(),
		"Settings": h.Settings.Settings.Table(),
		"Keys":     h.Keys.OIDC.Keys(),
		"Version":  h.Version,
	})
}

func (h *Home) fidelity(c echo.Context) error {
	rows, err := provider.Ledger()
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/fidelity", map[string]any{"Title": "Fidélité", "Rows": rows})
}
