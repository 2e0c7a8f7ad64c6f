// Package sample is a small application that logs people in with Pro Santé
// Connect as it should be done — or, with faults planted, as it should not. It
// is what `pscemu check` is tested with.
package sample

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"slices"
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/rp"
)

// Config is what the application needs.
type Config struct {
	Issuer      string
	ClientID    string
	Certificate tls.Certificate
	Roots       *x509.CertPool
	URL         string           // of the application, without a slash at the end
	Now         func() time.Time // the application's clock; the machine's when nil
	// Planted are the faults, by the scenario of the check that finds each.
	Planted []string
}

// App is the application: / says who is logged in, /login begins, /callback
// ends a login, /logout ends the session.
type App struct {
	Config
	party *rp.Client
	mux   *http.ServeMux

	mu       sync.Mutex
	sessions map[string]*session
}

// session is a browser's: a login under way, and what became of the last one.
// Name is "" until somebody has logged in.
type session struct {
	login *rp.Login
	Name  string
	in    *rp.Session
}

// unmade are the checks that the application does not make with a fault.
var unmade = map[string][]rp.Name{
	"state-wrong":        {rp.CallbackState},
	"iss-wrong":          {rp.CallbackIssuer},
	"nonce-wrong":        {rp.IDTokenNonce},
	"aud-wrong":          {rp.IDTokenAudience},
	"expired":            {rp.IDTokenExpiry, rp.IDTokenIssued, rp.IDTokenNotBefore},
	"signature-wrong":    {rp.IDTokenAlgorithm, rp.IDTokenSignature},
	"iss-in-token-wrong": {rp.IDTokenIssuer},
	"azp-wrong":          {rp.IDTokenParty},
	"acr-changed":        {rp.IDTokenLevel},
	"at-hash-wrong":      {rp.IDTokenHash},
	"other-person":       {rp.UserInfoSubject},
}

// New discovers the provider.
func New(ctx context.Context, c Config) (*App, error) {
	a := &App{Config: c, sessions: map[string]*session{}, mux: http.NewServeMux()}
	transport := rp.Transport{
		Roots:       c.Roots,
		Certificate: func() *tls.Certificate { return &c.Certificate },
		Idle:        2,
		Timeout:     5 * time.Second,
	}
	config := rp.Config{Issuer: c.Issuer, ClientID: c.ClientID, HTTP: transport.Client(), Now: c.Now, Claims: wanted}
	for _, planted := range c.Planted {
		config.Skip = append(config.Skip, unmade[planted]...)
	}
	a.party = rp.New(config)
	if _, err := a.party.Metadata(ctx); err != nil {
		return nil, err
	}
	a.mux.HandleFunc("GET /{$}", a.home)
	a.mux.HandleFunc("GET /login", a.login)
	a.mux.HandleFunc("GET /callback", a.callback)
	a.mux.HandleFunc("GET /logout", a.logout)
	return a, nil
}

func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// does tells whether a fault is planted.
func (a *App) does(wrong string) bool { return slices.Contains(a.Planted, wrong) }

const cookie = "app-session"

// of is the browser's session, a new one when it has none.
func (a *App) of(w http.ResponseWriter, r *http.Request) *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie(cookie); err == nil && a.sessions[c.Value] != nil {
		return a.sessions[c.Value]
	}
	s := &session{}
	a.give(w, s)
	return s
}

// give names a session to the browser.
func (a *App) give(w http.ResponseWriter, s *session) {
	id := rand.Text()
	a.sessions[id] = s
	http.SetCookie(
		w,
		&http.Cookie{
			Name:     cookie,
			Value:    id,
			Path:     "/",
			HttpOnly: !a.does("cookie-httponly"),
			SameSite: http.SameSiteLaxMode,
		},
	)
}

func (a *App) home(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	a.keepFresh(r.Context(), s)
	if s.Name == "" {
		fmt.Fprint(w, `<p>Nobody is logged in. <a href="/login">Log in</a></p>`)
		return
	}
	name := html.EscapeString(s.Name)
	if a.does("claims-html") {
		name = s.Name
	}
	fmt.Fprintf(w, `<p id="welcome">Bienvenue %s</p><a href="/logout">Log out</a>`, name)
	if a.does("token-not-shown") {
		fmt.Fprintf(w, "<script>const token = %q</script>", s.in.Tokens.Access)
	}
}

// keepFresh refreshes the tokens near their end; a session that PSC has ended
// ends here too.
func (a *App) keepFresh(ctx context.Context, s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.in == nil || s.in.Fresh(a.party.Now(), time.Second) {
		return
	}
	next, err := a.party.Refresh(ctx, s.in)
	var refusal *rp.Refusal
	var unverified *rp.Unverified
	switch {
	case err == nil && a.does("refresh-rotates"):
		next.Tokens.Refresh = s.in.Tokens.Refresh
		s.in = next
	case err == nil:
		s.in = next
	case (errors.As(err, &refusal) || errors.As(err, &unverified)) && !a.does("refresh-rotates"):
		*s = session{}
	}
}

func (a *App) login(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	s.login = rp.NewLogin(a.URL + "/callback")
	if a.does("values-fresh") {
		s.login.Nonce = "always-the-same-nonce"
	}
	if a.does("pkce-used") {
		s.login.Verifier = ""
	}
	asked := *s.login
	if a.does("acr-asked") {
		asked.ACR = nil // it is wanted all the same
	}
	at, err := a.party.AuthorizeURL(r.Context(), &asked)
	if err != nil {
		a.fail(w, err)
		return
	}
	http.Redirect(w, r, at, http.StatusFound)
}

// callback ends the login: a session opens when everything is as it must be.
func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	if s.login == nil && s.Name != "" {
		http.Redirect(w, r, "/", http.StatusSeeOther) // loaded again
		return
	}
	next, err := a.finish(r, s)
	login := s.login
	s.login = nil // it serves once
	if a.does("callback-reloaded") {
		s.login = login
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	next.login = s.login
	if a.does("session-renewed") {
		*s = *next
	} else {
		a.mu.Lock()
		a.give(w, next)
		a.mu.Unlock()
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *App) fail(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, "<p>The login failed: %s</p>", html.EscapeString(err.Error()))
}

func (a *App) finish(r *http.Request, s *session) (*session, error) {
	login := s.login
	if login == nil {
		login = &rp.Login{} // nobody began one
	}
	in, err := a.party.Finish(r.Context(), login, r.URL.Query())
	if err != nil {
		return nil, err
	}
	name, err := nameIn(in.UserInfo)
	return &session{Name: name, in: in}, err
}

// wanted are the claims this application depends on.
var wanted = []rp.Claim{
	{Name: "SubjectNameID", Form: rp.Text},
	{Name: "given_name", Form: rp.Text},
	{Name: "family_name", Form: rp.Text},
	{Name: "SubjectRole", Form: rp.Texts},
}

// nameIn is what the page calls a person.
func nameIn(userInfo []byte) (string, error) {
	var info struct {
		ID     string `json:"SubjectNameID"`
		Given  string `json:"given_name"`
		Family string `json:"family_name"`
	}
	err := json.Unmarshal(userInfo, &info)
	return info.Given + " " + info.Family + " (" + info.ID + ")", err
}

func (a *App) logout(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	in := s.in
	if !a.does("logout-closes") {
		*s = session{}
	}
	if a.does("logout-at-psc") || in == nil {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	at, err := a.party.LogoutURL(r.Context(), in, a.URL+"/", rand.Text())
	if err != nil {
		a.fail(w, err)
		return
	}
	http.Redirect(w, r, at, http.StatusFound)
}
