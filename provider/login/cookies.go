package login

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Cookies are what the browsers of one emulator keep for it.
type Cookies struct {
	Instance string // makes their names differ between emulators on one host
}

func (c Cookies) cookieName(what string) string { return "__Host-pscemu-" + what + "-" + c.Instance }

// browser is the cookie that binds logins to this browser; a new one is set.
func (c Cookies) browser(w http.ResponseWriter, r *http.Request) string {
	if kept, err := r.Cookie(c.cookieName("browser")); err == nil && len(kept.Value) == 26 {
		return kept.Value
	}
	v := rand.Text()
	c.set(w, "browser", v, 365*24*time.Hour)
	return v
}

// isBrowser tells whether a request came from the browser with this cookie.
func (c Cookies) isBrowser(r *http.Request, browser string) bool {
	cookie, err := r.Cookie(c.cookieName("browser"))
	return err == nil && browser != "" && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(browser)) == 1
}

func (c Cookies) set(w http.ResponseWriter, what, value string, age time.Duration) {
	http.SetCookie(
		w,
		&http.Cookie{
			Name:     c.cookieName(what),
			Value:    value,
			Path:     "/",
			Secure:   true,
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
			MaxAge:   int(age.Seconds()),
		},
	)
}

// Remember keeps the national id for the next visit ("" forgets it).
func (c Cookies) Remember(w http.ResponseWriter, nationalID string) {
	age := 365 * 24 * time.Hour
	if nationalID == "" {
		age = -time.Second
	}
	c.set(w, "id", url.QueryEscape(nationalID), age)
}

// Remembered is the national id kept in this browser.
func (c Cookies) Remembered(r *http.Request) string {
	kept, err := r.Cookie(c.cookieName("id"))
	if err != nil {
		return ""
	}
	id, _ := url.QueryUnescape(kept.Value)
	return id
}

// SetLanguage keeps the language of the pages.
func (c Cookies) SetLanguage(w http.ResponseWriter, lang string) {
	c.set(w, "lang", lang, 365*24*time.Hour)
}

// Language is the one kept in this browser, "" for none.
func (c Cookies) Language(r *http.Request) string {
	kept, err := r.Cookie(c.cookieName("lang"))
	if err != nil || len(kept.Value) > 2 {
		return ""
	}
	return kept.Value
}

// SetSession gives the browser its single sign-on session. The session id is
// known to clients (session_state), so the cookie adds a secret to it.
func (c Cookies) SetSession(w http.ResponseWriter, sid, secret string) {
	http.SetCookie(
		w,
		&http.Cookie{
			Name:     c.cookieName("session"),
			Value:    sid + "." + secret,
			Path:     "/",
			Secure:   true,
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
		},
	)
}

// ClearSession takes it away.
func (c Cookies) ClearSession(w http.ResponseWriter) { c.set(w, "session", "", -time.Second) }

// Session reads the browser's session cookie.
func (c Cookies) Session(r *http.Request) (sid, secret string) {
	kept, err := r.Cookie(c.cookieName("session"))
	if err != nil {
		return "", ""
	}
	sid, secret, _ = strings.Cut(kept.Value, ".")
	return sid, secret
}
