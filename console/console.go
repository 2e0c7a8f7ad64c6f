// Package console is the workshop: the control API, the pages on which people
// drive the emulator, and the demo relying party. It listens on loopback.
package console

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"pscemu/cards"
	"pscemu/cards/orders"
	"pscemu/cards/pki"
	"pscemu/clock"
	"pscemu/config"
	"pscemu/identities"
	"pscemu/identities/ecps"
	"pscemu/identities/outbox"
	"pscemu/problem"
	"pscemu/provider"
	"pscemu/provider/clients"
	"pscemu/provider/delivery"
	"pscemu/provider/faults"
	"pscemu/provider/journal"
	"pscemu/provider/oidc"
	"pscemu/static"
	"pscemu/store"
	"pscemu/telemetry"
	"pscemu/web"
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
	Closing  <-chan struct{} // closed when the server stops: streams end then
	State    State
	Spaces   Spaces // nil in a space
	Pprof    bool   // serve /debug/pprof
	Limits   config.Limits
	Metrics  *telemetry.Metrics
	Tracer   *telemetry.Tracer // nil for no traces
}

// Console serves the workshop.
type Console struct {
	Parts
	cookie string // name of the pages' cookie, which holds the token
	visitors
	jobs     jobs
	entering sync.Mutex // one scenario at a time
}

// New makes the console.
func New(p Parts) *Console {
	return &Console{Parts: p, cookie: "pscemu-console-" + p.Instance}
}

// Handler serves pages, API and demo.
func (s *Console) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.httpError
	e.Use(s.Tracer.Requests("console"), s.Metrics.Requests("console"), middleware.Recover(), s.headers, s.ownHostOnly, s.bodyLimit)
	e.GET("/static/*", echo.WrapHandler(http.StripPrefix("/static/", static.Files())))
	s.pkiRoutes(e)
	e.GET("/fhir/Practitioner", s.fhirPractitioner)
	e.GET("/fhir/Practitioner/:id", s.fhirRead)
	e.GET("/fhir/PractitionerRole", s.fhirRoles)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error { return c.String(http.StatusOK, "ready\n") })
	e.GET("/metrics", s.metrics)
	api := e.Group("/api/v1", s.authorised)
	for _, r := range s.routes() {
		api.Add(r.Method, r.Path, r.serve)
	}
	api.GET("/ecps/requests/stream", s.stream)
	e.GET("/api/v1/openapi.json", func(c echo.Context) error { return c.JSON(http.StatusOK, s.OpenAPI()) })
	if s.Pprof {
		e.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
		e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)))
		e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)))
	}
	s.pages(e)
	return e
}

// bodyLimit bounds every body; imports, states and backups may be larger.
func (s *Console) bodyLimit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		setting, most := "max-body", s.Limits.Body()
		switch path := c.Request().URL.Path; {
		case path == "/api/v1/backup":
			setting, most = "max-store", s.Limits.Store()
		case strings.HasSuffix(path, "/identities/import") || path == "/api/v1/state" || path == "/api/v1/scenarios":
			setting, most = "max-import", s.Limits.Import()
		}
		return provider.BoundBody(c, setting, most, next)
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

// ownHostOnly refuses requests that reached us under a foreign name (DNS
// rebinding) or that another site's page made.
func (s *Console) ownHostOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return problem.New(problem.Forbidden, "host-foreign", "the console answers under a loopback name only").Got(r.Host).Want(s.URL)
		}
		if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
			return problem.New(problem.Forbidden, "origin-foreign", "the request came from another site").Got(origin).Want("http://" + r.Host)
		}
		if site := r.Header.Get("Sec-Fetch-Site"); r.Method != http.MethodGet && site != "" && site != "same-origin" && site != "none" {
			return problem.New(problem.Forbidden, "origin-foreign", "the request came from another site").Got(site).Want("same-origin")
		}
		return next(c)
	}
}

// authorised wants the bearer token, or the cookie that our own pages set.
func (s *Console) authorised(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, _ := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
		if s.tokenIs(token) || s.hasCookie(c) {
			return next(c)
		}
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="pscemu"`)
		return &unauthorised{problem.New(problem.Forbidden, "api-token-wrong", "the control API wants its token").Want("Authorization: Bearer … with api_token of DATA/ready.json")}
	}
}

type unauthorised struct{ error }

func (s *Console) tokenIs(t string) bool {
	return subtle.ConstantTimeCompare([]byte(t), []byte(s.Token)) == 1
}

func (s *Console) hasCookie(c echo.Context) bool {
	cookie, err := c.Cookie(s.cookie)
	return err == nil && s.tokenIs(cookie.Value)
}

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
		p = problem.New(problem.Invalid, "http-"+strings.ToLower(strings.ReplaceAll(http.StatusText(he.Code), " ", "-")), http.StatusText(he.Code)).Got(c.Request().Method + " " + web.Path(ctx(c), c.Request().URL.Path))
	case errors.As(err, &un):
		status = http.StatusUnauthorized
		p = problem.From(un.error)
	case status == 500:
		slog.ErrorContext(ctx(c), "request failed", "path", web.Path(ctx(c), c.Request().URL.Path), "error", err)
	}
	if !strings.HasPrefix(c.Request().URL.Path, "/api/") && strings.Contains(c.Request().Header.Get("Accept"), "text/html") {
		_ = s.page(c, status, "message", map[string]any{"Title": "Erreur", "Text": "", "Kind": "error", "Problem": explained(c, p)})
		return
	}
	writeProblem(c.Response(), status, p)
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

func (s *Console) page(c echo.Context, status int, name string, data map[string]any) error {
	if !s.hasCookie(c) {
		c.SetCookie(&http.Cookie{Name: s.cookie, Value: s.Token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	data["Console"], data["Strict"] = true, s.Settings.Strict()
	if data["Bare"] == true {
		data["Lang"] = s.language(c)
	}
	body, err := static.Render(ctx(c), name, data)
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
	name := s.cookie + "-lang"
	if lang := c.QueryParam("lang"); static.Speaks(lang) {
		c.SetCookie(&http.Cookie{Name: name, Value: lang, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return lang
	}
	if kept, err := c.Cookie(name); err == nil {
		return kept.Value
	}
	return static.French
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
