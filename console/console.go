// Package console is the workshop: the control API, the pages on which people
// drive the emulator, and the demo relying party. It listens on loopback.
package console

import (
	"net/http"
	"net/http/pprof"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console/guide"
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
	Demo     *Demo
	Pages    *web.Pages
	Closing  <-chan struct{} // closed when the server stops: streams end then
	State    State
	Spaces   Spaces // nil in a space
	Pprof    bool   // serve /debug/pprof
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
	sessions *sessions
	routed   map[string]bool // method and pattern of every route
	visitors
	jobs     jobs
	entering sync.Mutex // one scenario at a time
}

// New makes the console.
func New(p Parts) *Console {
	return &Console{Parts: p, sessions: newSessions(time.Now), routed: map[string]bool{}}
}

// Handler serves pages, API and demo.
func (s *Console) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.httpError
	e.Use(
		s.Tracer.Requests("console"),
		s.Metrics.Requests("console"),
		middleware.Recover(),
		s.headers,
		s.ownHostOnly,
		s.access,
		s.bodyLimit,
	)
	e.GET("/static/*", echo.WrapHandler(http.StripPrefix("/static/", s.Pages.Files())))
	s.pkiRoutes(e)
	e.GET("/fhir/Practitioner", s.fhirPractitioner)
	e.GET("/fhir/Practitioner/:id", s.fhirRead)
	e.GET("/fhir/PractitionerRole", s.fhirRoles)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error { return c.String(http.StatusOK, "ready\n") })
	e.GET("/metrics", s.metrics)
	for _, r := range s.routes() {
		e.Add(r.Method, "/api/v1"+r.Path, r.serve)
	}
	e.GET("/api/v1/ecps/requests/stream", s.stream)
	e.GET("/api/v1/openapi.json", func(c echo.Context) error { return c.JSON(http.StatusOK, s.OpenAPI()) })
	if s.Pprof {
		e.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
		e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)))
		e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)))
	}
	s.openRoutes(e)
	s.pages(e)
	guide.New(docs.Guides, s.page, s.language).Register(e)
	for _, r := range e.Routes() {
		s.routed[r.Method+" "+r.Path] = true
	}
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

const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *Console) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", csp)
		return next(c)
	}
}

func (s *Console) page(c echo.Context, status int, name string, data map[string]any) error {
	if status < http.StatusBadRequest {
		s.welcome(c)
	}
	data["Console"], data["Strict"] = true, s.Settings.Strict()
	if data["Bare"] == true {
		data["Lang"] = s.language(c)
	}
	body, err := s.Pages.Render(ctx(c), name, data)
	if err != nil {
		return err
	}
	return c.HTMLBlob(status, body)
}

// formPage shows a form, again with what was refused.
func (s *Console) formPage(c echo.Context, name string, data map[string]any, refusal error) error {
	status := http.StatusOK
	if refusal != nil {
		status, data["Problem"] = http.StatusUnprocessableEntity, explained(c, refusal)
	}
	return s.page(c, status, name, data)
}

// language is that of the phone's pages: the person's choice (?lang=, kept in
// a cookie), else French.
func (s *Console) language(c echo.Context) string {
	if lang := c.QueryParam("lang"); web.Speaks(lang) {
		if originOf(c.Request()) != fromForeign {
			s.setCookie(c, "lang", "/", lang, http.SameSiteStrictMode, 0)
		}
		return lang
	}
	for _, kept := range s.cookies(c, "lang") {
		if web.Speaks(kept) {
			return kept
		}
	}
	return web.French
}

// param is a path segment, unescaped: ids may hold a slash.
func param(c echo.Context, name string) string {
	v := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return v
	}
	if u, err := url.PathUnescape(v); err == nil {
		return u
	}
	return v
}
