package telemetry

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Logger writes lines, as text or as json, that name the login and the trace
// their context belongs to. Texts go through mask, which keeps secrets out.
func Logger(
	w io.Writer,
	format string,
	level slog.Level,
	login func(context.Context) string,
	mask func(string) string,
) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch v := a.Value.Any().(type) {
		case string:
			a.Value = slog.StringValue(mask(v))
		case error:
			a.Value = slog.StringValue(mask(v.Error()))
		}
		return a
	}}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(&named{h, login})
}

type named struct {
	slog.Handler
	login func(context.Context) string
}

// Handle adds what the context says, unless the line says it itself.
func (n *named) Handle(ctx context.Context, r slog.Record) error {
	said := false
	r.Attrs(func(a slog.Attr) bool { said = a.Key == "login"; return !said })
	if id := n.login(ctx); id != "" && !said {
		r.AddAttrs(slog.String("login", id))
	}
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r.AddAttrs(slog.String("trace", s.TraceID().String()))
	}
	return n.Handler.Handle(ctx, r)
}

// WithAttrs keeps the names.
func (n *named) WithAttrs(a []slog.Attr) slog.Handler {
	return &named{n.Handler.WithAttrs(a), n.login}
}

// WithGroup keeps the names.
func (n *named) WithGroup(g string) slog.Handler { return &named{n.Handler.WithGroup(g), n.login} }
