package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"encoding/base64"
	"fmt"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/web"
)

// enterScenario is the button of the page.
func (s *Console) enterScenario(c echo.Context) error {
	err := s.api.Scenarios.EnterText(ctx(c), c.FormValue("scenario"), c.FormValue("reset") != "")
	if err != nil {
		return s.formPage(
			c,
			"console/scenario",
			map[string]any{"Title": "Scénarios", "Load": c.FormValue("scenario")},
			err,
		)
	}
	return web.Redirect(c, http.StatusSeeOther, "/scenario?done=1")
}

// maxLink is how long a link may be: browsers and proxies take addresses of 8,000
// characters and not much more (RFC 9110 §4.1).
const maxLink = 8000

// scenarioPage shows the present situation, and a scenario of a link (?load=,
// base64url of the YAML), to be entered by a press of the button.
func (s *Console) scenarioPage(c echo.Context) error {
	text, count, err := s.api.Scenarios.Excerpt(ctx(c))
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Scénarios", "Present": text, "Done": c.QueryParam("done") != ""}
	data["Count"] = fmt.Sprint(count)
	if count > api.CountedPeople {
		data["Count"] = fmt.Sprintf("plus de %d", api.CountedPeople)
	}
	link := s.URL + "/scenario?load=" + base64.RawURLEncoding.EncodeToString([]byte(text))
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
	return s.formPage(c, "console/scenario", data, refusal)
}
