package console

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// The console is opened by a link that serves once, or with the API token on
// a page.

func (s *Console) openRoutes(e *echo.Echo) {
	e.GET("/open", s.openByLink)
	e.POST("/open", s.openByToken)
}

// OpenURL is the link that opens the console once. Whoever holds it comes in.
func (s *Console) OpenURL() string {
	return s.URL + "/open?" + url.Values{"link": {s.sessions.current()}}.Encode()
}

// openByLink uses the link up and goes on to the console: the address with the
// secret is in no page's address bar, and in no Referer.
func (s *Console) openByLink(c echo.Context) error {
	secret, to := c.QueryParam("link"), onward(c)
	switch {
	case isPrefetch(c.Request()):
		return c.NoContent(http.StatusServiceUnavailable) // nobody clicked yet
	case secret != "" && s.sessions.takeLink(secret):
		s.letIn(c, s.visitorOf(c))
		if s.NewLink != nil {
			s.NewLink(s.OpenURL())
		}
		return web.Redirect(c, http.StatusSeeOther, "/"+to)
	case originOf(c.Request()) == fromForeign:
		return s.gate(c, http.StatusForbidden, nil)
	case s.entered(c) || !s.Link:
		return web.Redirect(c, http.StatusSeeOther, "/"+to)
	case secret != "":
		return s.gate(
			c,
			http.StatusForbidden,
			problem.ConsoleLinkUsed.Of(),
		)
	}
	return s.gate(c, http.StatusOK, nil)
}

// openByToken takes the API token from the page's form; another site's form
// was refused before.
func (s *Console) openByToken(c echo.Context) error {
	token := strings.TrimSpace(c.FormValue("token"))
	ok, wait := s.sessions.try(func() bool { return s.tokenIs(token) })
	switch {
	case wait > 0:
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		c.Response().Header().Set("Retry-After", seconds)
		return s.gate(
			c,
			http.StatusTooManyRequests,
			problem.ConsoleTokenTries.With("seconds", seconds),
		)
	case !ok:
		return s.gate(
			c,
			http.StatusForbidden,
			problem.ConsoleTokenWrong.Of(),
		)
	}
	s.letIn(c, s.visitorOf(c))
	return web.Redirect(c, http.StatusSeeOther, "/"+onward(c))
}

// visitorOf is the machine's user to whom a session belongs. Where everybody
// is let in nobody asks.
func (s *Console) visitorOf(c echo.Context) string {
	if !s.Link {
		return ""
	}
	return peer(ctx(c))
}

// gate is the small page before the console: a link that goes on from here,
// for who came from another site, or the form for the token.
func (s *Console) gate(c echo.Context, status int, refusal *problem.Error) error {
	if status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="pscemu"`)
	}
	r := c.Request()
	to := ownPath(r.URL.RequestURI())
	if r.URL.Path == "/open" {
		to = onward(c)
	}
	data := map[string]any{
		"Title":     "Ouvrir la console",
		"Bare":      true,
		"To":        to,
		"Elsewhere": originOf(r) == fromForeign,
		"Strict":    s.Settings.Strict(),
	}
	if refusal != nil {
		data["Problem"] = explained(c, refusal)
	}
	return s.page(c, status, "console/open", data)
}

// onward is where the page before the console was to lead.
func onward(c echo.Context) string {
	to := c.FormValue("to") // with its first slash, or without
	if u, err := url.Parse(to); err != nil || u.IsAbs() || u.Host != "" {
		return ""
	}
	return ownPath("/" + strings.TrimPrefix(to, "/"))
}

// ownPath is a path of this world to go on to, without its first slash; empty
// for whatever is none.
func ownPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") {
		return ""
	}
	for _, r := range to {
		if r <= ' ' || r == '\\' || r == 0x7f {
			return ""
		}
	}
	return to[1:]
}
