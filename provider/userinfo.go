package provider

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// userinfoEndpoint answers a bearer token, with or without a client certificate.
type userinfoEndpoint struct {
	oidc     *oidc.Provider
	people   *identities.People
	info     *infoWriter
	journal  *journal.Journal
	refusals *wire.Writer
}

// Register adds the endpoint.
func (h *userinfoEndpoint) Register(e *echo.Echo) {
	e.GET(site.Protocol+"/userinfo", h.serve)
	e.POST(site.Protocol+"/userinfo", h.serve)
}

func (h *userinfoEndpoint) serve(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache")
	ctx, token := c.Request().Context(), bearer(c.Request())
	if token == "" {
		missing := problem.TokenMissing.Of()
		h.journal.Add(ctx, "", journal.KindUserInfo, nil, missing)
		return unauthorised(c, "userinfo-missing")
	}
	session, err := h.oidc.Bearer(ctx, token)
	if err != nil {
		tell(c, h.journal, h.oidc.SessionOf(c.Request()), journal.KindUserInfo, nil, err)
		return h.refuse(c, err)
	}
	if err := otherCertificate(session, c.Request()); err != nil {
		h.journal.Add(ctx, session.LoginID, journal.KindUserInfo, nil, err)
		return unauthorised(c, "userinfo-bound")
	}
	person, err := h.people.Read(ctx, session.NationalID)
	h.journal.Add(ctx, session.LoginID, journal.KindUserInfo, nil, err)
	if problem.Is(err, problem.IdentityUnknown) {
		return unauthorised(c, "userinfo-person")
	}
	if err != nil {
		return h.refusals.Refuse(c, wire.Of("server-error"), err)
	}
	return h.info.send(c, person, session)
}

// otherCertificate refuses a token that is bound to another certificate than
// the request's.
func otherCertificate(session *oidc.Session, r *http.Request) error {
	if session.Thumbprint == "" || session.Thumbprint == oidc.Thumbprint(r) {
		return nil
	}
	return problem.TokenBound.Got(presented(r))
}

// refuse tells a token that is not good from a store that failed.
func (h *userinfoEndpoint) refuse(c echo.Context, err error) error {
	switch {
	case problem.Is(err, problem.SessionEnded):
		return unauthorised(c, "userinfo-session")
	case problem.Is(err, problem.TokenInvalid):
		return unauthorised(c, "userinfo-invalid")
	}
	return h.refusals.Refuse(c, wire.Of("server-error"), err)
}

// unauthorised writes the challenge of RFC 6750 §3 as Keycloak does.
func unauthorised(c echo.Context, key string) error {
	a := wire.Of(key)
	c.Response().Header().Set("WWW-Authenticate", wire.Challenge(a.Error, a.Text))
	if a.Error == "" {
		return c.JSON(a.Status, struct{}{})
	}
	return wire.JSON(c, a.Status, a.Error, a.Text)
}

// bearer reads the token from the header, or from the body of a POST
// (RFC 6750 §2.1, §2.2); never from the URL.
func bearer(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if r.Method == http.MethodPost && r.ParseForm() == nil {
		return r.PostForm.Get("access_token")
	}
	return ""
}
