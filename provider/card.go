package provider

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/site"
)

// cardReturn sends the browser to the origin that asks for a card's certificate,
// with a ticket that leads back to this login, and takes it back.
type cardReturn struct {
	*guard
	names    *site.Names
	journal  *journal.Journal
	complete *completion
}

// Register adds the way there and the way back.
func (h *cardReturn) Register(e *echo.Echo) {
	e.GET(loginPath+"/card-browser", h.with(h.send))
	e.GET(loginPath+"/card-return", h.with(h.back))
}

func (h *cardReturn) send(c echo.Context, p *login.Pending) error {
	ticket, err := h.logins.ToCard(c.Request().Context(), p.ID)
	if err != nil {
		return err
	}
	q := url.Values{"login": {p.ID}, "ticket": {ticket}}
	return web.Leave(c, http.StatusSeeOther, h.names.CardOrigin(c.Request())+"/card?"+q.Encode())
}

// back ends the login of the card's holder: the browser is the one that began
// the login, and it holds the ticket that was made for this holder.
func (h *cardReturn) back(c echo.Context, p *login.Pending) error {
	holder, err := h.logins.Returned(c.Request().Context(), p.ID, c.QueryParam("ticket"))
	if err != nil {
		h.journal.Add(
			c.Request().Context(),
			p.ID,
			journal.KindMeans,
			map[string]string{"means": string(identities.MeansCard)},
			err,
		)
		return h.pages.Refuse(c, http.StatusBadRequest, "Carte refusée", err)
	}
	return h.complete.complete(c, p, holder, identities.AuthModeCard)
}

// cardOrigin judges the certificate and notes its holder on the login. A card
// is not even read for a login that another browser began: who was sent a link
// presents nothing.
type cardOrigin struct {
	logins  *login.Logins
	pki     *pki.PKI
	cards   *cards.Cards
	journal *journal.Journal
	pages   *web.View
}

// Register adds the one address of the card origin.
func (h *cardOrigin) Register(e *echo.Echo) { e.GET("/card", h.serve) }

func (h *cardOrigin) serve(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	p, err := h.logins.AtCard(r, c.QueryParam("login"), c.QueryParam("ticket"))
	if err != nil {
		id := ""
		if p != nil {
			id = p.ID
		}
		h.journal.Add(ctx, id, journal.KindCardCertificate, nil, err)
		return h.pages.Refuse(c, http.StatusBadRequest, "", err)
	}
	identity, err := h.judge(r)
	h.journal.Add(ctx, p.ID, journal.KindCardCertificate, map[string]string{"certificate": presented(r)}, err)
	if err != nil {
		return h.pages.Refuse(c, http.StatusForbidden, "Carte refusée", err)
	}
	ticket, err := h.logins.Presented(ctx, p.ID, c.QueryParam("ticket"), identity.NationalID)
	if err != nil {
		return h.pages.Refuse(c, http.StatusBadRequest, "", err)
	}
	return web.Leave(c, http.StatusSeeOther, p.Base+login.Path(p.ID, "/card-return")+"?ticket="+ticket)
}

func (h *cardOrigin) judge(r *http.Request) (*pki.CardIdentity, error) {
	identity, err := h.pki.VerifyCard(r.Context(), r.TLS.PeerCertificates)
	if err == nil {
		_, err = h.cards.PresentCertificate(r.Context(), identity)
	}
	return identity, err
}
