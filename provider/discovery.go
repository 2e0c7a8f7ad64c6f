package provider

import (
	_ "embed"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

//go:embed discovery.json
var discoveryDocument string

// discovery is the sandbox's document, field for field, with our names.
func (s *Server) discovery(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache, must-revalidate, no-transform, no-store")
	return c.JSONBlob(http.StatusOK, s.discoveryJSON())
}

func (s *Server) discoveryJSON() []byte {
	issuer := s.config.Issuer()
	return []byte(strings.NewReplacer("{I}", issuer, "{O}", issuer+"/protocol/openid-connect", "{B}", s.config.BaseURL).Replace(strings.TrimSpace(discoveryDocument)))
}

// jwks publishes the keys that verify our tokens.
func (s *Server) jwks(c echo.Context) error {
	set, err := s.oidc.JWKS(c.Request().Context())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.JSON(http.StatusOK, set)
}

func itoa(n int) string { return strconv.Itoa(n) }
