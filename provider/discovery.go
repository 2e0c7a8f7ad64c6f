package provider

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
)

//go:embed discovery.json
var discoveryDocument string

// truthDocument says what the emulator really does.
//
//go:embed discovery-truth.json
var truthDocument string

// discoveryEndpoint says where everything is, and by which keys tokens verify.
type discoveryEndpoint struct {
	settings *config.Live
	names    *site.Names
	oidc     *oidc.Provider
}

// Register adds the document, under its two names, and the keys.
func (h *discoveryEndpoint) Register(e *echo.Echo) {
	e.GET(site.RealmPath+"/.well-known/openid-configuration", h.document)
	e.GET(site.RealmPath+"/.well-known/wallet-openid-configuration", h.document)
	e.GET(site.Protocol+"/certs", h.jwks)
}

// document is the sandbox's, field for field, or the one that is true of the
// emulator, with the names of the host that was asked.
func (h *discoveryEndpoint) document(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache, must-revalidate, no-transform, no-store")
	document := discoveryDocument
	if h.settings.Policies(nil, nil).Discovery == "truth" {
		document = truthDocument
	}
	return c.JSONBlob(http.StatusOK, h.names.Of(c.Request().Host).Fill(document))
}

// jwks publishes the keys that verify our tokens.
func (h *discoveryEndpoint) jwks(c echo.Context) error {
	set, err := h.oidc.JWKS(c.Request().Context())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.JSON(http.StatusOK, set)
}
