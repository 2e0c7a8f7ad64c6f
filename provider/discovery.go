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

// truthDocument says what the emulator really does.
//
//go:embed discovery-truth.json
var truthDocument string

// discovery is the sandbox's document, field for field, or the one that is
// true of the emulator, with the names of the host that was asked.
func (s *Server) discovery(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache, must-revalidate, no-transform, no-store")
	document := discoveryDocument
	if s.settings.Policies(nil, nil).Discovery == "truth" {
		document = truthDocument
	}
	return c.JSONBlob(http.StatusOK, s.site(c).fill(document))
}

// fill writes the site's names into a document.
func (s site) fill(document string) []byte {
	return []byte(
		strings.NewReplacer("{I}", s.Issuer(), "{O}", s.realm(""), "{B}", s.Wallet).
			Replace(strings.TrimSpace(document)),
	)
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
