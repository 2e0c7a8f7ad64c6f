package provider

import (
	"errors"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// newView shows the provider's pages: no cache keeps them, and the journal notes
// those of a login.
func newView(settings *config.Live, cookies login.Cookies, j *journal.Journal, pages *web.Pages) *web.View {
	choice := &web.Choice{
		Kept: func(c echo.Context) []string { return []string{cookies.Language(c.Request())} },
		Keep: func(c echo.Context, lang string) { cookies.SetLanguage(c.Response(), lang) },
	}
	prepare := func(c echo.Context, _ int, name string, _ map[string]any) {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store, must-revalidate, max-age=0")
		if h.Get("Content-Security-Policy") == "" {
			h.Set("Content-Security-Policy", web.CSP)
		}
		if strings.HasPrefix(c.Path(), "/login/:id") {
			j.Page(c.Request().Context(), c.Param("id"), path.Base(name))
		}
	}
	return &web.View{
		Pages:   pages,
		Strict:  func() bool { return settings.Strict() },
		Lang:    choice.Lang,
		Prepare: prepare,
		Why:     func(c echo.Context, refusal error) string { return why(c, j, refusal) },
	}
}

// why is the address that explains a refusal, which a header of the answer
// names too; "" where nothing is explained.
func why(c echo.Context, j *journal.Journal, refusal error) string {
	h := c.Response().Header()
	if h.Get(journal.HeaderWhy) == "" {
		login := ""
		if id := c.Param("id"); strings.HasPrefix(c.Path(), "/login/:id") && len(id) <= web.MostField {
			login = id
		}
		if to := j.Why(problem.From(refusal).Code, login); to != "" {
			h.Set(journal.HeaderWhy, to)
		}
	}
	return h.Get(journal.HeaderWhy)
}

// failures notes what was refused and answers: a page for a person, an OAuth
// error for a client.
type failures struct {
	strict  func() bool
	journal *journal.Journal
	pages   *web.View
	writer  *wire.Writer
}

func newFailures(settings *config.Live, j *journal.Journal, pages *web.View) *failures {
	return &failures{strict: pages.Strict, journal: j, pages: pages,
		writer: &wire.Writer{Strict: func() bool { return settings.Strict() }, Why: pages.Why}}
}

// onPage notes a step that was refused, and answers with the page of a row of
// the table.
func (f *failures) onPage(c echo.Context, kind journal.Kind, key, clientID string, err error) error {
	f.journal.Add(c.Request().Context(), "", kind, map[string]string{"client_id": clientID}, err)
	a := wire.Of(key)
	return f.pages.Refuse(c, a.Status, a.Text, err)
}

// handle answers below the realm as Keycloak does, elsewhere with a page.
func (f *failures) handle(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, p := f.judged(err, c)
	text := http.StatusText(status)
	switch {
	case strings.HasPrefix(c.Request().URL.Path, site.RealmPath+"/"):
		_ = c.JSON(status, f.asKeycloak(status, text, p))
	case p != nil:
		_ = f.pages.Refuse(c, status, text, p)
	default:
		if status == http.StatusNotFound {
			text = problem.HTTPNotFound.Of().Page(f.pages.Lang(c)).Reason
		}
		_ = f.pages.Show(c, status, "message", map[string]any{"Title": "Erreur", "Text": text, "Kind": "error"})
	}
}

// judged is the status of an error, and the refusal where it is one.
func (f *failures) judged(err error, c echo.Context) (int, *problem.Error) {
	ctx := c.Request().Context()
	var he *echo.HTTPError
	var p *problem.Error
	switch {
	case errors.As(err, &he):
		return he.Code, nil
	case errors.As(err, &p) && p.Kind != problem.Internal:
		f.journal.Add(ctx, "", journal.KindRefused, nil, p)
		return p.Kind.Status(), p
	}
	slog.ErrorContext(ctx, "request failed", "path", web.Path(ctx, c.Request().URL.Path), "error", err)
	return http.StatusInternalServerError, p
}

func (f *failures) asKeycloak(status int, text string, p *problem.Error) map[string]string {
	answer := map[string]string{"error": "HTTP " + strconv.Itoa(status) + " " + text}
	if p != nil && !f.strict() {
		answer["error_description"] = wire.Text(p.Error())
	}
	return answer
}

// dropped tells the story of a login that had to make room, when it is still
// kept. The request that pushed it out is not its own.
func dropped(j *journal.Journal, most int) func(id string) {
	return func(id string) {
		reason := problem.LoginDropped.Case("journal").With("logins", most)
		j.AddKept(id, journal.KindDropped, reason)
	}
}
