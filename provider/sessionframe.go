package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/journal"
)

// The session iframe (OIDC Session Management 1.0 §3.3): a relying party's page
// holds it in a frame and asks by postMessage whether the session is still the
// one it knows. A cookie that scripts may read says which one it is, as a hash.

func (s *Server) stateCookie() string { return "pscemu-state-" + s.logins.Instance }

// setSessionState lets the frame know the session; "" that there is none.
func (s *Server) setSessionState(c echo.Context, sid string) {
	cookie := &http.Cookie{Name: s.stateCookie(), Path: "/", Secure: true, SameSite: http.SameSiteNoneMode, MaxAge: -1}
	if sid != "" {
		sum := sha256.Sum256([]byte(sid))
		cookie.Value, cookie.MaxAge = base64.RawURLEncoding.EncodeToString(sum[:]), 0
	}
	// The frame lies on the auth host, the login on the wallet host.
	at := s.site(c)
	if domain, ok := strings.CutPrefix(hostname(at.Wallet), "wallet."); ok && at.Wallet != at.Auth {
		cookie.Domain = domain
	}
	http.SetCookie(c.Response(), cookie)
}

func hostname(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// frameCSP lets any page hold the frame: the origin is checked for each
// message, against the client it names.
const frameCSP = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'"

func (s *Server) sessionFrame(c echo.Context) error {
	h := c.Response().Header()
	h.Del("X-Frame-Options")
	h.Set("Content-Security-Policy", frameCSP)
	h.Set("Cache-Control", "no-cache, must-revalidate")
	body, err := s.pages.Fragment(
		c.Request().Context(),
		"provider/session_frame",
		map[string]any{"Cookie": s.stateCookie(), "Init": s.site(c).realm("/login-status-iframe.html/init")},
	)
	if err != nil {
		return err
	}
	return c.HTMLBlob(http.StatusOK, body)
}

// sessionFrameInit tells the frame whether a client's page of this origin may
// ask: 204 or, as Keycloak does, 403.
func (s *Server) sessionFrameInit(c echo.Context) error {
	client, err := s.clients.Get(c.Request().Context(), c.QueryParam("client_id"))
	origin := c.QueryParam("origin")
	if err == nil && client.AllowsOrigin(origin) {
		return c.NoContent(http.StatusNoContent)
	}
	if err == nil {
		err = problem.SessionFrameOrigin.Got(origin)
	}
	s.journal.Add(
		c.Request().Context(),
		"",
		journal.KindSessionFrame,
		map[string]string{"client_id": c.QueryParam("client_id")},
		err,
	)
	return c.NoContent(http.StatusForbidden)
}
