package provider

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
	"pscemu/provider/clients"
)

// userinfo answers a bearer token, with or without a client certificate.
func (s *Server) userinfo(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache")
	token := bearer(c.Request())
	if token == "" {
		s.journal.Add("", "userinfo", nil, problem.New(problem.Forbidden, "token-missing", "no access token was sent").Want("Authorization: Bearer …"))
		return s.unauthorized(c, "", "")
	}
	ctx := c.Request().Context()
	session, _, err := s.oidc.Bearer(ctx, token)
	if err != nil {
		s.journal.Add("", "userinfo", nil, err)
		return s.unauthorized(c, "invalid_token", problem.From(err).Reason)
	}
	person, err := s.people.Get(ctx, session.NationalID)
	s.journal.Add(session.LoginID, "userinfo", nil, err)
	if err != nil {
		return s.unauthorized(c, "invalid_token", "User not found")
	}
	return c.JSON(http.StatusOK, person.UserInfo(session.AuthMode))
}

func (s *Server) unauthorized(c echo.Context, code, description string) error {
	challenge := `Bearer realm="esante-wallet"`
	body := map[string]string{}
	if code != "" {
		challenge += fmt.Sprintf(`, error="%s", error_description="%s"`, code, description)
		body = map[string]string{"error": code, "error_description": description}
	}
	c.Response().Header().Set("WWW-Authenticate", challenge)
	return c.JSON(http.StatusUnauthorized, body)
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

// introspect tells whether a token is in force (RFC 7662).
func (s *Server) introspect(c echo.Context) error {
	client, token, err := s.backChannel(c)
	if err != nil {
		s.journal.Add("", "introspect", nil, err)
		return s.oauthError(c, notAuthenticated, err)
	}
	if token == "" {
		return s.oauthError(c, noTokenInspect, nil)
	}
	claims, session, err := s.oidc.Inspect(c.Request().Context(), token)
	if err != nil {
		return s.oauthError(c, serverError, err)
	}
	noStore(c)
	if claims == nil {
		s.journal.Add("", "introspect", map[string]string{"client_id": client.ID, "active": "false"}, nil)
		return c.JSONBlob(http.StatusOK, []byte(`{"active":false}`))
	}
	s.journal.Add(session.LoginID, "introspect", map[string]string{"active": "true"}, nil)
	tail := fmt.Sprintf(`,"client_id":%q,"username":%q,"token_type":"Bearer","active":true}`, client.ID, session.NationalID)
	return c.JSONBlob(http.StatusOK, append(claims[:len(claims)-1], tail...))
}

// revoke ends the session behind a token (RFC 7009, as Keycloak does it).
func (s *Server) revoke(c echo.Context) error {
	client, token, err := s.backChannel(c)
	if err != nil {
		s.journal.Add("", "revoke", nil, err)
		return s.oauthError(c, clientError(err), err)
	}
	if token == "" {
		return s.oauthError(c, noToken, nil)
	}
	good, err := s.oidc.Revoke(c.Request().Context(), client.ID, token)
	s.journal.Add("", "revoke", map[string]string{"client_id": client.ID, "found": fmt.Sprint(good)}, err)
	switch {
	case err != nil:
		return s.oauthError(c, serverError, err)
	case !good:
		return s.oauthError(c, revokeInvalid, nil)
	}
	noStore(c)
	return c.NoContent(http.StatusOK)
}

// backChannel authenticates the client and reads the token of the body.
func (s *Server) backChannel(c echo.Context) (*clients.Client, string, error) {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return nil, "", problem.New(problem.Invalid, "form-unreadable", "the body cannot be read").Got(err.Error())
	}
	client, err := s.auth.Authenticate(r, r.PostForm)
	return client, r.PostForm.Get("token"), err
}
