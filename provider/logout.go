package provider

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// logout ends the session (OIDC RP-Initiated Logout 1.0): by an id_token_hint,
// also from server to server, or after a confirmation in the browser.
func (s *Server) logout(c echo.Context) error {
	form, err := authorizeForm(c.Request())
	if err != nil {
		s.journal.Add(c.Request().Context(), "", journal.KindLogout, nil, err)
		return s.errorPage(c, http.StatusBadRequest, "Invalid Request", err)
	}
	if form.Get("id_token_hint") == "" {
		return s.logoutWithoutHint(c)
	}
	ctx := c.Request().Context()
	hint, err := s.oidc.IDTokenHint(ctx, form.Get("id_token_hint"))
	if err != nil {
		return s.logoutRefused(c, "logout-hint", "", err)
	}
	target := form.Get("post_logout_redirect_uri")
	if err := s.logoutTarget(ctx, hint, target, form.Get("client_id")); err != nil {
		return s.logoutRefused(c, "logout-redirect", hint.ClientID, err)
	}
	out, err := s.endSession(ctx, hint.SID)
	if err != nil {
		return err
	}
	loginID := ""
	if out != nil {
		loginID = out.LoginID
	}
	s.journal.Add(ctx, loginID, journal.KindLogout, map[string]string{"client_id": hint.ClientID}, nil)
	if sid, _ := s.logins.Session(c.Request()); sid == hint.SID {
		s.logins.ClearSession(c.Response())
		s.setSessionState(c, "")
	}
	if target != "" {
		target = withState(target, form.Get("state"))
	}
	return s.leave(c, out, target)
}

func (s *Server) logoutRefused(c echo.Context, key, clientID string, err error) error {
	s.journal.Add(c.Request().Context(), "", journal.KindLogout, map[string]string{"client_id": clientID}, err)
	a := answer(key)
	return s.errorPage(c, a.Status, a.Text, err)
}

func (s *Server) logoutTarget(ctx context.Context, hint *oidc.Hint, target, clientID string) error {
	if clientID != "" && clientID != hint.ClientID {
		return problem.LogoutOtherClient.With("client_id", hint.ClientID).Got(clientID)
	}
	if target == "" {
		return nil
	}
	client, err := s.clients.Get(ctx, hint.ClientID)
	if err != nil {
		return err
	}
	if !client.AllowsPostLogout(target) {
		return problem.PostLogoutRedirectUnregistered.With("accepted", problem.Or(client.PostLogoutRedirectURIs)).Got(target)
	}
	return nil
}

func withState(target, state string) string {
	if state == "" {
		return target
	}
	return withQuery(target, pairs{{"state", state}})
}

func withQuery(target string, params pairs) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return target + separator + params.encode()
}

// logoutWithoutHint asks the person first, on a page of this host: another
// port of it could make the browser send its cookie too. The cookie is the
// wallet host's.
func (s *Server) logoutWithoutHint(c echo.Context) error {
	if at := s.site(c); at.Wallet != at.Auth && c.Request().Host == strings.TrimPrefix(at.Auth, "https://") {
		return web.Leave(c, http.StatusSeeOther, at.Wallet+c.Request().URL.Path)
	}
	if c.Request().Method != http.MethodPost || c.FormValue("confirm") != "yes" {
		return s.page(c, http.StatusOK, "provider/logout", map[string]any{"Title": "Déconnexion"})
	}
	if err := fromHere(c.Request()); err != nil {
		s.journal.Add(c.Request().Context(), "", journal.KindLogout, nil, err)
		return s.errorPage(c, http.StatusForbidden, "Requête refusée", err)
	}
	var out *ended
	if b := s.browserSession(c); b != nil {
		var err error
		if out, err = s.endSession(c.Request().Context(), b.SID); err != nil {
			return err
		}
		s.journal.Add(c.Request().Context(), b.LoginID, journal.KindLogout, map[string]string{"national_id": b.NationalID}, nil)
	}
	s.logins.ClearSession(c.Response())
	s.setSessionState(c, "")
	return s.leave(c, out, "")
}

// leave sends the browser on, through frames of the clients that registered for
// them.
func (s *Server) leave(c echo.Context, out *ended, target string) error {
	if out == nil {
		return s.leaveBy(c, nil, target)
	}
	return s.leaveBy(c, out.frames, target)
}

func (s *Server) leaveBy(c echo.Context, frames []string, target string) error {
	switch {
	case len(frames) > 0:
		var origins []string
		for _, f := range frames {
			if origin := clients.Origin(f); plainOrigin.MatchString(origin) {
				origins = append(origins, origin)
			}
		}
		slices.Sort(origins)
		origins = slices.Compact(origins)
		c.Response().Header().Set("Content-Security-Policy", csp+"; frame-src "+strings.Join(origins, " "))
		return s.page(
			c,
			http.StatusOK,
			"provider/leaving",
			map[string]any{"Title": "Déconnexion", "Frames": frames, "Target": target},
		)
	case target == "":
		return s.page(
			c,
			http.StatusOK,
			"message",
			map[string]any{
				"Title": "Vous êtes déconnecté",
				"Text":  "Votre session Pro Santé Connect est terminée.",
				"Kind":  "info",
			},
		)
	case c.Request().Method == http.MethodPost:
		return web.Leave(c, http.StatusSeeOther, target)
	}
	return web.Leave(c, http.StatusFound, target)
}

// plainOrigin keeps a registered address from adding directives to a policy.
var plainOrigin = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+$`)
