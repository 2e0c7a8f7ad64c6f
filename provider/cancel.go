package provider

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// cancelLogin tells the service that the person gave up.
type cancelLogin struct {
	*guard
	waiting *phoneRequests
	journal *journal.Journal
	finish  *finisher
	names   *site.Names
}

// Register adds the button of every page of a login.
func (h *cancelLogin) Register(e *echo.Echo) { e.POST(loginPath+"/cancel", h.with(h.serve)) }

func (h *cancelLogin) serve(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	if err := h.waiting.end(ctx, p.ID); err != nil {
		return h.pages.Refuse(c, http.StatusBadRequest, "", err)
	}
	if p.Wallet != "" {
		return web.Redirect(c, http.StatusSeeOther, "/wallet")
	}
	reason := problem.LoginCancelled.Of()
	h.journal.Add(ctx, p.ID, journal.KindCancel, nil, reason)
	return h.finish.refuse(c, backOf(p, h.names), wire.Of("login-refused"), nil)
}
