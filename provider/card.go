package provider

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
)

// toCardOrigin sends the browser to the origin that asks for a card's
// certificate, with a ticket that leads back to this login.
func (s *Server) toCardOrigin(c echo.Context, p *login.Pending) error {
	ticket, err := s.logins.ToCard(c.Request().Context(), p.ID)
	if err != nil {
		return err
	}
	q := url.Values{"login": {p.ID}, "ticket": {ticket}}
	return web.Leave(c, http.StatusSeeOther, s.cardURL(c)+"/card?"+q.Encode())
}

// cardOrigin judges the certificate and notes its holder on the login. A card
// is not even read for a login that another browser began: who was sent a link
// presents nothing.
func (s *Server) cardOrigin(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	p, err := s.logins.AtCard(r, c.QueryParam("login"), c.QueryParam("ticket"))
	if err != nil {
		id := ""
		if p != nil {
			id = p.ID
		}
		s.journal.Add(ctx, id, journal.KindCardCertificate, nil, err)
		return s.errorPage(c, http.StatusBadRequest, "", err)
	}
	identity, err := s.judgeCard(c)
	s.journal.Add(ctx, p.ID, journal.KindCardCertificate, map[string]string{"certificate": presented(r)}, err)
	if err != nil {
		return s.errorPage(c, http.StatusForbidden, "Carte refusée", err)
	}
	ticket, err := s.logins.Presented(ctx, p.ID, c.QueryParam("ticket"), identity.NationalID)
	if err != nil {
		return s.errorPage(c, http.StatusBadRequest, "", err)
	}
	return web.Leave(c, http.StatusSeeOther, p.Base+s.loginURL(p.ID, "/card-return")+"?ticket="+ticket)
}

func (s *Server) judgeCard(c echo.Context) (*pki.CardIdentity, error) {
	identity, err := s.pki.VerifyCard(c.Request().Context(), c.Request().TLS.PeerCertificates)
	if err == nil {
		_, err = s.cards.PresentCertificate(c.Request().Context(), identity)
	}
	return identity, err
}

// fromCardOrigin ends the login of the card's holder: the browser is the one
// that began the login, and it holds the ticket that was made for this holder.
func (s *Server) fromCardOrigin(c echo.Context, p *login.Pending) error {
	holder, err := s.logins.Returned(c.Request().Context(), p.ID, c.QueryParam("ticket"))
	if err != nil {
		s.journal.Add(c.Request().Context(), p.ID, journal.KindMeans, map[string]string{"means": string(identities.MeansCard)}, err)
		return s.errorPage(c, http.StatusBadRequest, "Carte refusée", err)
	}
	return s.complete(c, p, holder, identities.AuthModeCard)
}
