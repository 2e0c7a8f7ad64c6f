package portal

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
)

// devices shows the person's phone, and those they had.
type devices struct {
	browsers *sessions.Browsers
	ecps     *ecps.Phones
	journal  *journal.Journal
	pages    *web.View
}

// Register adds the page of the devices.
func (h *devices) Register(e *echo.Echo) {
	g := group(e, h.pages)
	g.GET("/devices", withSession(h.browsers, "devices", h.show))
	g.POST("/devices", withSession(h.browsers, "devices", h.end))
}

func (h *devices) show(c echo.Context, b *oidc.Browser) error {
	ctx := c.Request().Context()
	device, err := h.ecps.Device(ctx, b.NationalID)
	if err != nil && !problem.Is(err, problem.ECPSUnknown) {
		return err
	}
	former, err := h.ecps.Former(ctx, b.NationalID)
	if err != nil {
		return err
	}
	return h.pages.Show(c, http.StatusOK, "portal/devices",
		map[string]any{"Title": "Mes appareils", "NationalID": b.NationalID, "Device": device, "Former": former})
}

// end deletes the device, or declares it lost.
func (h *devices) end(c echo.Context, b *oidc.Browser) error {
	ctx, why := c.Request().Context(), c.FormValue("why")
	err := h.ecps.Remove(ctx, b.NationalID, why)
	h.journal.Add(
		ctx,
		"",
		journal.KindWallet,
		map[string]string{"task": "device-" + why, "national_id": b.NationalID},
		err,
	)
	if err != nil {
		return h.pages.Refuse(c, http.StatusBadRequest, "", err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/wallet/devices")
}

// sessionList shows the person's sessions, in whatever browser.
type sessionList struct {
	browsers *sessions.Browsers
	oidc     *oidc.Provider
	ends     *sessions.Ends
	journal  *journal.Journal
	pages    *web.View
}

// Register adds the page of the sessions.
func (h *sessionList) Register(e *echo.Echo) {
	g := group(e, h.pages)
	g.GET("/sessions", withSession(h.browsers, "sessions", h.show))
	g.POST("/sessions", withSession(h.browsers, "sessions", h.end))
}

// sessionsShown is how many sessions a page lists.
const sessionsShown = 100

func (h *sessionList) show(c echo.Context, b *oidc.Browser) error {
	all, next, err := h.oidc.Sessions(c.Request().Context(), b.NationalID, c.QueryParam("after"), sessionsShown)
	if err != nil {
		return err
	}
	return h.pages.Show(c, http.StatusOK, "portal/sessions", map[string]any{"Title": "Mes sessions",
		"NationalID": b.NationalID, "Sessions": all, "Next": next, "Own": b.SID})
}

// end ends every session of the person and tells the clients of each.
func (h *sessionList) end(c echo.Context, b *oidc.Browser) error {
	ctx := c.Request().Context()
	all, err := h.ends.EndAll(ctx, b.NationalID)
	if err != nil {
		return err
	}
	frames := []string{}
	for _, e := range all {
		frames = append(frames, e.Frames...)
	}
	detail := map[string]string{"national_id": b.NationalID, "sessions": strconv.Itoa(len(all))}
	h.journal.Add(ctx, "", journal.KindLogout, detail, nil)
	h.browsers.Forget(c)
	return sessions.Leave(c, h.pages, frames, "")
}
