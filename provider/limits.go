package provider

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
)

// readAhead is up to which limit a body of unknown length is read before
// anybody looks at it, so that one that is too large is refused as a whole. What
// may be larger is put aside by who takes it.
const readAhead = 4 << 20

// drained is how much of a body that is too large is still taken off the
// connection.
const drained = 16 << 20

// BoundBody refuses a body of more than most bytes, which this setting allows.
func BoundBody(c echo.Context, setting string, most int64, next echo.HandlerFunc) error {
	r := c.Request()
	tooLarge := func(got string) error {
		return problem.New(problem.TooLarge, "body-too-large", "the body of the request is too large").Got(got).Want(fmt.Sprintf("%d bytes at most", most)).Do("send less, or raise the setting " + setting)
	}
	switch {
	case r.ContentLength > most:
		if r.Header.Get("Expect") == "" { // who writes without asking would not hear of the refusal
			_, _ = io.CopyN(io.Discard, r.Body, min(r.ContentLength, drained))
		}
		return tooLarge(fmt.Sprintf("%d bytes", r.ContentLength))
	case r.ContentLength < 0 && most <= readAhead:
		body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
		if err != nil {
			return problem.New(problem.Invalid, "form-unreadable", "the body cannot be read").Got(err.Error())
		}
		if int64(len(body)) > most {
			return tooLarge("more")
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	case r.ContentLength < 0:
		r.Body = &bounded{http.MaxBytesReader(c.Response(), r.Body, most), tooLarge("more")}
	}
	return next(c)
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

func (s *Server) bodyLimit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return BoundBody(c, "max-body", s.config.Limits.Body(), next) }
}
