package pages

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Refusals are the pages that explain what was refused.
type Refusals struct {
	View *web.View
	API  *api.Refusals
	Sees func(echo.Context) bool // who may also see what is of one login
}

// Register adds the routes.
func (h *Refusals) Register(e *echo.Echo) {
	e.GET("/why", h.list)
	e.GET("/why/:code", h.one)
}

func (h *Refusals) one(c echo.Context) error {
	login, hidden := c.QueryParam("login"), ""
	if login != "" && !h.Sees(c) {
		login, hidden = "", c.Request().URL.RequestURI() // shown behind the console's door
	}
	e, err := h.API.Explain(web.Param(c, "code"), login, h.View.Lang(c))
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/why", map[string]any{"Title": e.Code, "Why": e, "Hidden": hidden})
}

func (h *Refusals) list(c echo.Context) error {
	type area struct {
		Name  string
		Codes []problem.Why
	}
	var areas []area
	for _, w := range problem.Catalogue(h.View.Lang(c)) {
		if len(areas) == 0 || areas[len(areas)-1].Name != w.Area {
			areas = append(areas, area{Name: w.Area})
		}
		last := &areas[len(areas)-1]
		last.Codes = append(last.Codes, w)
	}
	return h.View.Show(c, http.StatusOK, "console/whys", map[string]any{"Title": "Refus", "Areas": areas})
}
