package api

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards/pki"
)

// Revocation serves what certificates name: lists, authorities, OCSP.
type Revocation struct{ PKI *pki.PKI }

// Register adds the services that certificates name: anybody may ask.
func (s *Revocation) Register(e *echo.Echo) {
	e.GET("/pki/crl/:name", s.listOf(".crl", "application/pkix-crl", s.PKI.CRL))
	e.GET("/pki/delta/:name", s.listOf(".crl", "application/pkix-crl", s.PKI.DeltaCRL))
	e.GET("/pki/ca/:name", s.listOf(".crt", "application/pkix-cert", s.PKI.AuthorityDER))
	e.POST("/pki/ocsp", s.ocspPost)
	e.GET("/pki/ocsp/*", s.ocspGet)
}

func (s *Revocation) listOf(ending, kind string, of func(context.Context, string) ([]byte, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		der, err := of(c.Request().Context(), strings.TrimSuffix(c.Param("name"), ending))
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, kind, der)
	}
}

func (s *Revocation) ocspPost(c echo.Context) error {
	request, err := io.ReadAll(io.LimitReader(c.Request().Body, 64<<10))
	if err != nil {
		return err
	}
	return s.ocsp(c, request)
}

// ocspGet reads the request from the path (RFC 6960, appendix A.1).
func (s *Revocation) ocspGet(c echo.Context) error {
	encoded, err := url.PathUnescape(strings.TrimPrefix(c.Request().URL.EscapedPath(), "/pki/ocsp/"))
	var request []byte
	if err == nil {
		request, err = base64.StdEncoding.DecodeString(encoded)
	}
	if err != nil {
		request = nil // answered as malformed
	}
	return s.ocsp(c, request)
}

func (s *Revocation) ocsp(c echo.Context, request []byte) error {
	answer, err := s.PKI.OCSP(c.Request().Context(), request)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/ocsp-response", answer)
}
