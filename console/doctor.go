package console

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

func (s *Console) doctorPage(c echo.Context) error {
	if c.QueryParam("app") != "" && shell.OriginOf(c.Request()) != shell.FromOwn { // nobody's link calls anything
		return web.Redirect(c, http.StatusSeeOther, "/doctor")
	}
	return s.page(
		c,
		http.StatusOK,
		"console/doctor",
		map[string]any{"Title": "Diagnostic", "Findings": s.api.Doctor.Examine(ctx(c), strings.TrimSpace(c.QueryParam("app"))), "App": c.QueryParam("app")},
	)
}
