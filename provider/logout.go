package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// logoutEndpoint ends the session (OIDC RP-Initiated Logout 1.0): by an
// id_token_hint, also from server to server, or after a confirmation in the
// browser.
type logoutEndpoint struct {
	oidc     *oidc.Provider
	clients  *clients.Registry
	ends     *sessions.Ends
	browsers *sessions.Browsers
	failures *failures
	names    *site.Names
}

// Register adds the endpoint.
func (h *logoutEndpoint) Register(e *echo.Echo) {
	e.GET(site.Protocol+"/logout", h.serve)
	e.POST(site.Protocol+"/logout", h.serve)
}

func (h *logoutEndpoint) serve(c echo.Context) error {
	form, err := readForm(c.Request())
	if err != nil {
		h.note(c, "", nil, err)
		return h.failures.pages.Refuse(c, http.StatusBadRequest, "Invalid Request", err)
	}
	if form.Get("id_token_hint") == "" {
		return h.withoutHint(c)
	}
	ctx := c.Request().Context()
	hint, err := h.oidc.IDTokenHint(ctx, form.Get("id_token_hint"))
	if err != nil {
		return h.failures.onPage(c, journal.KindLogout, "logout-hint", "", err)
	}
	target := form.Get("post_logout_redirect_uri")
	if err := h.target(ctx, hint, target, form.Get("client_id")); err != nil {
		return h.failures.onPage(c, journal.KindLogout, "logout-redirect", hint.ClientID, err)
	}
	return h.byHint(c, hint, withState(target, form))
}

func (h *logoutEndpoint) byHint(c echo.Context, hint *oidc.Hint, target string) error {
	out, err := h.ends.End(c.Request().Context(), hint.SID)
	if err != nil {
		return err
	}
	loginID := ""
	if out != nil {
		loginID = out.LoginID
	}
	h.note(c, loginID, map[string]string{"client_id": hint.ClientID}, nil)
	if h.browsers.Holds(c, hint.SID) {
		h.browsers.Forget(c)
	}
	return h.leave(c, out, target)
}

// note writes the journal's event of a logout.
func (h *logoutEndpoint) note(c echo.Context, loginID string, detail map[string]string, err error) {
	h.failures.journal.Add(c.Request().Context(), loginID, journal.KindLogout, detail, err)
}

// target judges where the browser is to go afterwards.
func (h *logoutEndpoint) target(ctx context.Context, hint *oidc.Hint, target, clientID string) error {
	if clientID != "" && clientID != hint.ClientID {
		return problem.LogoutOtherClient.With("client_id", hint.ClientID).Got(clientID)
	}
	if target == "" {
		return nil
	}
	client, err := h.clients.Get(ctx, hint.ClientID)
	if err != nil {
		return err
	}
	if !client.AllowsPostLogout(target) {
		return problem.PostLogoutRedirectUnregistered.With("accepted", problem.Or(client.PostLogoutRedirectURIs)).Got(target)
	}
	return nil
}

func withState(target string, form url.Values) string {
	if state := form.Get("state"); target != "" && state != "" {
		return wire.Params{{"state", state}}.AddedTo(target)
	}
	return target
}

// withoutHint asks the person first, on a page of this host: another port of it
// could make the browser send its cookie too. The cookie is the wallet host's.
func (h *logoutEndpoint) withoutHint(c echo.Context) error {
	r := c.Request()
	if at := h.names.Of(r.Host); at.Wallet != at.Auth && r.Host == strings.TrimPrefix(at.Auth, "https://") {
		return web.Leave(c, http.StatusSeeOther, at.Wallet+r.URL.Path)
	}
	if r.Method != http.MethodPost || c.FormValue("confirm") != "yes" {
		return h.failures.pages.Show(c, http.StatusOK, "provider/logout", map[string]any{"Title": "Déconnexion"})
	}
	if err := web.OwnForm(r); err != nil {
		h.note(c, "", nil, err)
		return h.failures.pages.Refuse(c, http.StatusForbidden, "Requête refusée", err)
	}
	out, err := h.endOwn(c)
	if err != nil {
		return err
	}
	h.browsers.Forget(c)
	return h.leave(c, out, "")
}

// endOwn ends the browser's own session; nil when it has none.
func (h *logoutEndpoint) endOwn(c echo.Context) (*sessions.Ended, error) {
	b := h.browsers.Of(c)
	if b == nil {
		return nil, nil
	}
	out, err := h.ends.End(c.Request().Context(), b.SID)
	if err == nil {
		h.note(c, b.LoginID, map[string]string{"national_id": b.NationalID}, nil)
	}
	return out, err
}

// leave sends the browser on, through frames of the clients that registered for
// them.
func (h *logoutEndpoint) leave(c echo.Context, out *sessions.Ended, target string) error {
	var frames []string
	if out != nil {
		frames = out.Frames
	}
	return sessions.Leave(c, h.failures.pages, frames, target)
}
