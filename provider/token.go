package provider

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// token serves the grants (RFC 6749 §3.2).
func (s *Server) token(c echo.Context) error {
	r := c.Request()
	if refused := tokenForm(r); refused != nil {
		return s.oauthError(c, *refused, nil)
	}
	grant := r.PostForm.Get("grant_type")
	kind := "token"
	if grant == "refresh_token" {
		kind = "refresh"
	}
	response, loginID, err := s.oidc.Token(r)
	s.journal.Add(loginID, kind, map[string]string{"grant_type": grant, "certificate": presented(r)}, err)
	if err != nil {
		return s.oauthError(c, tokenError(err), err)
	}
	noStore(c)
	return c.JSON(http.StatusOK, response)
}

func tokenForm(r *http.Request) *answer {
	if err := r.ParseForm(); err != nil {
		return &noGrantType
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return &duplicated
		}
	}
	grant, given := r.PostForm.Get("grant_type"), r.PostForm.Has("grant_type")
	switch {
	case !given:
		return &noGrantType
	case grant == "authorization_code" && r.PostForm.Get("code") == "":
		return &noCode
	case grant == "refresh_token" && r.PostForm.Get("refresh_token") == "":
		return &noRefresh
	case grant != "authorization_code" && grant != "refresh_token":
		return &badGrantType
	}
	return nil
}

// presented names the certificate of a request for the journal.
func presented(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "none"
	}
	cert := r.TLS.PeerCertificates[0]
	return strings.Join([]string{cert.Subject.String(), "issuer " + cert.Issuer.CommonName, "serial " + cert.SerialNumber.Text(16)}, "; ")
}
