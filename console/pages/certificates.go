package pages

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

// Certificates is the page of all certificates.
type Certificates struct {
	View *web.View
	API  *api.Certificates
}

// Register adds the routes.
func (h *Certificates) Register(e *echo.Echo) {
	e.GET("/certificates", h.list)
	e.POST("/certificates/:serial/revoke", h.revoke)
}

// list lists, searches and downloads.
func (h *Certificates) list(c echo.Context) error {
	q := api.CertificateQuery(c)
	page := shell.List{Path: "/certificates", Filter: url.Values{"q": {q.Text}, "client_id": {q.ClientID},
		"card": {q.Card}, "state": {string(q.State)}}}
	if q.Counted() {
		page.Count = func(ctx context.Context, most int) (int, error) { return h.API.PKI.Count(ctx, q, most) }
	}
	list, part, err := shell.Shown(c, page, h.API.List(shell.Context(c), q))
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/certificates", map[string]any{"Title": "Certificats",
		"Certificates": list, "Part": part, "Query": q,
		"States": []pki.State{pki.Valid, pki.Revoked}, "Authorities": pki.AuthorityIDs()})
}

func (h *Certificates) revoke(c echo.Context) error {
	if err := h.API.PKI.Revoke(shell.Context(c), web.Param(c, "serial")); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/certificates")
}
