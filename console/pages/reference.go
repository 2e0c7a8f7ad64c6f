package pages

import (
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/web"
)

// Reference is the page that shows the control API and tries a call.
type Reference struct {
	View *web.View
	API  *api.API

	once  sync.Once
	whole *api.Reference
}

// Register adds the route.
func (h *Reference) Register(e *echo.Echo) { e.GET("/api", h.show) }

func (h *Reference) show(c echo.Context) error {
	h.once.Do(func() { h.whole = h.API.Reference() })
	return h.View.Show(c, http.StatusOK, "console/api", map[string]any{
		"Title": "API de pilotage", "Reference": h.whole, "URL": h.API.URL})
}
