package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

func (s *Console) whyPage(c echo.Context) error {
	login, hidden := c.QueryParam("login"), ""
	if login != "" && !s.door.Sees(c) {
		login, hidden = "", c.Request().URL.RequestURI() // shown behind the console's door
	}
	e, err := s.api.Refusals.Explain(param(c, "code"), login, web.French)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console/why", map[string]any{"Title": e.Code, "Why": e, "Hidden": hidden})
}

func (s *Console) whyListPage(c echo.Context) error {
	type area struct {
		Name  string
		Codes []problem.Why
	}
	var areas []area
	for _, w := range problem.Catalogue(web.French) {
		if len(areas) == 0 || areas[len(areas)-1].Name != w.Area {
			areas = append(areas, area{Name: w.Area})
		}
		last := &areas[len(areas)-1]
		last.Codes = append(last.Codes, w)
	}
	return s.page(c, http.StatusOK, "console/whys", map[string]any{"Title": "Refus", "Areas": areas})
}
