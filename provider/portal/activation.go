package portal

import (
	"cmp"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
)

// activation activates an e-CPS by the card: a QR code for the phone.
type activation struct {
	store   store.Store
	clock   clock.Clock
	ecps    *ecps.Phones
	logins  *login.Logins
	journal *journal.Journal
	pages   *web.View
	polls   web.Polls
}

// Register adds the page of the QR code.
func (h *activation) Register(e *echo.Echo) {
	g := group(e, h.pages)
	g.GET("/activation/:id", h.show)
	g.GET("/activation/:id/state", h.state)
}

// pageKept is how long the page of an activation that has ended still says so.
const pageKept = time.Hour

// begin starts the activation as the login ends; its page is this browser's
// alone.
func (h *activation) begin(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	var a *ecps.Activation
	var verdict error
	err := h.store.Update(c.Request().Context(), func(tx store.Tx) (err error) {
		if _, err = h.logins.EndIn(tx, p.ID); err != nil {
			return err
		}
		if a, verdict, err = h.ecps.StartActivationIn(tx, who.Person.NationalID, ecps.ByCard); a == nil {
			return err
		}
		return h.logins.BindIn(tx, a.ID, p.Browser, a.ExpiresAt.Sub(h.clock.Now())+pageKept)
	})
	if err = cmp.Or(err, verdict); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/wallet/activation/"+a.ID)
}

// show is the QR code while it is valid, for the browser that presented the card.
func (h *activation) show(c echo.Context) error {
	if err := h.logins.Bound(c.Request(), c.Param("id")); err != nil {
		h.journal.Add(c.Request().Context(), "", journal.KindWallet, map[string]string{"task": "activation-page"}, err)
		return h.pages.Refuse(c, http.StatusForbidden, "", err)
	}
	a, err := h.ecps.Activation(c.Request().Context(), c.Param("id"))
	if err != nil || a.By != ecps.ByCard {
		return h.pages.Refuse(c, http.StatusNotFound, "Cette activation n'existe pas", err)
	}
	left := h.left(a)
	data := map[string]any{
		"Title":      "Scannez ce QR code",
		"Activation": a,
		"Left":       left,
		"State":      stateOf(a, left),
	}
	if data["State"] == "pending" {
		if data["Image"], err = web.QR(a.QR); err != nil {
			return err
		}
	}
	return h.pages.Show(c, http.StatusOK, "portal/activation", data)
}

// left is how many seconds the QR code is still valid.
func (h *activation) left(a *ecps.Activation) int {
	return max(0, int(a.ExpiresAt.Sub(h.clock.Now())/time.Second))
}

func stateOf(a *ecps.Activation, left int) string {
	switch {
	case a.Done:
		return "done"
	case left == 0 || a.WrongSMS >= ecps.MaxSMSTries:
		return "expired"
	}
	return "pending"
}

// state answers as soon as the phone has read the code, or its time is over.
func (h *activation) state(c echo.Context) error {
	if err := h.logins.Bound(c.Request(), c.Param("id")); err != nil {
		return c.JSON(http.StatusForbidden, map[string]string{"state": "gone"})
	}
	ctx, stop, err := h.polls.Wait(c)
	if err != nil {
		return err
	}
	defer stop()
	a, err := h.ecps.WaitActivation(ctx, c.Param("id"))
	if err != nil {
		return c.JSON(http.StatusNotFound, map[string]string{"state": "gone"})
	}
	web.NoStore(c)
	return c.JSON(http.StatusOK, map[string]string{"state": stateOf(a, h.left(a))})
}
