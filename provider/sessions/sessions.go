// Package sessions is the single sign-on session as browsers hold it, and its
// end: who is logged out, and which clients hear of it.
package sessions

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
)

// Browsers finds the session of a browser by its cookies, and writes them.
type Browsers struct {
	Cookies login.Cookies
	OIDC    *oidc.Provider
	Names   *site.Names
}

// Of is the session of the browser that sent a request, nil for none.
func (b *Browsers) Of(c echo.Context) *oidc.Browser {
	sid, secret := b.Cookies.Session(c.Request())
	if sid == "" {
		return nil
	}
	session, err := b.OIDC.CookieSession(c.Request().Context(), sid, secret)
	if err != nil {
		return nil
	}
	return session
}

// Start gives the browser a session.
func (b *Browsers) Start(c echo.Context, sid, secret string) {
	b.Cookies.SetSession(c.Response(), sid, secret)
	b.setState(c, sid)
}

// Forget takes the browser's session away.
func (b *Browsers) Forget(c echo.Context) {
	b.Cookies.ClearSession(c.Response())
	b.setState(c, "")
}

// Holds tells whether the browser's cookie names this session.
func (b *Browsers) Holds(c echo.Context, sid string) bool {
	held, _ := b.Cookies.Session(c.Request())
	return held == sid
}

// StateCookie is the name of the cookie that the session iframe reads (OIDC
// Session Management 1.0 §3.3): it says which session it is, as a hash.
func (b *Browsers) StateCookie() string { return "pscemu-state-" + b.Cookies.Instance }

// setState lets the frame know the session; "" that there is none.
func (b *Browsers) setState(c echo.Context, sid string) {
	cookie := &http.Cookie{Name: b.StateCookie(), Path: "/", Secure: true, SameSite: http.SameSiteNoneMode, MaxAge: -1}
	if sid != "" {
		sum := sha256.Sum256([]byte(sid))
		cookie.Value, cookie.MaxAge = base64.RawURLEncoding.EncodeToString(sum[:]), 0
	}
	// The frame lies on the auth host, the login on the wallet host.
	at := b.Names.Of(c.Request().Host)
	if domain, ok := strings.CutPrefix(site.HostOf(at.Wallet), "wallet."); ok && at.Wallet != at.Auth {
		cookie.Domain = domain
	}
	http.SetCookie(c.Response(), cookie)
}
