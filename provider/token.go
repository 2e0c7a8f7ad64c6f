package provider

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// token serves the grants (RFC 6749 §3.2, CIBA Core §10).
func (s *Server) token(c echo.Context) error {
	r := c.Request()
	if refused := tokenForm(r); refused != nil {
		s.tell(
			c,
			s.oidc.SessionOf(r),
			journal.KindToken,
			map[string]string{"client_id": r.PostForm.Get("client_id"), "certificate": presented(r)},
			problem.Code(refused.Key).Of(),
		)
		return s.oauthError(c, *refused, nil)
	}
	grant := r.PostForm.Get("grant_type")
	kind := journal.KindToken
	if grant == clients.RefreshToken {
		kind = journal.KindRefresh
	}
	response, session, err := s.oidc.Token(r)
	s.tell(c, session, kind, map[string]string{"grant_type": grant, "certificate": presented(r)}, err)
	if err != nil {
		return s.oauthError(c, tokenError(err), err)
	}
	noStore(c)
	if !s.faults.Active() {
		return c.JSON(http.StatusOK, response)
	}
	changed, err := s.faultyResponse(r.Context(), response, session)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, changed)
}

// tell adds to the story of the login that a session belongs to.
func (s *Server) tell(c echo.Context, session *oidc.Session, kind journal.Kind, detail map[string]string, err error) {
	id := ""
	if session != nil {
		id = session.LoginID
	}
	s.journal.Add(c.Request().Context(), id, kind, detail, err)
}

// grants are those of the token endpoint: the parameter each cannot do
// without, and the answer when that is missing. Those without a parameter are
// advertised by the sandbox and refused.
var grants = []struct{ Type, Parameter, Missing string }{
	{clients.AuthorizationCode, "code", "code-missing"},
	{clients.RefreshToken, "refresh_token", "refresh-missing"},
	{clients.CIBA, "auth_req_id", "ciba-auth-req-id-missing"},
	{"password", "", "grant-password"},
	{"client_credentials", "", "grant-client-credentials"},
	{"urn:ietf:params:oauth:grant-type:device_code", "", "grant-device"},
}

func tokenForm(r *http.Request) *Answer {
	refuse := func(key string) *Answer { a := answer(key); return &a }
	if bad := repeated(r); bad != nil {
		return bad
	}
	if !r.PostForm.Has("grant_type") {
		return refuse("grant-type-missing")
	}
	for _, g := range grants {
		if g.Type == r.PostForm.Get("grant_type") {
			if r.PostForm.Get(g.Parameter) == "" {
				return refuse(g.Missing)
			}
			return nil
		}
	}
	return refuse("grant-type-unknown")
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
