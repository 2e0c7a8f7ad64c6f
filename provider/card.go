package provider

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
	"pscemu/provider/login"
	"pscemu/web"
)

// toCardOrigin sends the browser to the origin that asks for a card's
// certificate, with a ticket that leads back to this login.
func (s *Server) toCardOrigin(c echo.Context, p *login.Pending) error {
	p.CardTicket = rand.Text()
	if err := s.logins.Save(c.Request().Context(), p); err != nil {
		return err
	}
	q := url.Values{"login": {p.ID}, "ticket": {p.CardTicket}}
	return web.Leave(c, http.StatusSeeOther, s.config.CardURL+"/card?"+q.Encode())
}

// cardOrigin judges the certificate and notes its holder on the login; only
// the browser that began the login can go on with it.
func (s *Server) cardOrigin(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	p, err := s.logins.ByTicket(ctx, c.QueryParam("login"), c.QueryParam("ticket"))
	if err != nil {
		return s.errorPage(c, http.StatusBadRequest, problem.From(err).Reason, err)
	}
	identity, err := s.pki.VerifyCard(ctx, r.TLS.PeerCertificates)
	if err == nil {
		_, err = s.cards.PresentCertificate(ctx, identity)
	}
	s.journal.Add(ctx, p.ID, "card-certificate", map[string]string{"certificate": presented(r)}, err)
	if err != nil {
		return s.errorPage(c, http.StatusForbidden, "Carte refusée", err)
	}
	p.CardHolder, p.CardTicket = identity.NationalID, rand.Text()
	if err := s.logins.Save(ctx, p); err != nil {
		return err
	}
	return web.Leave(c, http.StatusSeeOther, p.Base+s.loginURL(p.ID, "/card-return")+"?ticket="+p.CardTicket)
}

// fromCardOrigin ends the login of the card's holder. The second ticket never
// left this browser's hands, and Get has checked the browser.
func (s *Server) fromCardOrigin(c echo.Context, p *login.Pending) error {
	if _, err := s.logins.ByTicket(c.Request().Context(), p.ID, c.QueryParam("ticket")); err != nil || p.CardHolder == "" {
		return s.errorPage(c, http.StatusBadRequest, "Carte refusée", err)
	}
	return s.complete(c, p, p.CardHolder, "CARD")
}
