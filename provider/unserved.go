package provider

import (
	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// unservedEndpoints answers for what the sandbox's document advertises and is
// not done here: a correct OAuth error, never a 404.
type unservedEndpoints struct{ back *backChannel }

// Register adds the endpoints.
func (h *unservedEndpoints) Register(e *echo.Echo) {
	e.POST(site.Protocol+"/auth/device", h.device)
	registration := site.RealmPath + "/clients-registrations/openid-connect"
	e.GET(registration, h.registration)
	e.POST(registration, h.registration)
}

// device asks who the client is first, as Keycloak does.
func (h *unservedEndpoints) device(c echo.Context) error {
	if _, _, err := h.back.authenticate(c.Request()); err != nil {
		return h.back.refuse(c, clientError(err), err)
	}
	return h.refuse(c, "device-forbidden")
}

func (h *unservedEndpoints) registration(c echo.Context) error {
	return h.refuse(c, "registration-forbidden")
}

func (h *unservedEndpoints) refuse(c echo.Context, key string) error {
	return h.back.refuse(c, wire.Of(key), problem.Code(key).Of())
}
