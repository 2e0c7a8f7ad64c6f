package portal

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
)

// contact activates an e-CPS by a mail and an SMS.
type contact struct {
	settings *config.Live
	ecps     *ecps.Phones
	journal  *journal.Journal
	pages    *web.View
}

// Register adds the form.
func (h *contact) Register(e *echo.Echo) {
	g := group(e, h.pages)
	g.GET("/contact", func(c echo.Context) error { return h.show(c, nil) })
	g.POST("/contact", h.activate)
}

func (h *contact) show(c echo.Context, refusal error) error {
	data := map[string]any{"Title": "Activer mon e-CPS par courriel et SMS", "Login": c.FormValue("login")}
	return h.pages.Form(c, "portal/contact", data, refusal)
}

// hidden are the refusals that would tell a stranger who exists.
var hidden = []string{"identity-unknown", "ecps-contacts-missing"}

// hides tells whether a refusal is kept from the page.
func (h *contact) hides(err error) bool {
	return h.settings.Policies(nil, nil).HideUnknownIDs && slices.Contains(hidden, problem.From(err).Code)
}

// activate sends the mail and the SMS. With policy hide-unknown-ids whoever
// cannot have them sees the same page.
func (h *contact) activate(c echo.Context) error {
	id, err := web.Field(c, "login")
	if err != nil {
		return h.show(c, err)
	}
	ctx := c.Request().Context()
	_, err = h.ecps.StartActivation(ctx, id, ecps.ByContact)
	detail := map[string]string{"task": "activate-contact", "national_id": id}
	h.journal.Add(ctx, journal.NewID(), journal.KindWallet, detail, err)
	if err != nil && !h.hides(err) {
		return h.show(c, err)
	}
	return h.pages.Show(c, http.StatusOK, "portal/sent", map[string]any{"Title": "Courriel et SMS envoyés", "Login": id})
}
