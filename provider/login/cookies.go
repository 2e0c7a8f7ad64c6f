package login

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

func (l *Logins) cookieName(what string) string { return "__Host-pscemu-" + what + "-" + l.Instance }

// browser is the cookie that binds logins to this browser; a new one is set.
func (l *Logins) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(l.cookieName("browser")); err == nil && len(c.Value) == 26 {
		return c.Value
	}
	v := rand.Text()
	l.set(w, "browser", v, 365*24*time.Hour)
	return v
}

// isBrowser tells whether a request came from the browser with this cookie.
func (l *Logins) isBrowser(r *http.Request, browser string) bool {
	cookie, err := r.Cookie(l.cookieName("browser"))
	return err == nil && browser != "" && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(browser)) == 1
}

func (l *Logins) set(w http.ResponseWriter, what, value string, age time.Duration) {
	http.SetCookie(
		w,
		&http.Cookie{
			Name:     l.cookieName(what),
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
func (l *Logins) Remember(w http.ResponseWriter, nationalID string) {
	age := 365 * 24 * time.Hour
	if nationalID == "" {
		age = -time.Second
	}
	l.set(w, "id", url.QueryEscape(nationalID), age)
}

// Remembered is the national id kept in this browser.
func (l *Logins) Remembered(r *http.Request) string {
	c, err := r.Cookie(l.cookieName("id"))
	if err != nil {
		return ""
	}
	id, _ := url.QueryUnescape(c.Value)
	return id
}

// SetLanguage keeps the language of the pages.
func (l *Logins) SetLanguage(w http.ResponseWriter, lang string) {
	l.set(w, "lang", lang, 365*24*time.Hour)
}

// Language is the one kept in this browser, "" for none.
func (l *Logins) Language(r *http.Request) string {
	c, err := r.Cookie(l.cookieName("lang"))
	if err != nil || len(c.Value) > 2 {
		return ""
	}
	return c.Value
}

// SetSession gives the browser its single sign-on session. The session id is
// known to clients (session_state), so the cookie adds a secret to it.
func (l *Logins) SetSession(w http.ResponseWriter, sid, secret string) {
	http.SetCookie(
		w,
		&http.Cookie{
			Name:     l.cookieName("session"),
			Value:    sid + "." + secret,
			Path:     "/",
			Secure:   true,
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
		},
	)
}

// ClearSession takes it away.
func (l *Logins) ClearSession(w http.ResponseWriter) { l.set(w, "session", "", -time.Second) }

// Session reads the browser's session cookie.
func (l *Logins) Session(r *http.Request) (sid, secret string) {
	c, err := r.Cookie(l.cookieName("session"))
	if err != nil {
		return "", ""
	}
	sid, secret, _ = strings.Cut(c.Value, ".")
	return sid, secret
}
