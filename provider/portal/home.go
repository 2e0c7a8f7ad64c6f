package portal

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/site"
)

// home lists the tasks and begins the login of one.
type home struct {
	tasks   *Tasks
	logins  *login.Logins
	names   *site.Names
	journal *journal.Journal
	pages   *web.View
}

// Register adds the portal's first page.
func (h *home) Register(e *echo.Echo) {
	e.GET("/home", h.show)
	g := group(e, h.pages)
	g.GET("", h.show)
	g.GET("/start/:task", h.start)
}

func (h *home) show(c echo.Context) error {
	return h.pages.Show(c, http.StatusOK, "portal/home", map[string]any{"Title": "Portail e-CPS"})
}

// start begins the login that the task wants.
func (h *home) start(c echo.Context) error {
	name := c.Param("task")
	task, known := h.tasks.known[name]
	if !known {
		return echo.ErrNotFound
	}
	p, err := h.logins.New(
		c.Response(),
		c.Request(),
		login.Pending{ClientName: h.pages.Say(c, task.title), Base: h.names.Here(c.Request()), Wallet: name},
	)
	if err != nil {
		return err
	}
	h.journal.Add(c.Request().Context(), p.ID, journal.KindWallet, map[string]string{"task": name}, nil)
	return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, "")+"?tab="+string(task.means[0]))
}
