// Package provider is Pro Santé Connect itself: the protocol endpoints, the
// login pages and the card origin. One file holds one endpoint or flow.
package provider

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
)

// RealmPath is the path of the realm below the base URL; the issuer is both.
const RealmPath = "/auth/realms/esante-wallet"

// Config is what the provider needs to know.
type Config struct {
	BaseURL string   // B, without a slash at its end, Root included
	CardURL string   // of the card listener
	Root    string   // path that all addresses begin with, "" for none
	Hosts   []string // further names to answer as
	Limits  config.Limits
}

// Server answers on the protocol listener and on the card origin.
type Server struct {
	config   Config
	settings *config.Live
	clock    clock.Clock
	oidc     *oidc.Provider
	clients  *clients.Registry
	auth     *clients.Authenticator
	people   *identities.People
	ecps     *ecps.Phones
	cards    *cards.Cards
	pki      *pki.PKI
	logins   *login.Logins
	journal  *journal.Journal
	store    store.Store
	sender   *delivery.Sender
	faults   *faults.Set
	metrics  *telemetry.Metrics
	tracer   *telemetry.Tracer
	pages    *web.Pages
	closing  <-chan struct{}
}

// Parts are the services the provider is made of.
type Parts struct {
	Settings *config.Live
	Store    store.Store
	Clock    clock.Clock
	Sender   *delivery.Sender
	OIDC     *oidc.Provider
	Clients  *clients.Registry
	Auth     *clients.Authenticator
	People   *identities.People
	ECPS     *ecps.Phones
	Cards    *cards.Cards
	PKI      *pki.PKI
	Logins   *login.Logins
	Journal  *journal.Journal
	Faults   *faults.Set
	Metrics  *telemetry.Metrics
	Tracer   *telemetry.Tracer // nil for no traces
	Pages    *web.Pages
	Closing  <-chan struct{} // closed when the server stops: long polls end then
}

// New makes the provider.
func New(c Config, p Parts) *Server {
	s := &Server{
		config:   c,
		settings: p.Settings,
		store:    p.Store,
		sender:   p.Sender,
		clock:    p.Clock,
		oidc:     p.OIDC,
		clients:  p.Clients,
		auth:     p.Auth,
		people:   p.People,
		ecps:     p.ECPS,
		cards:    p.Cards,
		pki:      p.PKI,
		logins:   p.Logins,
		journal:  p.Journal,
		faults:   p.Faults,
		metrics:  p.Metrics,
		tracer:   p.Tracer,
		pages:    p.Pages,
		closing:  p.Closing,
	}
	s.logins.Dropped = s.dropped
	return s
}

// Handler serves the protocol listener.
func (s *Server) Handler() http.Handler {
	e := s.echo("protocol")
	o := RealmPath + "/protocol/openid-connect"
	both := func(path string, h echo.HandlerFunc) {
		e.GET(path, h)
		e.POST(path, h)
	}
	both("/auth", s.authorize)
	both(o+"/auth", s.authorize)
	both(o+"/userinfo", s.userinfo)
	both(o+"/logout", s.logout)
	e.POST(o+"/token", s.token)
	e.POST(o+"/token/introspect", s.introspect)
	e.POST(o+"/revoke", s.revoke)
	e.POST(o+"/ext/ciba/auth", s.ciba)
	e.POST(o+"/ext/par/request", s.par)
	e.POST(o+"/auth/device", s.notServed("device-forbidden"))
	both(RealmPath+"/clients-registrations/openid-connect", s.notServed("registration-forbidden"))
	e.GET(o+"/login-status-iframe.html", s.sessionFrame)
	e.GET(o+"/login-status-iframe.html/init", s.sessionFrameInit)
	e.GET(o+"/certs", s.jwks)
	e.GET(RealmPath+"/.well-known/openid-configuration", s.discovery)
	e.GET(RealmPath+"/.well-known/wallet-openid-configuration", s.discovery)
	s.loginRoutes(e)
	s.walletRoutes(e)
	return s.underItsName(s.journal.Record(s.faulty(normalise(e))))
}

// CardHandler serves the card origin.
func (s *Server) CardHandler() http.Handler {
	e := s.echo("card")
	e.GET("/card", s.cardOrigin)
	return s.underItsName(s.journal.Record(normalise(e)))
}

func (s *Server) echo(listener string) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.httpError
	e.Use(
		s.tracer.Requests(listener),
		s.metrics.Requests(listener),
		middleware.Recover(),
		s.securityHeaders,
		s.bodyLimit,
	)
	e.GET("/static/*", echo.WrapHandler(http.StripPrefix("/static/", s.pages.Files())))
	e.GET("/", func(c echo.Context) error { return web.Redirect(c, http.StatusSeeOther, "/home") })
	return e
}

// normalise makes repeated slashes one and drops a trailing one: clients whose
// base URL ends with a slash produce both.
func normalise(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "//") || len(r.URL.Path) > 1 && strings.HasSuffix(r.URL.Path, "/") {
			u := *r.URL
			u.Path, u.RawPath = path.Clean(u.Path), ""
			r2 := *r
			r2.URL = &u
			r = &r2
		}
		next.ServeHTTP(w, r)
	})
}

const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *Server) securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Referrer-Policy", "no-referrer")
		if pin := s.pin(c.Request().Host); pin != "" {
			h.Set("Strict-Transport-Security", pin)
		}
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		return next(c)
	}
}

// httpError answers below the realm as Keycloak does, elsewhere with a page.
func (s *Server) httpError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status := http.StatusInternalServerError
	var he *echo.HTTPError
	var p *problem.Error
	switch {
	case errors.As(err, &he):
		status = he.Code
	case errors.As(err, &p) && p.Kind != problem.Internal:
		status = p.Kind.Status()
		s.journal.Add(c.Request().Context(), "", journal.KindRefused, nil, p)
	default:
		slog.ErrorContext(
			c.Request().Context(),
			"request failed",
			"path",
			web.Path(c.Request().Context(), c.Request().URL.Path),
			"error",
			err,
		)
	}
	text := http.StatusText(status)
	if strings.HasPrefix(c.Request().URL.Path, RealmPath+"/") {
		answer := map[string]string{"error": "HTTP " + itoa(status) + " " + text}
		if p != nil && !s.settings.Strict() {
			answer["error_description"] = wireText(p.Error())
		}
		_ = c.JSON(status, answer)
		return
	}
	if p != nil {
		_ = s.errorPage(c, status, text, p)
		return
	}
	if status == http.StatusNotFound {
		text = "nothing is served at this address"
	}
	_ = s.page(c, status, "message", map[string]any{"Title": "Erreur", "Text": text, "Kind": "error"})
}

// page renders a page that no cache keeps and no frame shows.
func (s *Server) page(c echo.Context, status int, name string, data map[string]any) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store, must-revalidate, max-age=0")
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", csp)
	}
	data["Strict"], data["Lang"] = s.settings.Strict(), s.language(c)
	if strings.HasPrefix(c.Path(), "/login/:id") {
		s.journal.Page(c.Request().Context(), c.Param("id"), path.Base(name))
	}
	body, err := s.pages.Render(c.Request().Context(), name, data)
	if err != nil {
		return err
	}
	return c.HTMLBlob(status, body)
}

// formPage shows a form, again with what was refused.
func (s *Server) formPage(c echo.Context, name string, data map[string]any, refusal error) error {
	status := http.StatusOK
	if refusal != nil {
		status, data["Problem"] = http.StatusUnprocessableEntity, s.explained(c, refusal)
	}
	return s.page(c, status, name, data)
}

// errorPage explains a refusal to whoever sits before the browser. text is
// what PSC would say, "" for the reason itself.
func (s *Server) errorPage(c echo.Context, status int, text string, reason error) error {
	if text == "" {
		text = problem.From(reason).Page(s.language(c)).Reason
	}
	data := map[string]any{"Title": "Nous sommes désolés", "Text": text, "Kind": "error"}
	if reason != nil && !s.settings.Strict() {
		data["Problem"] = s.explained(c, reason)
	}
	return s.page(c, status, "message", data)
}

func (s *Server) explained(c echo.Context, reason error) *problem.Error {
	return problem.From(reason).Linked(s.why(c, reason))
}

// why is the address that explains a refusal, which a header of the answer
// names too; "" where nothing is explained.
func (s *Server) why(c echo.Context, reason error) string {
	h := c.Response().Header()
	if h.Get(journal.HeaderWhy) == "" {
		login := ""
		if id := c.Param("id"); strings.HasPrefix(c.Path(), "/login/:id") && len(id) <= mostField {
			login = id
		}
		if to := s.journal.Why(problem.From(reason).Code, login); to != "" {
			h.Set(journal.HeaderWhy, to)
		}
	}
	return h.Get(journal.HeaderWhy)
}

// language is the person's choice (?lang=, kept in a cookie), else French, as
// Pro Santé Connect speaks; ui_locales of a request is a choice too.
func (s *Server) language(c echo.Context) string {
	if lang := c.QueryParam("lang"); web.Speaks(lang) {
		s.logins.SetLanguage(c.Response(), lang)
		return lang
	}
	return cmp.Or(s.logins.Language(c.Request()), web.French)
}

func (s *Server) loginURL(id, rest string) string { return "/login/" + url.PathEscape(id) + rest }
