package desk

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/clock"
)

// stay is how long somebody is known who does nothing.
const stay = 30 * time.Minute

// Visitors are the people logged in at the desk; they are forgotten at the end
// of the program.
type Visitors struct {
	cookies shell.Cookies
	clock   clock.Clock

	mu   sync.Mutex
	here map[string]visitor // by what the cookie holds
}

type visitor struct {
	id   string
	last time.Time
}

// NewVisitors makes an empty desk.
func NewVisitors(cookies shell.Cookies, c clock.Clock) *Visitors {
	return &Visitors{cookies: cookies, clock: c, here: map[string]visitor{}}
}

// enter knows the browser as this person's from now on.
func (v *Visitors) enter(c echo.Context, id string) {
	v.set(c, v.begin(id, v.clock.Now()))
}

// leave forgets the browser.
func (v *Visitors) leave(c echo.Context) {
	for _, kept := range v.cookies.Values(c, "desk") {
		v.end(kept)
	}
	v.set(c, "")
}

// set leaves the cookie. Lax: the way back comes from the login page's site.
func (v *Visitors) set(c echo.Context, value string) {
	v.cookies.Set(c, "desk", "/desk", value, http.SameSiteLaxMode, 0)
}

// who is the national id of who sits before the browser, "" for nobody known.
func (v *Visitors) who(c echo.Context) string {
	for _, kept := range v.cookies.Values(c, "desk") {
		if id := v.find(kept, v.clock.Now()); id != "" {
			return id
		}
	}
	return ""
}

func (v *Visitors) begin(id string, now time.Time) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for token, other := range v.here {
		if now.Sub(other.last) > stay {
			delete(v.here, token)
		}
	}
	token := rand.Text()
	v.here[token] = visitor{id, now}
	return token
}

func (v *Visitors) end(token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.here, token)
}

func (v *Visitors) find(token string, now time.Time) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, ok := v.here[token]
	if !ok || now.Sub(at.last) > stay {
		return ""
	}
	at.last = now
	v.here[token] = at
	return at.id
}
