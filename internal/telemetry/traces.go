package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Tracer makes a span of each request, under the caller's own (traceparent);
// fosite adds its own below. nil traces nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// NewTracer reads OpenTelemetry's variables of the environment: traces go to
// OTEL_EXPORTER_OTLP_ENDPOINT (+ /v1/traces) or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
// and nowhere without one of them. Resource, sampler and batches are read by
// the SDK from its own variables. The protocol spoken is http/json, which every
// collector takes beside the others; asking for another is an error.
func NewTracer(env func(string) string, service, version string) (*Tracer, error) {
	endpoint, err := endpointOf(env)
	if endpoint == "" || err != nil {
		return nil, err
	}
	headers, err := headersOf(env)
	if err != nil {
		return nil, err
	}
	resource := resourceOf(env, service, version)
	p := sdk.NewTracerProvider(
		sdk.WithBatcher(&exporter{endpoint: endpoint, headers: headers, client: &http.Client{Timeout: exportTimeout}}),
		sdk.WithResource(resource),
	)
	return &Tracer{p, p.Tracer("pscemu", trace.WithInstrumentationVersion(version))}, nil
}

// first is the first of these variables that is set.
func first(env func(string) string, names ...string) (value, name string) {
	for _, name := range names {
		if v := strings.TrimSpace(env(name)); v != "" {
			return v, name
		}
	}
	return "", ""
}

func endpointOf(env func(string) string) (string, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || env("OTEL_TRACES_EXPORTER") == "none" {
		return "", nil
	}
	to, name := first(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if to == "" {
		return "", nil
	}
	unusable := func(variable, got, wanted string) error {
		return problem.OTelUnusable.Case(wanted).With("variable", variable).Got(variable + "=" + got)
	}
	if v, name := first(env, "OTEL_TRACES_EXPORTER"); v != "" && v != "otlp" {
		return "", unusable(name, v, "exporter")
	}
	if v, name := first(
		env,
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
		"OTEL_EXPORTER_OTLP_PROTOCOL",
	); v != "" &&
		v != "http/json" {
		return "", unusable(name, v, "protocol")
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", unusable(name, to, "address")
	}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath("v1/traces")
	}
	return u.String(), nil
}

func headersOf(env func(string) string) (http.Header, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	list, name := first(env, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
	for _, pair := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		k, v, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(v))
		if !ok || err != nil {
			return nil, problem.OTelUnusable.With("variable", name).Got(name)
		}
		h.Set(strings.TrimSpace(k), value)
	}
	return h, nil
}

// Close sends what waits.
func (t *Tracer) Close(ctx context.Context) {
	if t != nil {
		_ = t.provider.Shutdown(ctx)
	}
}

var w3c = propagation.TraceContext{}

// Requests makes the spans of a listener.
func (t *Tracer) Requests(listener string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if t == nil {
			return next
		}
		return func(c echo.Context) error {
			r := c.Request()
			route := c.Path()
			ctx, span := t.tracer.Start(
				w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header)),
				strings.TrimSpace(r.Method+" "+route),
				trace.WithSpanKind(trace.SpanKindServer),
				trace.WithAttributes(
					attribute.String("http.request.method", r.Method),
					attribute.String("http.route", route),
					attribute.String("url.path", web.Path(r.Context(), r.URL.Path)),
					attribute.String("url.scheme", c.Scheme()),
					attribute.String("server.address", r.Host),
					attribute.String("pscemu.listener", listener),
				),
			)
			defer span.End()
			c.SetRequest(r.WithContext(ctx))
			status := answered(next, c)
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= 500 {
				span.SetStatus(codes.Error, http.StatusText(status))
			}
			return nil
		}
	}
}
