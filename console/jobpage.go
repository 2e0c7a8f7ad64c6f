package console

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/web"
)

// Long commands can be begun and looked at while they go on. What is known of
// them is in memory: it ends with the process, as they do.

// jobPage shows a job; while it goes on the browser asks again each second.
func (s *Console) jobPage(c echo.Context) error {
	j, err := s.api.Jobs.Find(web.Param(c, "id"))
	if err != nil {
		return err
	}
	now := j.Now()
	if now.State == api.JobRunning {
		c.Response().Header().Set("Refresh", "1")
	}
	data := map[string]any{"Title": "Travail en cours", "Job": now}
	if now.Problem != nil {
		data["Problem"] = s.views.Whole.Explained(c, now.Problem)
	}
	if said, ok := now.Result.(bulkResult); ok && now.Back != "" {
		data["Back"] = now.Back + "&done=" + url.QueryEscape(said.String())
	}
	return s.page(c, http.StatusOK, "console/job", data)
}

func (s *Console) cancelJobPage(c echo.Context) error {
	j, err := s.api.Jobs.Find(web.Param(c, "id"))
	if err != nil {
		return err
	}
	j.Cancel()
	return web.Redirect(c, http.StatusSeeOther, "/jobs/"+url.PathEscape(web.Param(c, "id")))
}
