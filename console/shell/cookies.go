package shell

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
)

// Cookies are those of this world. Their names differ between the worlds of a
// host: cookies know no ports, and spaces share one.
type Cookies struct{ Instance string }

func (k Cookies) name(what string) string { return "pscemu-" + what + "-" + k.Instance }

// Values are those that came under a name: another port of this host may have
// set one more for a longer path, which must not hide ours.
func (k Cookies) Values(c echo.Context, what string) (out []string) {
	for _, kept := range c.Request().CookiesNamed(k.name(what)) {
		out = append(out, kept.Value)
	}
	return out
}

// Set sets a cookie below a path of this world; one with no value is taken
// away.
func (k Cookies) Set(c echo.Context, what, path, value string, site http.SameSite, age time.Duration) {
	cookie := &http.Cookie{
		Name:     k.name(what),
		Value:    value,
		Path:     web.Path(Context(c), path),
		HttpOnly: true,
		SameSite: site,
		MaxAge:   int(age.Seconds()),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}
