package shell

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Error writes problem details (RFC 9457), or a page to a browser.
func (v Views) Error(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problem.From(err)
	status := p.Kind.Status()
	var he *echo.HTTPError
	var un *Unauthorised
	switch {
	case errors.As(err, &he):
		status = he.Code
		p = unserved(he.Code).Got(c.Request().Method + " " + web.Path(Context(c), c.Request().URL.Path))
	case errors.As(err, &un):
		status = http.StatusUnauthorized
		p = problem.From(un.Refusal)
	case status == 500:
		slog.ErrorContext(Context(c), "request failed", "path", web.Path(Context(c), c.Request().URL.Path), "error", err)
	}
	if !strings.HasPrefix(c.Request().URL.Path, "/api/") && WantsPage(c.Request()) {
		data := map[string]any{"Title": "Erreur", "Text": "", "Kind": "error", "Problem": v.Whole.Explained(c, p)}
		_ = v.Whole.Show(c, status, "message", data)
		return
	}
	web.WriteProblem(c.Response(), status, p)
}

// Unauthorised is a refusal that is answered with 401.
type Unauthorised struct{ Refusal error }

// Error is the refusal's.
func (u *Unauthorised) Error() string { return u.Refusal.Error() }

// unserved says why nothing answers at an address.
func unserved(status int) *problem.Error {
	text := http.StatusText(status)
	code := "http-" + strings.ToLower(strings.ReplaceAll(text, " ", "-"))
	if !problem.Known(code) {
		return problem.HTTPOther.With("status", text)
	}
	return problem.Code(code).Of()
}
