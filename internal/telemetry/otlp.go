package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The OTLP exporter of the OpenTelemetry project brings gRPC and protobuf, 8 MB
// of program, also where it speaks HTTP. OTLP's JSON form (OTLP 1.9, JSON
// Protobuf Encoding) is one POST of a document, written here.

const exportTimeout = 10 * time.Second

type exporter struct {
	endpoint string
	headers  http.Header
	client   *http.Client
}

// Shutdown has nothing to end.
func (e *exporter) Shutdown(context.Context) error { return nil }

// ExportSpans sends them in one request.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := json.Marshal(document(spans))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = e.headers.Clone()
	resp, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode >= 300 {
		return fmt.Errorf("traces: %s answers %s", e.endpoint, resp.Status)
	}
	return nil
}

type (
	object = map[string]any
	list   = []any
)

// document is an ExportTraceServiceRequest; all spans here are of one resource.
func document(spans []sdk.ReadOnlySpan) object {
	scopes, order := map[string]list{}, []string{}
	for _, s := range spans {
		name := s.InstrumentationScope().Name
		if scopes[name] == nil {
			order = append(order, name)
		}
		scopes[name] = append(scopes[name], spanOf(s))
	}
	var out list
	for _, name := range order {
		out = append(out, object{"scope": object{"name": name}, "spans": scopes[name]})
	}
	return object{
		"resourceSpans": list{
			object{"resource": object{"attributes": attributes(spans[0].Resource().Attributes())}, "scopeSpans": out},
		},
	}
}

func spanOf(s sdk.ReadOnlySpan) object {
	o := object{
		"traceId": s.SpanContext().TraceID().String(),
		"spanId":  s.SpanContext().SpanID().String(),
		"name":    s.Name(),
		"kind":    kind(s.SpanKind()),
		"startTimeUnixNano": nanos(
			s.StartTime(),
		),
		"endTimeUnixNano": nanos(s.EndTime()),
		"attributes":      attributes(s.Attributes()),
	}
	if s.Parent().SpanID().IsValid() {
		o["parentSpanId"] = s.Parent().SpanID().String()
	}
	var events list
	for _, e := range s.Events() {
		events = append(
			events,
			object{"name": e.Name, "timeUnixNano": nanos(e.Time), "attributes": attributes(e.Attributes)},
		)
	}
	if events != nil {
		o["events"] = events
	}
	switch s.Status().Code {
	case codes.Error:
		o["status"] = object{"code": 2, "message": s.Status().Description}
	case codes.Ok:
		o["status"] = object{"code": 1}
	}
	return o
}

// kind is OTLP's number: internal 1, server 2, client 3.
func kind(k trace.SpanKind) int { return int(k) }

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func attributes(all []attribute.KeyValue) list {
	out := list{}
	for _, a := range all {
		out = append(out, object{"key": string(a.Key), "value": value(a.Value)})
	}
	return out
}

func value(v attribute.Value) object {
	switch v.Type() {
	case attribute.BOOL:
		return object{"boolValue": v.AsBool()}
	case attribute.INT64:
		return object{"intValue": strconv.FormatInt(v.AsInt64(), 10)}
	case attribute.FLOAT64:
		return object{"doubleValue": v.AsFloat64()}
	}
	return object{"stringValue": v.String()}
}

// resourceOf says who sends: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES,
// else the program.
func resourceOf(env func(string) string, service, version string) *resource.Resource {
	all := []attribute.KeyValue{attribute.String("service.name", service), attribute.String("service.version", version)}
	for pair := range strings.SplitSeq(env("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			all = append(all, attribute.String(strings.TrimSpace(k), strings.TrimSpace(v)))
		}
	}
	if name := env("OTEL_SERVICE_NAME"); name != "" {
		all = append(all, attribute.String("service.name", name))
	}
	return resource.NewSchemaless(all...) // the last of a key counts
}
