package provider

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// introspectEndpoint tells whether a token is in force (RFC 7662).
type introspectEndpoint struct {
	back     *backChannel
	settings *config.Live
	oidc     *oidc.Provider
	journal  *journal.Journal
}

// Register adds the endpoint.
func (h *introspectEndpoint) Register(e *echo.Echo) {
	e.POST(site.Protocol+"/token/introspect", h.serve)
}

func (h *introspectEndpoint) serve(c echo.Context) error {
	ctx := c.Request().Context()
	client, token, err := h.back.authenticate(c.Request())
	if err != nil {
		h.journal.Add(ctx, "", journal.KindIntrospect, nil, err)
		return h.back.refuse(c, notAuthenticated(err), err)
	}
	if token == "" {
		a := wire.Of("introspect-token")
		h.journal.Add(ctx, "", journal.KindIntrospect, map[string]string{"client_id": client.ID}, a.Problem())
		return h.back.refuse(c, a, nil)
	}
	claims, session, err := h.oidc.Inspect(ctx, token)
	if err != nil {
		return h.back.refuse(c, wire.Of("server-error"), err)
	}
	web.NoStore(c)
	refusal := h.othersToken(client, session, claims != nil)
	if claims == nil || refusal != nil {
		noted := map[string]string{"client_id": client.ID, "active": "false"}
		h.journal.Add(ctx, "", journal.KindIntrospect, noted, refusal)
		return c.JSONBlob(http.StatusOK, []byte(`{"active":false}`))
	}
	h.journal.Add(ctx, session.LoginID, journal.KindIntrospect, map[string]string{"active": "true"}, nil)
	return c.JSONBlob(http.StatusOK, introspected(claims, client.ID, session.NationalID))
}

// othersToken refuses a token that was issued to another client.
func (h *introspectEndpoint) othersToken(client *clients.Client, session *oidc.Session, good bool) error {
	if !good || session.ClientID == client.ID || h.settings.Policies(client.Policies, nil).IntrospectAny {
		return nil
	}
	return problem.TokenOtherClient.With("client_id", session.ClientID).Got(client.ID)
}

// introspected are the claims of a token with what Keycloak adds.
func introspected(claims []byte, clientID, username string) []byte {
	tail := fmt.Sprintf(`,"client_id":%q,"username":%q,"token_type":"Bearer","active":true}`, clientID, username)
	return append(claims[:len(claims)-1], tail...)
}

// notAuthenticated is introspection's own answer to a client it does not know.
func notAuthenticated(err error) wire.Answer {
	if a := clientError(err); a.Key == "server-error" {
		return a
	}
	return wire.Of("introspect-client")
}
