package api

import (
	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/provider/oidc"
)

// Keys are the provider's signing keys.
type Keys struct{ OIDC *oidc.Provider }

func (s *Keys) routes() []route {
	return []route{
		{
			"GET",
			"/keys",
			"The signing keys, the active one first",
			func(echo.Context) (any, error) { return items{s.OIDC.Keys(), ""}, nil },
		},
		{
			"POST",
			"/keys",
			"Rotation 1: publish a new signing key",
			func(c echo.Context) (any, error) { return s.OIDC.PublishKey(ctx(c)) },
		},
		{
			"POST",
			"/keys/:kid/use",
			"Rotation 2: sign with it; the former stays in the key set",
			func(c echo.Context) (any, error) { return nil, s.OIDC.UseKey(ctx(c), param(c, "kid")) },
		},
		{
			"POST",
			"/keys/:kid/retire",
			"Rotation 3: take it out of the key set",
			func(c echo.Context) (any, error) { return nil, s.OIDC.RetireKey(ctx(c), param(c, "kid")) },
		},
	}
}
