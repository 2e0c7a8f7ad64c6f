package provider

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// revokeEndpoint ends the session behind a token (RFC 7009, as Keycloak does it).
type revokeEndpoint struct {
	back    *backChannel
	oidc    *oidc.Provider
	journal *journal.Journal
}

// Register adds the endpoint.
func (h *revokeEndpoint) Register(e *echo.Echo) { e.POST(site.Protocol+"/revoke", h.serve) }

func (h *revokeEndpoint) serve(c echo.Context) error {
	ctx := c.Request().Context()
	client, token, err := h.back.authenticate(c.Request())
	if err != nil {
		h.journal.Add(ctx, "", journal.KindRevoke, nil, err)
		return h.back.refuse(c, clientError(err), err)
	}
	if token == "" {
		a := wire.Of("revoke-token")
		h.journal.Add(ctx, "", journal.KindRevoke, map[string]string{"client_id": client.ID}, a.Problem())
		return h.back.refuse(c, a, nil)
	}
	loginID := h.oidc.LoginOf(c.Request())
	ended, err := h.oidc.Revoke(ctx, client.ID, token)
	noted := map[string]string{"client_id": client.ID, "found": fmt.Sprint(ended != nil)}
	h.journal.Add(ctx, loginID, journal.KindRevoke, noted, err)
	switch {
	case err != nil:
		return h.back.refuse(c, wire.Of("server-error"), err)
	case ended == nil:
		return h.back.refuse(c, wire.Of("revoke-invalid"), nil)
	}
	web.NoStore(c)
	return c.NoContent(http.StatusOK)
}
