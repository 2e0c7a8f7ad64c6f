package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// userinfo answers a bearer token, with or without a client certificate.
func (s *Server) userinfo(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache")
	token := bearer(c.Request())
	if token == "" {
		s.journal.Add(
			c.Request().Context(),
			"",
			journal.KindUserInfo,
			nil,
			problem.TokenMissing.Of(),
		)
		return s.unauthorized(c, "userinfo-missing")
	}
	ctx := c.Request().Context()
	session, err := s.oidc.Bearer(ctx, token)
	if err != nil {
		s.tell(c, s.oidc.SessionOf(c.Request()), journal.KindUserInfo, nil, err)
		return s.bearerRefused(c, err)
	}
	if session.Thumbprint != "" && session.Thumbprint != oidc.Thumbprint(c.Request()) {
		s.journal.Add(
			ctx,
			session.LoginID,
			journal.KindUserInfo,
			nil,
			problem.TokenBound.Got(presented(c.Request())),
		)
		return s.unauthorized(c, "userinfo-bound")
	}
	person, err := s.people.Read(ctx, session.NationalID)
	s.journal.Add(ctx, session.LoginID, journal.KindUserInfo, nil, err)
	if problem.Is(err, problem.IdentityUnknown) {
		return s.unauthorized(c, "userinfo-person")
	}
	if err != nil {
		return s.oauthError(c, answer("server-error"), err)
	}
	return s.sendClaims(c, person, session)
}

// sendClaims writes UserInfo as JSON, or signed where the policy says so.
func (s *Server) sendClaims(c echo.Context, person *identities.Identity, session *oidc.Session) error {
	client, err := s.clients.Get(c.Request().Context(), session.ClientID)
	if problem.Is(err, problem.ClientUnknown) {
		client, err = &clients.Client{ID: session.ClientID}, nil // removed meanwhile: its token lives on
	}
	if err != nil {
		return err
	}
	policy, info := s.settings.Policies(client.Policies, nil), person.UserInfo(session.AuthMode)
	if policy.DoorQuirks {
		if info = person.Quirked(info); person.Has(identities.UserInfoFails) {
			return s.oauthError(c, answer("quirk-userinfo"), nil)
		}
		if person.Has(identities.UserInfoSlow) && !s.late(c) {
			return nil
		}
	}
	claims, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if s.faults.Active() {
		if claims, err = s.faultyInfo(c.Request().Context(), claims, session); err != nil {
			return err
		}
	}
	extra := pairs{}
	if session.Wants("name") {
		extra.add("name", person.Name())
	}
	if session.Wants("email") {
		extra.add("email", person.Email)
	}
	if policy.UserInfoFormat != "jwt" {
		return c.JSONBlob(http.StatusOK, extended(claims, extra))
	}
	extra.add("iss", session.Issuer)
	extra.add("aud", client.ID)
	signed, err := s.oidc.SignJWT("JWT", json.RawMessage(extended(claims, extra)))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/jwt", []byte(signed))
}

// slowness is how late UserInfo answers about a person who has that quirk.
const slowness = 8 * time.Second

// late waits, and tells whether the client still does.
func (s *Server) late(c echo.Context) bool {
	select {
	case <-time.After(slowness):
		return true
	case <-c.Request().Context().Done():
		return false
	}
}

// extended adds members behind those of a JSON object.
func extended(object []byte, extra pairs) []byte {
	if len(extra) == 0 {
		return object
	}
	more, _ := extra.MarshalJSON() // strings only: cannot fail
	return append(append(object[:len(object)-1:len(object)-1], ','), more[1:]...)
}

// bearerRefused tells a broken token from a store that failed.
func (s *Server) bearerRefused(c echo.Context, err error) error {
	switch {
	case problem.Is(err, problem.SessionEnded):
		return s.unauthorized(c, "userinfo-session")
	case problem.Is(err, problem.TokenInvalid):
		return s.unauthorized(c, "userinfo-invalid")
	}
	return s.oauthError(c, answer("server-error"), err)
}

// unauthorized writes the challenge of RFC 6750 §3 as Keycloak does.
func (s *Server) unauthorized(c echo.Context, key string) error {
	a := answer(key)
	c.Response().Header().Set("WWW-Authenticate", bearerChallenge(a.Error, a.Text))
	if a.Error == "" {
		return c.JSON(a.Status, struct{}{})
	}
	return oauthJSON(c, a.Status, a.Error, a.Text)
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
		s.journal.Add(c.Request().Context(), "", journal.KindIntrospect, nil, err)
		return s.oauthError(c, notAuthenticated(err), err)
	}
	if token == "" {
		s.journal.Add(
			c.Request().Context(),
			"",
			journal.KindIntrospect,
			map[string]string{"client_id": client.ID},
			problem.IntrospectToken.Of(),
		)
		return s.oauthError(c, answer("introspect-token"), nil)
	}
	claims, session, err := s.oidc.Inspect(c.Request().Context(), token)
	if err != nil {
		return s.oauthError(c, answer("server-error"), err)
	}
	noStore(c)
	var refused error
	if claims != nil && session.ClientID != client.ID && !s.settings.Policies(client.Policies, nil).IntrospectAny {
		refused = problem.TokenOtherClient.With("client_id", session.ClientID).Got(client.ID)
	}
	if claims == nil || refused != nil {
		s.journal.Add(
			c.Request().Context(),
			"",
			journal.KindIntrospect,
			map[string]string{"client_id": client.ID, "active": "false"},
			refused,
		)
		return c.JSONBlob(http.StatusOK, []byte(`{"active":false}`))
	}
	s.journal.Add(c.Request().Context(), session.LoginID, journal.KindIntrospect, map[string]string{"active": "true"}, nil)
	tail := fmt.Sprintf(
		`,"client_id":%q,"username":%q,"token_type":"Bearer","active":true}`,
		client.ID,
		session.NationalID,
	)
	return c.JSONBlob(http.StatusOK, append(claims[:len(claims)-1], tail...))
}

// notAuthenticated is introspection's own answer to a client it does not know.
func notAuthenticated(err error) Answer {
	if a := clientError(err); a.Key == "server-error" {
		return a
	}
	return answer("introspect-client")
}

// revoke ends the session behind a token (RFC 7009, as Keycloak does it).
func (s *Server) revoke(c echo.Context) error {
	client, token, err := s.backChannel(c)
	if err != nil {
		s.journal.Add(c.Request().Context(), "", journal.KindRevoke, nil, err)
		return s.oauthError(c, clientError(err), err)
	}
	if token == "" {
		s.journal.Add(
			c.Request().Context(),
			"",
			journal.KindRevoke,
			map[string]string{"client_id": client.ID},
			problem.RevokeToken.Of(),
		)
		return s.oauthError(c, answer("revoke-token"), nil)
	}
	loginID := s.oidc.LoginOf(c.Request())
	ended, err := s.oidc.Revoke(c.Request().Context(), client.ID, token)
	s.journal.Add(
		c.Request().Context(),
		loginID,
		journal.KindRevoke,
		map[string]string{"client_id": client.ID, "found": fmt.Sprint(ended != nil)},
		err,
	)
	switch {
	case err != nil:
		return s.oauthError(c, answer("server-error"), err)
	case ended == nil:
		return s.oauthError(c, answer("revoke-invalid"), nil)
	}
	noStore(c)
	return c.NoContent(http.StatusOK)
}

// repeated refuses a body that cannot be read, or that names a parameter twice.
func repeated(r *http.Request) *Answer {
	key := ""
	if err := r.ParseForm(); err != nil {
		key = "grant-type-missing"
	} else if twice(r.PostForm) != "" {
		key = "parameter-repeated"
	} else {
		return nil
	}
	a := answer(key)
	return &a
}

// twice names a parameter that came more than once, "" for none.
func twice(form url.Values) string {
	for name, values := range form {
		if len(values) > 1 {
			return name
		}
	}
	return ""
}

// backChannel authenticates the client and reads the token of the body.
func (s *Server) backChannel(c echo.Context) (*clients.Client, string, error) {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return nil, "", problem.FormUnreadable.Got(err.Error())
	}
	client, err := s.auth.Authenticate(r, r.PostForm)
	return client, r.PostForm.Get("token"), err
}
