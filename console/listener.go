package console

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/internal/web"
)

// limitBodies bounds every body; imports, states and backups may be larger.
func limitBodies(limits config.Limits) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			setting, most := "max-body", limits.Body()
			switch path := c.Request().URL.Path; {
			case path == "/api/v1/backup" || path == "/api/v1/state":
				setting, most = "max-store", limits.Store()
			case strings.HasSuffix(path, "/identities/import") || path == "/api/v1/scenarios":
				setting, most = "max-import", limits.Import()
			}
			return web.BoundBody(c, setting, most, next)
		}
	}
}

// assets are the styles, scripts and pictures of the pages.
type assets struct{ pages *web.Pages }

// Register adds the route.
func (h *assets) Register(e *echo.Echo) {
	e.GET("/static/*", echo.WrapHandler(http.StripPrefix("/static/", h.pages.Files())))
}

// supervision is what supervisors and Prometheus ask for.
type supervision struct{ metrics *telemetry.Metrics }

// Register adds the routes.
func (h *supervision) Register(e *echo.Echo) {
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error { return c.String(http.StatusOK, "ready\n") })
	e.GET("/metrics", h.counts)
}

// counts are in Prometheus' text form.
func (h *supervision) counts(c echo.Context) error {
	c.Response().Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.metrics.Write(c.Response())
	return nil
}

// profiles are Go's.
type profiles struct{}

// Register adds the routes.
func (profiles) Register(e *echo.Echo) {
	e.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
	e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)))
	e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)))
}
