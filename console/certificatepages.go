package console

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

// The online services TOPS and TOM, and the platform of software certificates:
// a relying party of our own, where people log in with their card.

// certificatesPage lists, searches and downloads.
func (s *Console) certificatesPage(c echo.Context) error {
	q := api.CertificateQuery(c)
	page := shell.List{Path: "/certificates", Filter: url.Values{"q": {q.Text}, "client_id": {q.ClientID},
		"card": {q.Card}, "state": {q.State}}}
	if q.Counted() {
		page.Count = func(ctx context.Context, most int) (int, error) { return s.PKI.Count(ctx, q, most) }
	}
	list, part, err := shell.Shown(c, page, s.api.Certificates.List(ctx(c), q))
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console/certificates", map[string]any{"Title": "Certificats",
		"Certificates": list, "Part": part, "Query": q,
		"States": []string{pki.Valid, pki.Revoked}, "Authorities": pki.AuthorityIDs()})
}

func (s *Console) revokePage(c echo.Context) error {
	if err := s.PKI.Revoke(ctx(c), param(c, "serial")); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/certificates")
}
