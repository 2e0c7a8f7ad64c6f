// Package console is the workshop: the control API, the pages on which people
// drive the emulator, and the demo relying party. It listens on loopback.
package console

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console/access"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/console/guide"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/docs"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// Parts are what the console drives.
type Parts struct {
	Store    store.Store
	Clock    *clock.Adjustable
	People   *identities.People
	ECPS     *ecps.Service
	Outbox   *outbox.Outbox
	Cards    *cards.Desk
	Orders   *orders.Desk
	PKI      *pki.PKI
	Clients  *clients.Registry
	Provider *provider.Server
	OIDC     *oidc.Provider
	Sender   *delivery.Sender
	Journal  *journal.Journal
	Faults   *faults.Set
	Settings *config.Live
	Token    string // bearer token of the control API
	Version  string
	URL      string // it is reached at, without a slash at the end
	Instance string // makes its cookies differ from those of others on this host
	Demo     *demo.Demo
	Pages    *web.Pages
	Closing  <-chan struct{} // closed when the server stops: streams end then
	API      *api.API
	Pprof    bool // serve /debug/pprof
	Limits   config.Limits
	Metrics  *telemetry.Metrics
	Tracer   *telemetry.Tracer // nil for no traces
	Link     bool              // the console wants the one-time link, or the token
	// NewLink, unless nil, hears of each link that takes a used one's place.
	NewLink func(openURL string)
}

// Console serves the workshop.
type Console struct {
	Parts
	views   shell.Views
	cookies shell.Cookies
	door    *access.Door
	gate    *access.Gate
	guard   *access.Guard
	visitors
	deskParty *demo.Party
	api       *api.API
}

// New makes the console.
func New(p Parts) *Console {
	cookies := shell.Cookies{Instance: p.Instance}
	door := access.NewDoor(cookies, p.Token, p.Link)
	views := shell.NewViews(p.Pages, cookies, p.Settings.Strict, door.Welcome)
	gate := access.NewGate(door, views.Bare, p.URL, p.NewLink)
	return &Console{Parts: p, api: p.API, views: views, cookies: cookies, door: door, gate: gate, guard: access.NewGuard(door, gate, p.URL),
		deskParty: demo.NewParty(p.Demo, cookies, p.URL, "/desk")}
}

// OpenURL is the link that opens the console once. Whoever holds it comes in.
func (s *Console) OpenURL() string { return s.gate.OpenURL() }

// Handler serves pages, API and demo.
func (s *Console) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.views.Error
	e.Use(
		s.Tracer.Requests("console"),
		s.Metrics.Requests("console"),
		middleware.Recover(),
		web.Headers(headers),
		s.guard.OwnHostOnly,
		s.guard.Access,
		s.bodyLimit,
	)
	e.GET("/static/*", echo.WrapHandler(http.StripPrefix("/static/", s.Pages.Files())))
	(&api.Revocation{PKI: s.PKI}).Register(e)
	(&api.Directory{People: s.People, Base: s.URL + "/fhir"}).Register(e)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error { return c.String(http.StatusOK, "ready\n") })
	e.GET("/metrics", s.metrics)
	s.api.Register(e)
	if s.Pprof {
		e.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
		e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)))
		e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)))
	}
	s.gate.Register(e)
	s.pages(e)
	guide.New(docs.Guides, s.views.Guide.Show, s.views.Guide.Lang).Register(e)
	s.guard.Knows(e.Routes())
	return e
}

// bodyLimit bounds every body; imports, states and backups may be larger.
func (s *Console) bodyLimit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		setting, most := "max-body", s.Limits.Body()
		switch path := c.Request().URL.Path; {
		case path == "/api/v1/backup" || path == "/api/v1/state":
			setting, most = "max-store", s.Limits.Store()
		case strings.HasSuffix(path, "/identities/import") || path == "/api/v1/scenarios":
			setting, most = "max-import", s.Limits.Import()
		}
		return web.BoundBody(c, setting, most, next)
	}
}

// headers are those of every answer.
var headers = map[string]string{
	"Referrer-Policy":         "same-origin",
	"X-Content-Type-Options":  "nosniff",
	"Cache-Control":           "no-store",
	"Content-Security-Policy": web.CSP + "; worker-src 'self'",
}

func (s *Console) page(c echo.Context, status int, name string, data map[string]any) error {
	return s.views.Whole.Show(c, status, name, data)
}

func (s *Console) formPage(c echo.Context, name string, data map[string]any, refusal error) error {
	return s.views.Whole.Form(c, name, data, refusal)
}

func param(c echo.Context, name string) string { return web.Param(c, name) }

// WhyURL is the page of a console that explains a refusal.
func WhyURL(base, code, loginID string) string { return shell.WhyURL(base, code, loginID) }

// ConnContext lets requests tell whose program is at the other end of their
// connection. It is for http.Server.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return access.ConnContext(ctx, conn)
}

func ctx(c echo.Context) context.Context { return c.Request().Context() }
