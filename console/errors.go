package console

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// httpError writes problem details (RFC 9457), or a page to a browser.
func (s *Console) httpError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problem.From(err)
	status := p.Kind.Status()
	var he *echo.HTTPError
	var un *unauthorised
	switch {
	case errors.As(err, &he):
		status = he.Code
		p = unserved(he.Code).Got(c.Request().Method + " " + web.Path(ctx(c), c.Request().URL.Path))
	case errors.As(err, &un):
		status = http.StatusUnauthorized
		p = problem.From(un.error)
	case status == 500:
		slog.ErrorContext(ctx(c), "request failed", "path", web.Path(ctx(c), c.Request().URL.Path), "error", err)
	}
	if !strings.HasPrefix(c.Request().URL.Path, "/api/") && wantsPage(c.Request()) {
		_ = s.page(
			c,
			status,
			"message",
			map[string]any{"Title": "Erreur", "Text": "", "Kind": "error", "Problem": explained(c, p)},
		)
		return
	}
	writeProblem(c.Response(), status, p)
}

// unserved says why nothing answers at an address.
func unserved(status int) *problem.Error {
	text := http.StatusText(status)
	code := "http-" + strings.ToLower(strings.ReplaceAll(text, " ", "-"))
	if !problem.Known(code) {
		return problem.HTTPOther.With("status", text)
	}
	return problem.Code(code).Of()
}

// WriteProblem answers with problem details (RFC 9457).
func WriteProblem(w http.ResponseWriter, err error) {
	p := problem.From(err)
	writeProblem(w, p.Kind.Status(), p)
}

func writeProblem(w http.ResponseWriter, status int, p *problem.Error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		*problem.Error
	}{"about:blank", p.Reason, status, p.Error(), p})
}
