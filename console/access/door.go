// Package access says who may use the console: sessions of browsers, the link
// that opens one, the API token, and the table of what may be asked from where.
package access

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
)

// Door knows who opened the console.
type Door struct {
	cookies  shell.Cookies
	sessions *sessions
	token    string // of the control API
	link     bool   // the console wants the one-time link, or the token
}

// NewDoor makes the door of a console. With link it opens to the one-time link
// and the token alone, else to whoever comes.
func NewDoor(cookies shell.Cookies, token string, link bool) *Door {
	return &Door{cookies, newSessions(time.Now), token, link}
}

// Entered tells whether the browser opened this console.
func (d *Door) Entered(c echo.Context) bool {
	for _, value := range d.cookies.Values(c, "console") {
		if d.sessions.holds(value, func() string { return peer(shell.Context(c)) }) {
			return true
		}
	}
	return false
}

// Sees tells whether a page that anybody may see also shows what is of one
// login: not to another site's visitor, nor to who did not open the console.
func (d *Door) Sees(c echo.Context) bool {
	return shell.OriginOf(c.Request()) != shell.FromForeign && (!d.link || d.Entered(c) || d.HoldsToken(c.Request()))
}

// Welcome gives a browser its session, where whoever comes is let in: never
// one that another site sent.
func (d *Door) Welcome(c echo.Context) {
	if !d.link && shell.OriginOf(c.Request()) != shell.FromForeign && !d.Entered(c) {
		d.letIn(c)
	}
}

// letIn begins a session of the machine's user at the other end and leaves its
// cookie. Where everybody is let in nobody asks for the user.
func (d *Door) letIn(c echo.Context) {
	user := ""
	if d.link {
		user = peer(shell.Context(c))
	}
	d.cookies.Set(c, "console", "/", d.sessions.begin(user), http.SameSiteStrictMode, 0)
}

// HoldsToken tells whether a request bears the token of the control API.
func (d *Door) HoldsToken(r *http.Request) bool { return d.tokenIs(bearer(r)) }

func (d *Door) tokenIs(t string) bool {
	return subtle.ConstantTimeCompare([]byte(t), []byte(d.token)) == 1
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
