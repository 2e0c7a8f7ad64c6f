package pages

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/web"
)

// Jobs is the page of a long command.
type Jobs struct {
	View *web.View
	Jobs *api.Jobs
}

// Register adds the routes.
func (h *Jobs) Register(e *echo.Echo) {
	e.GET("/jobs/:id", h.show)
	e.POST("/jobs/:id/cancel", h.cancel)
}

// show shows a job; while it goes on the browser asks again each second.
func (h *Jobs) show(c echo.Context) error {
	j, err := h.Jobs.Find(web.Param(c, "id"))
	if err != nil {
		return err
	}
	now := j.Now()
	if now.State == api.JobRunning {
		c.Response().Header().Set("Refresh", "1")
	}
	data := map[string]any{"Title": "Travail en cours", "Job": now}
	if now.Problem != nil {
		data["Problem"] = h.View.Explained(c, now.Problem)
	}
	if said, ok := now.Result.(bulkResult); ok && now.Back != "" {
		data["Back"] = now.Back + "&done=" + url.QueryEscape(said.String())
	}
	return h.View.Show(c, http.StatusOK, "console/job", data)
}

func (h *Jobs) cancel(c echo.Context) error {
	j, err := h.Jobs.Find(web.Param(c, "id"))
	if err != nil {
		return err
	}
	j.Cancel()
	return web.Redirect(c, http.StatusSeeOther, "/jobs/"+url.PathEscape(web.Param(c, "id")))
}
