package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// readAhead is up to which limit a body of unknown length is read before
// anybody looks at it, so that one that is too large is refused as a whole. What
// may be larger is put aside by who takes it.
const readAhead = 4 << 20

// smallBody is up to which length a body is read before anybody looks at it;
// there is room for a few above tinyBody at once.
const (
	smallBody = 1 << 20
	tinyBody  = 64 << 10
)

// drained is how much of a body that is too large is still taken off the
// connection.
const drained = 16 << 20

// Bounds are what a listener allows one of its requests.
type Bounds interface {
	Hold() error                 // makes it a stream or a long poll, if there is room for one
	Large(context.Context) error // waits for room for a large body in memory
	Late() error                 // the refusal of a body that came too slowly
}

// free are the bounds of a request that came through no listener.
type free struct{}

func (free) Hold() error                 { return nil }
func (free) Large(context.Context) error { return nil }
func (free) Late() error                 { return nil }

type boundsKey struct{}

// WithBounds is for the listeners.
func WithBounds(ctx context.Context, b Bounds) context.Context {
	return context.WithValue(ctx, boundsKey{}, b)
}

func boundsOf(c echo.Context) Bounds {
	if b, ok := c.Request().Context().Value(boundsKey{}).(Bounds); ok {
		return b
	}
	return free{}
}

// Hold makes a request a stream or a long poll. Whatever lasts calls it first.
func Hold(c echo.Context) error { return boundsOf(c).Hold() }

// longPoll is how long an answer waits for what it tells of.
const longPoll = 20 * time.Second

// Polls are long polls: an answer that waits, for a while, until there is
// something to tell. They end when the server stops.
type Polls struct {
	Closing <-chan struct{}
}

// Wait makes a request a long poll, if there is room for one. Whoever waits does
// so with the context, and stops it at the end.
func (p Polls) Wait(c echo.Context) (context.Context, context.CancelFunc, error) {
	if err := Hold(c); err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithTimeout(c.Request().Context(), longPoll)
	go func() {
		select {
		case <-p.Closing:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop, nil
}

// BoundBody refuses a body of more than most bytes, which this setting allows.
func BoundBody(c echo.Context, setting string, most int64, next echo.HandlerFunc) error {
	r := c.Request()
	tooLarge := func(got string) error {
		return problem.BodyTooLarge.With("most", most).With("setting", setting).Got(got)
	}
	switch {
	case r.ContentLength > most:
		if r.Header.Get("Expect") == "" { // who writes without asking would not hear of the refusal
			_, _ = io.CopyN(io.Discard, r.Body, min(r.ContentLength, drained))
		}
		return tooLarge(fmt.Sprintf("%d bytes", r.ContentLength))
	case r.ContentLength > 0 && r.ContentLength <= smallBody, r.ContentLength < 0 && most <= readAhead:
		body, err := readBody(c, most)
		if err != nil {
			return err
		}
		if int64(len(body)) > most {
			_, _ = io.CopyN(io.Discard, r.Body, drained)
			return tooLarge("more")
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	case r.ContentLength < 0:
		r.Body = &bounded{http.MaxBytesReader(c.Response(), r.Body, most), tooLarge("more")}
	}
	err := next(c)
	if late := boundsOf(c).Late(); late != nil {
		return late // whatever the handler made of it
	}
	return err
}

// readBody takes a body into memory, one more byte than may be.
func readBody(c echo.Context, most int64) ([]byte, error) {
	r := c.Request()
	body, err := io.ReadAll(io.LimitReader(r.Body, min(tinyBody, most)+1))
	if err == nil && int64(len(body)) == tinyBody+1 {
		if err := boundsOf(c).Large(r.Context()); err != nil {
			return nil, err
		}
		rest := bytes.NewBuffer(body)
		if r.ContentLength > 0 {
			rest.Grow(int(r.ContentLength) - len(body) + bytes.MinRead)
		}
		_, err = rest.ReadFrom(io.LimitReader(r.Body, most-tinyBody))
		body = rest.Bytes()
	}
	if late := boundsOf(c).Late(); late != nil {
		return nil, late
	}
	if err != nil {
		return nil, problem.FormUnreadable.Got(err.Error())
	}
	return body, nil
}

// bounded is a body whose end comes too late: reading fails with the refusal.
type bounded struct {
	io.ReadCloser
	refusal error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errors.Join(b.refusal, err)
	}
	return n, err
}
