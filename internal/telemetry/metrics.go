// Package telemetry tells how the emulator does: metrics for Prometheus, traces
// for OpenTelemetry, and log lines that name the login they belong to.
package telemetry

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/labstack/echo/v4"
)

func init() { metrics.ExposeMetadata(true) }

// Metrics are those of one world. Names and units follow Prometheus' naming
// rules: seconds, bytes, _total for what only grows.
type Metrics struct {
	set *metrics.Set
}

// NewMetrics begins at zero.
func NewMetrics() *Metrics { return &Metrics{metrics.NewSet()} }

// seconds are the bounds of the histograms: a login takes some milliseconds,
// a wait for a phone up to two minutes.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120}

// Gauge is read when it is asked for.
func (m *Metrics) Gauge(name string, f func() float64) { m.set.GetOrCreateGauge(name, f) }

// Counter is read when it is asked for; it only grows.
func (m *Metrics) Counter(name string, f func() uint64) {
	m.set.RegisterMetricsWriter(func(w io.Writer) { metrics.WriteCounterUint64(w, name, f()) })
}

// Requests counts and times what a listener answers, by route, method and status.
func (m *Metrics) Requests(listener string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			from := time.Now()
			status := answered(next, c)
			route := c.Path()
			if route == "" {
				route = "none" // 404
			}
			labels := `{listener="` + listener + `",route="` + route + `",method="` + known(c.Request().Method) + `"`
			m.set.GetOrCreateCounter("pscemu_http_requests_total" + labels + `,code="` + strconv.Itoa(status) + `"}`).
				Inc()
			m.set.GetOrCreatePrometheusHistogramExt("pscemu_http_request_duration_seconds"+labels+"}", seconds).
				UpdateDuration(from)
			return nil
		}
	}
}

// answered has a request answered, with the error page where it failed, and
// returns the status.
func answered(next echo.HandlerFunc, c echo.Context) int {
	if err := next(c); err != nil {
		c.Error(err)
	}
	return c.Response().Status
}

// known keeps methods that nobody serves from making series of their own.
func known(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}

// Event counts a step of a login: code is the refusal's, "" when it went well.
func (m *Metrics) Event(kind, code string) {
	m.set.GetOrCreateCounter(fmt.Sprintf("pscemu_login_events_total{step=%q}", kind)).Inc()
	if code != "" {
		m.set.GetOrCreateCounter(fmt.Sprintf("pscemu_refusals_total{step=%q,code=%q}", kind, code)).Inc()
	}
}

// Write writes all of them and the process's own in Prometheus' text form.
func (m *Metrics) Write(w io.Writer) {
	m.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}
