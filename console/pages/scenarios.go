package pages

import (
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

// Scenarios is the page of the present situation and of others to load.
type Scenarios struct {
	View *web.View
	API  *api.Scenarios
}

// Register adds the routes.
func (h *Scenarios) Register(e *echo.Echo) {
	e.GET("/scenario", h.show)
	e.GET("/scenario.yaml", h.API.Save)
	e.POST("/scenario", h.enter)
}

// enter is the button of the page.
func (h *Scenarios) enter(c echo.Context) error {
	err := h.API.EnterText(shell.Context(c), c.FormValue("scenario"), c.FormValue("reset") != "")
	if err != nil {
		data := map[string]any{"Title": "Scénarios", "Load": c.FormValue("scenario")}
		return h.View.Form(c, "console/scenario", data, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/scenario?done=1")
}

// maxLink is how long a link may be: browsers and proxies take addresses of 8,000
// characters and not much more (RFC 9110 §4.1).
const maxLink = 8000

// show shows the present situation, and a scenario of a link (?load=,
// base64url of the YAML), to be entered by a press of the button.
func (h *Scenarios) show(c echo.Context) error {
	text, count, err := h.API.Excerpt(shell.Context(c))
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Scénarios", "Present": text, "Done": c.QueryParam("done") != ""}
	data["Count"] = fmt.Sprint(count)
	if count > api.CountedPeople {
		data["Count"] = fmt.Sprintf("plus de %d", api.CountedPeople)
	}
	link := h.API.URL + "/scenario?load=" + base64.RawURLEncoding.EncodeToString([]byte(text))
	switch {
	case count > api.ShownPeople:
		data["Cut"] = api.ShownPeople
	case len(link) > maxLink:
		data["LinkLength"], data["MaxLink"] = len(link), maxLink
	default:
		data["Link"] = link
	}
	var refusal error
	if load := c.QueryParam("load"); load != "" {
		data["Load"], refusal = api.Linked(load)
	}
	return h.View.Form(c, "console/scenario", data, refusal)
}
