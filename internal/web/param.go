package web

import (
	"net/url"

	"github.com/labstack/echo/v4"
)

// Param is a path segment, unescaped: ids may hold a slash.
func Param(c echo.Context, name string) string {
	v := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return v
	}
	if u, err := url.PathUnescape(v); err == nil {
		return u
	}
	return v
}
