package console

import (
	"cmp"
	"context"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
)

// The online services TOPS and TOM, and the platform of software certificates:
// a relying party of our own, where people log in with their card.

func (s *Console) orderCertificate(c echo.Context) (any, error) {
	var in orders.CertificateOrder
	if err := body(c, &in); err != nil {
		return nil, err
	}
	in.Profile = cmp.Or(in.Profile, "AUTH_CLI")
	cert, err := s.Orders.IssueCertificate(ctx(c), in)
	if err != nil {
		return nil, err
	}
	return s.issued(ctx(c), cert)
}

func (s *Console) orderedCertificates(c echo.Context) (any, error) {
	return listed(c, keyless(s.orderedList(ctx(c), c.QueryParam("by"))))
}

// orderedList lists the certificates of the structures that somebody administers,
// structure by structure.
func (s *Console) orderedList(c context.Context, by string) lister[pki.Certificate] {
	return byID(certificateID, func(after string, limit int) ([]pki.Certificate, error) {
		return s.Orders.Certificates(c, by, after, limit)
	})
}

func (s *Console) revokeOrdered(c echo.Context) (any, error) {
	var in struct{ By string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return nil, s.Orders.RevokeCertificate(ctx(c), in.By, param(c, "serial"))
}
