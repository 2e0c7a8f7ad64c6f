package provider

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
)

// readAhead is up to which limit a body of unknown length is read before
// anybody looks at it, so that one that is too large is refused as a whole.
const readAhead = 1 << 30

// drained is how much of a body that is too large is still taken off the
// connection.
const drained = 16 << 20

// dropped tells the story of a login that had to make room, when it is still
// kept. The request that pushed it out is not its own.
func (s *Server) dropped(id string) {
	reason := problem.New(problem.TooMany, "login-dropped", "the login was left alone while others came").Want(fmt.Sprintf("%d open at most (max-logins)", s.config.Limits.MaxLogins))
	s.journal.AddKept(id, "dropped", reason)
}

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
		r.Body = http.MaxBytesReader(c.Response(), r.Body, most)
	}
	return next(c)
}

func (s *Server) bodyLimit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return BoundBody(c, "max-body", s.config.Limits.Body(), next) }
}
