package provider

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
	"pscemu/provider/oidc"
)

// logout ends the session (OIDC RP-Initiated Logout 1.0): by an id_token_hint,
// also from server to server, or after a confirmation in the browser.
func (s *Server) logout(c echo.Context) error {
	form, err := authorizeForm(c.Request())
	if err != nil {
		return s.errorPage(c, http.StatusBadRequest, "Invalid Request", err)
	}
	if form.Get("id_token_hint") == "" {
		return s.logoutWithoutHint(c)
	}
	hint, err := s.oidc.IDTokenHint(form.Get("id_token_hint"))
	if err != nil {
		s.journal.Add("", "logout", nil, err)
		return s.errorPage(c, http.StatusBadRequest, "Invalid parameter: id_token_hint", err)
	}
	target := form.Get("post_logout_redirect_uri")
	if err := s.logoutTarget(c, hint, target, form.Get("client_id")); err != nil {
		s.journal.Add("", "logout", map[string]string{"client_id": hint.ClientID}, err)
		return s.errorPage(c, http.StatusBadRequest, "Invalid redirect uri", err)
	}
	if err := s.oidc.EndSession(c.Request().Context(), hint.SID); err != nil {
		return err
	}
	s.journal.Add("", "logout", map[string]string{"client_id": hint.ClientID}, nil)
	if sid, _ := s.logins.Session(c.Request()); sid == hint.SID {
		s.logins.ClearSession(c.Response())
	}
	if target == "" {
		return s.loggedOut(c)
	}
	if state := form.Get("state"); state != "" {
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		target += separator + pairs{{"state", state}}.encode()
	}
	return c.Redirect(http.StatusSeeOther, target)
}

func (s *Server) logoutTarget(c echo.Context, hint *oidc.Hint, target, clientID string) error {
	if clientID != "" && clientID != hint.ClientID {
		return problem.New(problem.Invalid, "logout-other-client", "client_id and id_token_hint name different clients").Got(clientID).Want(hint.ClientID)
	}
	if target == "" {
		return nil
	}
	client, err := s.clients.Get(c.Request().Context(), hint.ClientID)
	if err != nil {
		return err
	}
	if !client.AllowsPostLogout(target) {
		return problem.New(problem.Invalid, "post-logout-redirect-unregistered", "the post_logout_redirect_uri is not registered for this client").Got(target).
			Want(strings.Join(client.PostLogoutRedirectURIs, " or ")).Do("register it exactly as sent")
	}
	return nil
}

// logoutWithoutHint asks the person first; the browser's cookie, which no
// other site can make it send with a POST, is the proof of the answer.
func (s *Server) logoutWithoutHint(c echo.Context) error {
	if c.Request().Method != http.MethodPost || c.FormValue("confirm") != "yes" {
		return s.page(c, http.StatusOK, "logout", map[string]any{"Title": "Déconnexion"})
	}
	if b := s.browserSession(c); b != nil {
		if err := s.oidc.EndSession(c.Request().Context(), b.SID); err != nil {
			return err
		}
		s.journal.Add("", "logout", map[string]string{"national_id": b.NationalID}, nil)
	}
	s.logins.ClearSession(c.Response())
	return s.loggedOut(c)
}

func (s *Server) loggedOut(c echo.Context) error {
	return s.page(c, http.StatusOK, "message", map[string]any{"Title": "Vous êtes déconnecté", "Text": "Votre session Pro Santé Connect est terminée.", "Kind": "info"})
}
