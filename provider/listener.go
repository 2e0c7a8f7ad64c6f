package provider

import (
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
)

// listener makes what answers a listener's requests: what comes before each
// handler, and the error pages behind.
type listener struct {
	settings *config.Live
	names    *site.Names
	limits   config.Limits
	metrics  *telemetry.Metrics
	tracer   *telemetry.Tracer
	failures *failures
}

// bare is an echo that has no routes and says nothing.
func bare() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	return e
}

// serve mounts handlers at the listener with this name.
func (l *listener) serve(name string, handlers ...web.Handler) http.Handler {
	e := bare()
	e.HTTPErrorHandler = l.failures.handle
	e.Use(
		l.tracer.Requests(name),
		l.metrics.Requests(name),
		middleware.Recover(),
		web.Headers(map[string]string{
			"Referrer-Policy":        "no-referrer",
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "SAMEORIGIN",
		}),
		l.pin,
		l.bound,
	)
	web.Mount(e, name, handlers...)
	return e
}

// pin has browsers come by TLS alone, where the policy hsts wants that.
func (l *listener) pin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if pin := l.names.Pin(c.Request().Host, l.settings.Policies(nil, nil).HSTS); pin != "" {
			c.Response().Header().Set("Strict-Transport-Security", pin)
		}
		return next(c)
	}
}

// pageBody is the largest body of an endpoint that anybody may post to: an
// authorize request (mostParameters, percent-encoded), a form of a page.
const pageBody = 64 << 10

// bound refuses bodies that are too large.
func (l *listener) bound(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		setting, most := "max-body", l.limits.Body()
		if forAnybody(c.Path()) {
			setting, most = "max-body, which pages take no more than 64 KiB of", min(most, pageBody)
		}
		return web.BoundBody(c, setting, most, next)
	}
}

// forAnybody tells the endpoints where no client shows who it is.
func forAnybody(path string) bool {
	return !strings.HasPrefix(path, site.RealmPath+"/") || path == site.Protocol+"/auth"
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

// underItsName tells the token service which issuer a request was made to.
func underItsName(names *site.Names, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(oidc.WithIssuer(r.Context(), names.Of(r.Host).Issuer())))
	})
}

// assets are the styles and scripts of the pages.
type assets struct{ pages *web.Pages }

// Register adds them, and the way to the first page.
func (a *assets) Register(e *echo.Echo) {
	files := sync.OnceValue(func() http.Handler { return http.StripPrefix("/static/", a.pages.Files()) })
	e.GET("/static/*", func(c echo.Context) error { return echo.WrapHandler(files())(c) })
	e.GET("/", func(c echo.Context) error { return web.Redirect(c, http.StatusSeeOther, "/home") })
}
