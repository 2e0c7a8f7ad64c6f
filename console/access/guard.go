package access

import (
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/problem"
)

// Guard holds every request to the table of reaches.
type Guard struct {
	door   *Door
	gate   *Gate
	url    string
	routed map[string]bool // method and pattern of every route
}

// NewGuard makes the guard of a console at this address.
func NewGuard(d *Door, g *Gate, url string) *Guard {
	return &Guard{d, g, url, map[string]bool{}}
}

// Knows says which routes there are.
func (g *Guard) Knows(routes []*echo.Route) {
	for _, r := range routes {
		g.routed[r.Method+" "+r.Path] = true
	}
}

// OwnHostOnly refuses requests that reached us under a foreign name (DNS
// rebinding), and whatever another site's page sends.
func (g *Guard) OwnHostOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return problem.HostForeign.With("url", g.url).Got(r.Host)
		}
		sends := r.Method != http.MethodGet || len(r.Header.Values("Origin")) > 0
		if sends && shell.OriginOf(r) == shell.FromForeign {
			return foreign(r)
		}
		return next(c)
	}
}

func foreign(r *http.Request) error {
	got := "Origin: " + r.Header.Get("Origin")
	if r.Header.Get("Origin") == "" {
		got = "Sec-Fetch-Site: " + r.Header.Get("Sec-Fetch-Site")
	}
	return problem.OriginForeign.With("host", r.Host).Got(got)
}

// Access holds every route to its row of reaches. What is no route goes on: it
// is 404 or 405 for everybody.
func (g *Guard) Access(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !g.routed[r.Method+" "+c.Path()] {
			return next(c)
		}
		switch ReachOf(c.Path()) {
		case ByAnybody:
			return next(c)
		case ByVisitor:
			if shell.OriginOf(r) == shell.FromForeign && !shell.ShowsAPerson(r) {
				return foreign(r)
			}
			return next(c)
		case ByToken:
			return g.withToken(c, next)
		}
		return g.withSession(c, next)
	}
}

// withSession wants a browser that opened the console, on our own pages.
func (g *Guard) withSession(c echo.Context, next echo.HandlerFunc) error {
	r := c.Request()
	elsewhere := shell.OriginOf(r) == shell.FromForeign
	switch {
	case elsewhere && shell.ShowsAPerson(r):
		return g.gate.show(c, http.StatusForbidden, nil)
	case elsewhere:
		return foreign(r)
	case g.door.Entered(c), g.door.HoldsToken(r), r.Method == http.MethodGet && !g.door.link:
		return next(c)
	case r.Method != http.MethodGet:
		return problem.ConsoleCookieMissing.Of()
	case shell.WantsPage(r):
		return g.gate.show(c, http.StatusUnauthorized, nil)
	}
	return unauthorised(c, closed())
}

func closed() *problem.Error {
	return problem.ConsoleClosed.Of()
}

// withToken wants the bearer token, or a session, on our own pages only.
func (g *Guard) withToken(c echo.Context, next echo.HandlerFunc) error {
	if shell.OriginOf(c.Request()) == shell.FromForeign {
		return foreign(c.Request())
	}
	if g.door.HoldsToken(c.Request()) || g.door.Entered(c) {
		return next(c)
	}
	return unauthorised(
		c,
		problem.APITokenWrong.Of(),
	)
}

// unauthorised answers 401.
func unauthorised(c echo.Context, p *problem.Error) error {
	c.Response().Header().Set("WWW-Authenticate", `Bearer realm="pscemu"`)
	return &shell.Unauthorised{Refusal: p}
}
