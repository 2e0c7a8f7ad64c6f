// Package console is the wiring of the workshop: it gives the pages on which
// people drive the emulator, the control API and the demo what they need, and
// lets in who may ask. It listens on loopback.
package console

import (
	"context"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console/access"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/internal/web"
)

// Setup is what a console is made of.
type Setup struct {
	API      *api.API // it holds the services that the pages drive too
	Pages    *web.Pages
	Demo     *demo.Demo // nil when there is no demo client
	Access   Access
	Listener Listener
	Closing  <-chan struct{} // closed when the server stops: streams end then
}

// Access says who may use the console.
type Access struct {
	Token    string // of the control API
	Instance string // makes its cookies differ from those of others on this host
	Link     bool   // it wants the one-time link, or the token
	// NewLink, unless nil, hears of each link that takes a used one's place.
	NewLink func(openURL string)
}

// Listener is how the console listens, and who hears of it.
type Listener struct {
	Limits  config.Limits
	Metrics *telemetry.Metrics
	Tracer  *telemetry.Tracer // nil for no traces
	Pprof   bool              // serve /debug/pprof
}

// Console serves the workshop.
type Console struct {
	echo   *echo.Echo
	gate   *access.Gate
	routes []web.Route
}

// New makes the console.
func New(s Setup) *Console {
	cookies := shell.Cookies{Instance: s.Access.Instance}
	door := access.NewDoor(cookies, s.Access.Token, s.Access.Link)
	views := shell.NewViews(s.Pages, cookies, s.API.Settings.Settings.Strict, door.Welcome)
	gate := access.NewGate(door, views.Bare, s.API.URL, s.Access.NewLink)
	guard := access.NewGuard(door, gate, s.API.URL)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = views.Error
	e.Use(
		s.Listener.Tracer.Requests("console"),
		s.Listener.Metrics.Requests("console"),
		middleware.Recover(),
		web.Headers(headers),
		guard.OwnHostOnly,
		guard.Access,
		limitBodies(s.Listener.Limits),
	)
	w := wiring{s, views, cookies, door}
	out := &Console{echo: e, gate: gate, routes: web.Mount(e, "console", append(w.handlers(), gate)...)}
	guard.Knows(e.Routes())
	return out
}

// OpenURL is the link that opens the console once. Whoever holds it comes in.
func (c *Console) OpenURL() string { return c.gate.OpenURL() }

// Handler serves pages, API and demo.
func (c *Console) Handler() http.Handler { return c.echo }

// Routes are all addresses that it answers, by path.
func (c *Console) Routes() []web.Route { return c.routes }

// ConnContext lets requests tell whose program is at the other end of their
// connection. It is for http.Server.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return access.ConnContext(ctx, conn)
}

// WhyURL is the page of a console that explains a refusal.
func WhyURL(base, code, loginID string) string { return shell.WhyURL(base, code, loginID) }

// headers are those of every answer.
var headers = map[string]string{
	"Referrer-Policy":         "same-origin",
	"X-Content-Type-Options":  "nosniff",
	"Cache-Control":           "no-store",
	"Content-Security-Policy": web.CSP + "; worker-src 'self'",
}
