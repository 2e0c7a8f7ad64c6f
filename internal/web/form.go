package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// MostField is how many bytes a field of a page may have.
const MostField = 256

// Field is what a person typed into a field of a page, without the space around
// it.
func Field(c echo.Context, name string) (string, error) {
	value := strings.TrimSpace(c.FormValue(name))
	if len(value) > MostField {
		return "", problem.FieldTooLong.With("name", name).With("count", len(value)).With("most", MostField)
	}
	return value, nil
}

// Param is a segment of the path, unescaped: ids may hold a slash.
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

// OwnForm refuses a form that was not sent by a page of this host and port. What
// a browser says counts: Origin, and Sec-Fetch-Site. A page without an origin
// (null) is not ours: layout.html has our pages name theirs. A program that
// says neither has no person's cookies to abuse.
func OwnForm(r *http.Request) error {
	if r.Method == http.MethodGet {
		return nil
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "https://"+r.Host) {
			return problem.OriginOther.Case("own-form").With("host", r.Host).Got(origin)
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return problem.OriginOther.With("site", site)
		}
	}
	return nil
}
