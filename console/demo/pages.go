package demo

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/rp"
	"pscemu.invalid/pscemu/internal/web"
)

// Names of the demo's cookies, beside that of a login under way.
const (
	sessionCookie = "demo-session"
	logoutCookie  = "demo-logout"
)

// Pages are those of the demo: a button that logs in, what a login brings, and
// each check that was made of it.
type Pages struct {
	view     *web.View
	party    *Party
	sessions *sessions
}

// NewPages makes the pages of a relying party.
func NewPages(v *web.View, p *Party) *Pages { return &Pages{v, p, newSessions(p.client)} }

// Register adds the demo's routes.
func (h *Pages) Register(e *echo.Echo) {
	e.GET("/demo", h.home)
	e.GET("/demo/start", h.party.Begin)
	e.GET("/demo/callback", h.callback)
	e.GET("/demo/logout", h.logout)
	e.POST("/demo/backchannel-logout", h.ended)
}

// home shows who is logged in, and what of a logout came back.
func (h *Pages) home(c echo.Context) error {
	data := map[string]any{}
	if sent := h.cookie(c, logoutCookie); sent != "" && c.QueryParams().Has("state") {
		h.party.cookies.Set(c, logoutCookie, h.party.at, "", http.SameSiteLaxMode, 0)
		data["LoggedOut"] = rows(h.party.client.LoggedOut(sent, c.QueryParams()))
	}
	name, at := h.sessions.find(h.party.cookies.Values(c, sessionCookie))
	if at == nil {
		return h.show(c, http.StatusOK, data)
	}
	in, again, err := h.sessions.fresh(shell.Context(c), name, at)
	data["Refreshed"] = rows(again)
	if err != nil {
		h.party.cookies.Set(c, sessionCookie, h.party.at, "", http.SameSiteLaxMode, 0)
		data["Ended"] = err.Error()
		return h.show(c, http.StatusOK, data)
	}
	data["UserInfo"], data["IDToken"] = indent(in.UserInfo), indent(in.Claims)
	data["AccessToken"], data["Checks"] = indent(rp.Decode(in.Tokens.Access)), rows(in.Checks)
	return h.show(c, http.StatusOK, data)
}

// callback opens a session when everything is as it must be. The browser goes
// on, so that the code leaves the address bar.
func (h *Pages) callback(c echo.Context) error {
	in, err := h.party.LoggedIn(c)
	if err != nil {
		return h.refused(c, in, err)
	}
	for _, before := range h.party.cookies.Values(c, sessionCookie) {
		h.sessions.end(before)
	}
	// Lax: the way back comes from the login page's site.
	h.party.cookies.Set(c, sessionCookie, h.party.at, h.sessions.open(in), http.SameSiteLaxMode, 0)
	return web.Redirect(c, http.StatusSeeOther, "/demo")
}

// refused shows why a login opens no session. A callback that is loaded again
// shows the session that it opened.
func (h *Pages) refused(c echo.Context, in *rp.Session, err error) error {
	if _, at := h.sessions.find(h.party.cookies.Values(c, sessionCookie)); in == nil && at != nil {
		return web.Redirect(c, http.StatusSeeOther, "/demo")
	}
	if in == nil || !shell.WantsPage(c.Request()) && !said(err) {
		return err
	}
	data := map[string]any{"Checks": rows(in.Checks)}
	status := http.StatusForbidden
	if refused := (*rp.Refusal)(nil); errors.As(err, &refused) {
		status, data["Error"], data["Description"] = http.StatusOK, refused.Code, refused.Text
	} else {
		data["Problem"] = h.view.Explained(c, err)
	}
	return h.show(c, status, data)
}

// said tells of an error that the callback brought.
func said(err error) bool {
	var refused *rp.Refusal
	return errors.As(err, &refused)
}

// logout ends the session here first, then at PSC.
func (h *Pages) logout(c echo.Context) error {
	name, at := h.sessions.find(h.party.cookies.Values(c, sessionCookie))
	if at == nil {
		return web.Redirect(c, http.StatusSeeOther, "/demo")
	}
	h.sessions.end(name)
	h.party.cookies.Set(c, sessionCookie, h.party.at, "", http.SameSiteLaxMode, 0)
	state := rand.Text()
	at.mu.Lock()
	to, err := h.party.client.LogoutURL(shell.Context(c), at.in, h.party.url+h.party.at, state)
	at.mu.Unlock()
	if err != nil {
		return refusal(nil, err)
	}
	h.party.cookies.Set(c, logoutCookie, h.party.at, state, http.SameSiteLaxMode, 10*time.Minute)
	return web.Leave(c, http.StatusFound, to)
}

// ended hears from PSC that a session has ended (OIDC Back-Channel Logout §2.7,
// §2.8): for a registration with this address as backchannel_logout_uri.
func (h *Pages) ended(c echo.Context) error {
	if err := h.sessions.logout(shell.Context(c), c.FormValue("logout_token")); err != nil {
		return c.JSON(http.StatusBadRequest, map[string]string{
			"error":             "invalid_request",
			"error_description": err.Error(),
		})
	}
	return c.NoContent(http.StatusOK)
}

// cookie is the first value under a name.
func (h *Pages) cookie(c echo.Context, name string) string {
	for _, kept := range h.party.cookies.Values(c, name) {
		return kept
	}
	return ""
}

func (h *Pages) show(c echo.Context, status int, data map[string]any) error {
	data["Title"], data["Client"], data["Issuer"] = "Démonstration", h.party.client.ClientID, h.party.client.Issuer
	return h.view.Show(c, status, "demo/demo", data)
}

func indent(v any) string {
	b, _ := json.MarshalIndent(v, "", "  ")
	return string(b)
}
