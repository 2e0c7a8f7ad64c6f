// Package login keeps the logins under way — from the authorize request until
// the callback — and binds each to the browser that began it.
package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"pscemu/clock"
	"pscemu/problem"
	"pscemu/provider/journal"
	"pscemu/store"
)

// Pending is one login under way.
type Pending struct {
	ID         string     `json:"id"`
	Browser    string     `json:"browser"` // the cookie it is bound to, "" for a door's
	ClientID   string     `json:"client_id"`
	ClientName string     `json:"client_name"`
	Base       string     `json:"base"`              // base URL of the login pages it began on
	Form       url.Values `json:"form"`              // the authorize request
	Request    string     `json:"request,omitempty"` // e-CPS request waited for
	CardTicket string     `json:"card_ticket,omitempty"`
	CardHolder string     `json:"card_holder,omitempty"` // national id the card origin proved
	Reader     string     `json:"reader,omitempty"`      // card that was in the reader when the page was shown
	Wallet     string     `json:"wallet,omitempty"`      // the portal's task, when no client asked
}

// Lifetime of a login page, from its opening or its last step.
const Lifetime = 30 * time.Minute

var pending = store.Collection[Pending]("logins")

// Logins keeps the logins under way.
type Logins struct {
	Store    store.Store
	Clock    clock.Clock
	Instance string // makes cookie names differ between emulators on one host
	Max      int    // how many may be open at once

	mu   sync.Mutex
	open map[string]time.Time // until when, by id; those of before a restart do not count
}

// New starts a login for this browser, which receives its binding cookie.
func (l *Logins) New(w http.ResponseWriter, r *http.Request, clientID, clientName, base string, form url.Values) (*Pending, error) {
	if err := l.room(); err != nil {
		return nil, err
	}
	p := &Pending{ID: journal.NewID(), Browser: l.browser(w, r), ClientID: clientID, ClientName: clientName, Base: base, Form: form}
	return p, l.Save(r.Context(), p)
}

// Open is how many login pages are open, those that ended of late included.
func (l *Logins) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// room refuses one login more than may be open.
func (l *Logins) room() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) < l.Max {
		return nil
	}
	now := l.Clock.Now()
	maps.DeleteFunc(l.open, func(_ string, until time.Time) bool { return !now.Before(until) })
	if len(l.open) < l.Max {
		return nil
	}
	return problem.New(problem.TooMany, "logins-too-many", "Trop de pages de connexion sont ouvertes").Got(strconv.Itoa(len(l.open))).Want(strconv.Itoa(l.Max) + " au plus (max-logins)").Do("terminez-en, attendez une demi-heure, ou augmentez max-logins")
}

// Save keeps a changed login.
func (l *Logins) Save(ctx context.Context, p *Pending) error {
	l.mu.Lock()
	if l.open == nil {
		l.open = map[string]time.Time{}
	}
	l.open[p.ID] = l.Clock.Now().Add(Lifetime)
	l.mu.Unlock()
	return pending.Save(ctx, l.Store, p.ID, *p, Lifetime)
}

// Get finds a login for the browser that began it, and for no other.
func (l *Logins) Get(r *http.Request, id string) (*Pending, error) {
	p, err := l.find(r.Context(), id)
	if err != nil {
		return nil, err
	}
	cookie, err := r.Cookie(l.cookieName("browser"))
	if err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(p.Browser)) != 1 {
		return nil, problem.New(problem.Forbidden, "login-other-browser", "Cette connexion a été commencée dans un autre navigateur").Do("recommencez depuis votre application")
	}
	return p, nil
}

// ByTicket finds a login for the card origin, which has no cookie of ours; the
// ticket leads back to the browser, where Get checks the binding.
func (l *Logins) ByTicket(ctx context.Context, id, ticket string) (*Pending, error) {
	p, err := l.find(ctx, id)
	if err == nil && (ticket == "" || subtle.ConstantTimeCompare([]byte(p.CardTicket), []byte(ticket)) != 1) {
		err = problem.New(problem.Forbidden, "card-ticket-wrong", "Ce lien vers la lecture de carte n'est plus valable").Do("recommencez depuis la page de connexion")
	}
	return p, err
}

func (l *Logins) find(ctx context.Context, id string) (*Pending, error) {
	p, err := pending.Load(ctx, l.Store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.New(problem.NotFound, "login-unknown", "Cette page de connexion a expiré ou a déjà servi").Do("recommencez depuis votre application")
	}
	return &p, err
}

// End forgets a login; of two ends the second fails.
func (l *Logins) End(ctx context.Context, p *Pending) error {
	return l.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := pending.Get(tx, p.ID); err != nil {
			return problem.New(problem.NotFound, "login-unknown", "Cette page de connexion a expiré ou a déjà servi").Do("recommencez depuis votre application")
		}
		l.mu.Lock()
		delete(l.open, p.ID)
		l.mu.Unlock()
		return pending.Delete(tx, p.ID)
	})
}

func (l *Logins) cookieName(what string) string { return "__Host-pscemu-" + what + "-" + l.Instance }

func (l *Logins) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(l.cookieName("browser")); err == nil && len(c.Value) == 26 {
		return c.Value
	}
	v := rand.Text()
	l.set(w, "browser", v, 365*24*time.Hour)
	return v
}

func (l *Logins) set(w http.ResponseWriter, what, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: l.cookieName(what), Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(age.Seconds())})
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
	http.SetCookie(w, &http.Cookie{Name: l.cookieName("session"), Value: sid + "." + secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
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
