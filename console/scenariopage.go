package console

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"pscemu.invalid/pscemu/internal/web"
)

// enterScenario is the button of the page.
func (s *Console) enterScenario(c echo.Context) error {
	err := s.enterText(ctx(c), c.FormValue("scenario"), c.FormValue("reset") != "")
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

// Bounds of the page: how many people it shows, how many it counts, and how
// long a link may be, since browsers and proxies take addresses of 8,000
// characters and not much more (RFC 9110 §4.1).
const (
	shownPeople   = 20
	countedPeople = 10_000
	maxLink       = 8000
)

var errCounted = errors.New("counted")

// excerpt is the present situation with its first people, how many they are,
// and whether that is all of them.
func (s *Console) excerpt(ctx context.Context) (text string, count int, err error) {
	sc, err := s.around(ctx)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	err = sc.writeYAML(&b, func(fn func([]byte) error) error {
		err := s.changedPeople(ctx, func(raw []byte) error {
			switch count++; {
			case count > countedPeople:
				return errCounted
			case count <= shownPeople:
				return fn(raw)
			}
			return nil
		})
		if errors.Is(err, errCounted) {
			return nil
		}
		return err
	})
	return b.String(), count, err
}

// scenarioPage shows the present situation, and a scenario of a link (?load=,
// base64url of the YAML), to be entered by a press of the button.
func (s *Console) scenarioPage(c echo.Context) error {
	text, count, err := s.excerpt(ctx(c))
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Scénarios", "Present": text, "Done": c.QueryParam("done") != ""}
	data["Count"] = fmt.Sprint(count)
	if count > countedPeople {
		data["Count"] = fmt.Sprintf("plus de %d", countedPeople)
	}
	link := s.URL + "/scenario?load=" + base64.RawURLEncoding.EncodeToString([]byte(text))
	switch {
	case count > shownPeople:
		data["Cut"] = shownPeople
	case len(link) > maxLink:
		data["LinkLength"], data["MaxLink"] = len(link), maxLink
	default:
		data["Link"] = link
	}
	var refusal error
	if load := c.QueryParam("load"); load != "" {
		data["Load"], refusal = linked(load)
	}
	return s.formPage(c, "console/scenario", data, refusal)
}

// linked is the scenario of a link.
func linked(load string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(load)
	if err != nil {
		return "", scenarioUnreadable(err.Error())
	}
	sc, err := readScenario(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	sc.close()
	return string(raw), nil
}
