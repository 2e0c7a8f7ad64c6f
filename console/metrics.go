package console

import (
	"github.com/labstack/echo/v4"
)

// metrics are in Prometheus' text form.
func (s *Console) metrics(c echo.Context) error {
	c.Response().Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.Metrics.Write(c.Response())
	return nil
}
