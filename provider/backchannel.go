package provider

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// backChannel is what endpoints share that only clients' servers call.
type backChannel struct {
	auth     *clients.Authenticator
	refusals *wire.Writer
}

// authenticate tells which client sent a request, and reads the token of the
// body.
func (b *backChannel) authenticate(r *http.Request) (*clients.Client, string, error) {
	if err := r.ParseForm(); err != nil {
		return nil, "", problem.FormUnreadable.Got(err.Error())
	}
	client, err := b.auth.Authenticate(r, r.PostForm)
	return client, r.PostForm.Get("token"), err
}

// refuse answers with a row of the table; reason, unless nil, is why.
func (b *backChannel) refuse(c echo.Context, a wire.Answer, reason error) error {
	return b.refusals.Refuse(c, a, reason)
}

// clientError answers for a client that could not be authenticated.
func clientError(err error) wire.Answer {
	var p *problem.Error
	switch {
	case !errors.As(err, &p) || p.Kind == problem.Internal:
		return wire.Of("server-error")
	case p.Code == "client-secret-wrong":
		return wire.Of("client-secret-wrong")
	}
	return wire.Of("client-invalid")
}

// repeated refuses a body that cannot be read, or that names a parameter twice.
func repeated(r *http.Request) *wire.Answer {
	key := ""
	if err := r.ParseForm(); err != nil {
		key = "grant-type-missing"
	} else if twice(r.PostForm) != "" {
		key = "parameter-repeated"
	} else {
		return nil
	}
	a := wire.Of(key)
	return &a
}

// presented names the certificate of a request for the journal.
func presented(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "none"
	}
	cert := r.TLS.PeerCertificates[0]
	return strings.Join(
		[]string{cert.Subject.String(), "issuer " + cert.Issuer.CommonName, "serial " + cert.SerialNumber.Text(16)},
		"; ",
	)
}

// tokenError finds the answer for whatever the token endpoint refused.
func tokenError(err error) wire.Answer {
	var refusal *oidc.Refusal
	if errors.As(err, &refusal) {
		return wire.Of(string(refusal.Situation)).With(refusal.Argument)
	}
	return clientError(err)
}

// tell adds to the story of the login that a session belongs to.
func tell(
	c echo.Context,
	j *journal.Journal,
	session *oidc.Session,
	kind journal.Kind,
	detail map[string]string,
	err error,
) {
	id := ""
	if session != nil {
		id = session.LoginID
	}
	j.Add(c.Request().Context(), id, kind, detail, err)
}
