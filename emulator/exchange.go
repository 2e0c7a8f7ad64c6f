package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// listener is what all requests of one listener share: their bounds.
type listener struct {
	*connections
	timeout time.Duration // setting request-timeout
	streams chan struct{} // a place for each stream and long poll
	large   chan struct{} // a place for each large body in memory
}

// largeBodies is how many large bodies a listener holds in memory at once.
const largeBodies = 16

// newListener keeps a tenth of the connections, one at least, free of streams,
// so that a client finds one.
func newListener(connections, streams int, timeout time.Duration) *listener {
	streams = min(streams, connections-max(1, connections/10))
	return &listener{connections: newConnections(connections), timeout: timeout,
		streams: make(chan struct{}, max(1, streams)), large: make(chan struct{}, largeBodies)}
}

// guard gives each request its deadlines, and turns away those there is no room
// for.
func (l *listener) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := l.refuse(r.Context()); err != nil {
			w.Header().Set("Connection", "close")
			p := problem.From(err)
			web.WriteProblem(w, p.Kind.Status(), p)
			return
		}
		x := &exchange{ResponseWriter: w, control: http.NewResponseController(w), listener: l, http1: r.ProtoMajor == 1}
		r = r.WithContext(web.WithBounds(r.Context(), x))
		if r.ContentLength != 0 {
			x.body = &body{ReadCloser: r.Body, exchange: x}
			r.Body = x.body
		}
		defer x.finish()
		next.ServeHTTP(x, r)
	})
}

// exchange is a request with its deadlines. The client has the timeout for each
// MiB, or part of one, of the body that it sends, and of the answer that it
// reads; only the time that we wait for it counts.
type exchange struct {
	http.ResponseWriter
	control  *http.ResponseController
	listener *listener
	http1    bool
	body     *body
	written  int64
	waited   time.Duration // for the client to read
	held     bool          // a stream: each event has a deadline of its own
	large    bool
}

// Write bounds how long the client takes to read.
func (x *exchange) Write(b []byte) (n int, err error) {
	err = x.timed(len(b), func() error {
		n, err = x.ResponseWriter.Write(b)
		return err
	})
	return n, err
}

// FlushError bounds it too.
func (x *exchange) FlushError() error { return x.timed(0, x.control.Flush) }

// Unwrap lets a response controller find what lies below.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) timed(n int, write func() error) error {
	x.written += int64(n)
	left := allowed(x.listener.timeout, x.written) - x.waited
	if x.held {
		left = allowed(x.listener.timeout, int64(n))
	}
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	began := time.Now()
	_ = x.control.SetWriteDeadline(began.Add(left))
	err := write()
	_ = x.control.SetWriteDeadline(time.Time{})
	if !x.held {
		x.waited += time.Since(began)
	}
	return err
}

// allowed is how long so many bytes may take.
func allowed(timeout time.Duration, n int64) time.Duration {
	return timeout * time.Duration(1+n>>20)
}

// finish leaves a deadline for what is still sent, and for the rest of a body
// that nobody read, and gives the places back.
func (x *exchange) finish() {
	until := time.Now().Add(x.listener.timeout)
	_ = x.control.SetWriteDeadline(until)
	if x.body != nil && !x.body.ended {
		_ = x.control.SetReadDeadline(until)
	}
	if x.held {
		<-x.listener.streams
	}
	if x.large {
		<-x.listener.large
	}
}

// Hold makes this a stream or a long poll, which may last.
func (x *exchange) Hold() error {
	if x.held {
		return nil
	}
	select {
	case x.listener.streams <- struct{}{}:
		x.held = true
		return nil
	default:
		most := cap(x.listener.streams)
		return problem.StreamsTooMany.With("most", most).Got(fmt.Sprint(most))
	}
}

// Large waits until there is room for a large body in memory.
func (x *exchange) Large(ctx context.Context) error {
	if x.large {
		return nil
	}
	late := time.NewTimer(x.listener.timeout)
	defer late.Stop()
	select {
	case x.listener.large <- struct{}{}:
		x.large = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return problem.BodiesTooMany.With("most", cap(x.listener.large))
	}
}

// Late is the refusal of a body that came too slowly, nil for none.
func (x *exchange) Late() error {
	if x.body == nil || !x.body.late {
		return nil
	}
	return x.tooSlow()
}

func (x *exchange) tooSlow() error {
	return problem.RequestTooSlow.With("read", x.body.read).With("timeout", x.listener.timeout)
}

// body is a request's, with its deadline.
type body struct {
	io.ReadCloser
	*exchange
	read        int64
	waited      time.Duration
	ended, late bool
}

// Read bounds how long the client takes to send.
func (b *body) Read(p []byte) (int, error) {
	if b.late {
		return 0, b.tooSlow()
	}
	began := time.Now()
	_ = b.control.SetReadDeadline(began.Add(allowed(b.listener.timeout, b.read) - b.waited))
	n, err := b.ReadCloser.Read(p)
	_ = b.control.SetReadDeadline(time.Time{})
	b.read += int64(n)
	b.waited += time.Since(began)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.late = true
		if b.http1 {
			b.Header().Set("Connection", "close") // the rest is not waited for
		}
		err = b.tooSlow()
	case err != nil:
		b.ended = true
	}
	return n, err
}
