package access

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Gate is the small page before the console, which is opened by a link that
// serves once, or with the API token.
type Gate struct {
	door    *Door
	view    *web.View
	url     string // of the console, without a slash at the end
	newLink func(openURL string)
}

// NewGate makes the gate. newLink, unless nil, hears of each link that takes a
// used one's place.
func NewGate(d *Door, v *web.View, url string, newLink func(openURL string)) *Gate {
	return &Gate{d, v, url, newLink}
}

// Register adds the gate's routes.
func (g *Gate) Register(e *echo.Echo) {
	e.GET("/open", g.byLink)
	e.POST("/open", g.byToken)
}

// OpenURL is the link that opens the console once. Whoever holds it comes in.
func (g *Gate) OpenURL() string {
	return g.url + "/open?" + url.Values{"link": {g.door.sessions.current()}}.Encode()
}

// byLink uses the link up and goes on to the console: the address with the
// secret is in no page's address bar, and in no Referer.
func (g *Gate) byLink(c echo.Context) error {
	secret, to := c.QueryParam("link"), onward(c)
	switch {
	case isPrefetch(c.Request()):
		return c.NoContent(http.StatusServiceUnavailable) // nobody clicked yet
	case secret != "" && g.door.sessions.takeLink(secret):
		g.door.letIn(c)
		if g.newLink != nil {
			g.newLink(g.OpenURL())
		}
		return web.Redirect(c, http.StatusSeeOther, "/"+to)
	case shell.OriginOf(c.Request()) == shell.FromForeign:
		return g.show(c, http.StatusForbidden, nil)
	case g.door.Entered(c) || !g.door.link:
		return web.Redirect(c, http.StatusSeeOther, "/"+to)
	case secret != "":
		return g.show(
			c,
			http.StatusForbidden,
			problem.ConsoleLinkUsed.Of(),
		)
	}
	return g.show(c, http.StatusOK, nil)
}

// byToken takes the API token from the page's form; another site's form was
// refused before.
func (g *Gate) byToken(c echo.Context) error {
	token := strings.TrimSpace(c.FormValue("token"))
	ok, wait := g.door.sessions.try(func() bool { return g.door.tokenIs(token) })
	switch {
	case wait > 0:
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		c.Response().Header().Set("Retry-After", seconds)
		return g.show(
			c,
			http.StatusTooManyRequests,
			problem.ConsoleTokenTries.With("seconds", seconds),
		)
	case !ok:
		return g.show(
			c,
			http.StatusForbidden,
			problem.ConsoleTokenWrong.Of(),
		)
	}
	g.door.letIn(c)
	return web.Redirect(c, http.StatusSeeOther, "/"+onward(c))
}

// show shows the page: a link that goes on from here, for who came from another
// site, or the form for the token.
func (g *Gate) show(c echo.Context, status int, refusal *problem.Error) error {
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
		"To":        to,
		"Elsewhere": shell.OriginOf(r) == shell.FromForeign,
	}
	if refusal != nil {
		data["Problem"] = g.view.Explained(c, refusal)
	}
	return g.view.Show(c, status, "console/open", data)
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
