package provider

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/sessions"
	"pscemu.invalid/pscemu/provider/site"
)

// sessionFrame is the session iframe (OIDC Session Management 1.0 §3.3): a
// relying party's page holds it in a frame and asks by postMessage whether the
// session is still the one it knows. A cookie that scripts may read says which
// one it is, as a hash.
type sessionFrame struct {
	clients  *clients.Registry
	browsers *sessions.Browsers
	names    *site.Names
	journal  *journal.Journal
	pages    *web.Pages
}

const framePath = "/login-status-iframe.html"

// Register adds the frame and what its script asks for.
func (h *sessionFrame) Register(e *echo.Echo) {
	e.GET(site.Protocol+framePath, h.show)
	e.GET(site.Protocol+framePath+"/init", h.init)
}

// frameCSP lets any page hold the frame: the origin is checked for each
// message, against the client it names.
const frameCSP = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'"

func (h *sessionFrame) show(c echo.Context) error {
	header := c.Response().Header()
	header.Del("X-Frame-Options")
	header.Set("Content-Security-Policy", frameCSP)
	header.Set("Cache-Control", "no-cache, must-revalidate")
	init := h.names.Of(c.Request().Host).Realm(framePath + "/init")
	body, err := h.pages.Fragment(c.Request().Context(), "provider/session_frame",
		map[string]any{"Cookie": h.browsers.StateCookie(), "Init": init})
	if err != nil {
		return err
	}
	return c.HTMLBlob(http.StatusOK, body)
}

// init tells the frame whether a client's page of this origin may ask: 204 or,
// as Keycloak does, 403.
func (h *sessionFrame) init(c echo.Context) error {
	ctx, id, origin := c.Request().Context(), c.QueryParam("client_id"), c.QueryParam("origin")
	client, err := h.clients.Get(ctx, id)
	if err == nil && client.AllowsOrigin(origin) {
		return c.NoContent(http.StatusNoContent)
	}
	if err == nil {
		err = problem.SessionFrameOrigin.Got(origin)
	}
	h.journal.Add(ctx, "", journal.KindSessionFrame, map[string]string{"client_id": id}, err)
	return c.NoContent(http.StatusForbidden)
}
