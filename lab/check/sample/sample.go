// Package sample is a small application that logs people in with Pro Santé
// Connect as it should be done — or, with faults planted, as it should not. It
// is what `pscemu check` is tested with.
package sample

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config is what the application needs.
type Config struct {
	Issuer      string
	ClientID    string
	Certificate tls.Certificate
	Roots       *x509.CertPool
	URL         string // of the application, without a slash at the end
	// Planted are the faults, by the scenario of the check that finds each.
	Planted []string
}

// App is the application: / says who is logged in, /login begins, /callback
// ends a login, /logout ends the session.
type App struct {
	Config
	http     *http.Client
	provider *oidc.Provider
	oauth    oauth2.Config
	mux      *http.ServeMux

	mu       sync.Mutex
	sessions map[string]*session
}

// session is a browser's; Name is "" until somebody has logged in.
type session struct {
	State, Nonce, Verifier string
	Name, IDToken          string
	tokens                 *oauth2.Token
}

// New discovers the provider.
func New(ctx context.Context, c Config) (*App, error) {
	a := &App{
		Config:   c,
		sessions: map[string]*session{},
		mux:      http.NewServeMux(),
		http: &http.Client{
			Timeout: 5 * time.Second,
			Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: c.Roots, Certificates: []tls.Certificate{c.Certificate}},
			},
		},
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, a.http), c.Issuer)
	if err != nil {
		return nil, err
	}
	a.provider = p
	a.oauth = oauth2.Config{
		ClientID:    c.ClientID,
		Endpoint:    p.Endpoint(),
		RedirectURL: c.URL + "/callback",
		Scopes:      []string{"openid", "scope_all"},
	}
	a.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
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
	if s.Name == "" {
		fmt.Fprint(w, `<p>Nobody is logged in. <a href="/login">Log in</a></p>`)
		return
	}
	a.keepFresh(s)
	name := html.EscapeString(s.Name)
	if a.does("claims-html") {
		name = s.Name
	}
	fmt.Fprintf(w, `<p id="welcome">Bienvenue %s</p><a href="/logout">Log out</a>`, name)
	if a.does("token-not-shown") {
		fmt.Fprintf(w, "<script>const token = %q</script>", s.tokens.AccessToken)
	}
}

// keepFresh refreshes the tokens near their end; a session that PSC has ended
// ends here too.
func (a *App) keepFresh(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.tokens == nil || time.Until(s.tokens.Expiry) > time.Second {
		return
	}
	resp, err := a.http.PostForm(
		a.oauth.Endpoint.TokenURL,
		url.Values{
			"grant_type":    {"refresh_token"},
			"client_id":     {a.ClientID},
			"refresh_token": {s.tokens.RefreshToken},
		},
	)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	var t struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int    `json:"expires_in"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&t) != nil {
		if !a.does("refresh-rotates") {
			*s = session{}
		}
		return
	}
	if a.does("refresh-rotates") {
		t.RefreshToken = s.tokens.RefreshToken
	}
	s.tokens = &oauth2.Token{
		AccessToken:  t.AccessToken,
		RefreshToken: t.RefreshToken,
		Expiry:       time.Now().Add(time.Duration(t.ExpiresIn) * time.Second),
	}
}

func (a *App) login(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	s.State, s.Nonce, s.Verifier = rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	if a.does("values-fresh") {
		s.Nonce = "always-the-same-nonce"
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(s.Nonce), oauth2.SetAuthURLParam("acr_values", "eidas1")}
	if a.does("acr-asked") {
		options = options[:1]
	}
	if a.does("pkce-used") {
		s.Verifier = ""
	} else {
		options = append(options, oauth2.S256ChallengeOption(s.Verifier))
	}
	http.Redirect(w, r, a.oauth.AuthCodeURL(s.State, options...), http.StatusFound)
}

// callback ends the login: a session opens when everything is as it must be.
func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	if s.State == "" && s.Name != "" && !a.does("callback-reloaded") {
		http.Redirect(w, r, "/", http.StatusSeeOther) // loaded again
		return
	}
	next, err := a.finish(r, s)
	if !a.does("callback-reloaded") {
		s.State = "" // it serves once
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<p>The login failed: %s</p>", html.EscapeString(err.Error()))
		return
	}
	if a.does("callback-reloaded") {
		next.State, next.Nonce, next.Verifier = s.State, s.Nonce, s.Verifier
	}
	if a.does("session-renewed") {
		*s = *next
	} else {
		a.mu.Lock()
		a.give(w, next)
		a.mu.Unlock()
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// unless is an error when something is wrong and the fault is not planted.
func (a *App) unless(planted string, wrong bool, what string) error {
	if wrong && !a.does(planted) {
		return errors.New(what)
	}
	return nil
}

func (a *App) finish(r *http.Request, s *session) (*session, error) {
	q := r.URL.Query()
	if err := cmp.Or(
		a.unless("state-wrong", s.State == "" || q.Get("state") != s.State, "state is not the one sent"),
		a.unless("iss-wrong", q.Get("iss") != a.Issuer, "iss is not the issuer"),
		a.unless("", q.Get("code") == "", "no code: "+q.Get("error")),
	); err != nil {
		return nil, err
	}
	ctx := oidc.ClientContext(r.Context(), a.http)
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(s.Verifier)}
	if s.Verifier == "" {
		options = nil
	}
	t, err := a.oauth.Exchange(ctx, q.Get("code"), options...)
	if err != nil {
		return nil, err
	}
	raw, _ := t.Extra("id_token").(string)
	claims, err := a.verify(ctx, raw, t.AccessToken, s.Nonce)
	if err != nil {
		return nil, err
	}
	info, err := a.userInfo(ctx, t.AccessToken)
	if err != nil {
		return nil, err
	}
	sub, _ := info["sub"].(string)
	if err := a.unless("other-person", sub == "" || sub != claims.Sub, "UserInfo is about somebody else"); err != nil {
		return nil, err
	}
	name, err := nameIn(info)
	return &session{Name: name, IDToken: raw, tokens: t}, err
}

// nameIn wants the claims this application depends on.
func nameIn(info map[string]any) (string, error) {
	id, ok1 := info["SubjectNameID"].(string)
	given, ok2 := info["given_name"].(string)
	family, ok3 := info["family_name"].(string)
	if _, ok4 := info["SubjectRole"].([]any); !ok1 || !ok2 || !ok3 || !ok4 {
		return "", errors.New("UserInfo lacks SubjectNameID, SubjectRole or a name, or they are of a wrong type")
	}
	return given + " " + family + " (" + id + ")", nil
}

// idClaims are those that are judged beyond what the library does.
type idClaims struct {
	Sub    string          `json:"sub"`
	Aud    json.RawMessage `json:"aud"`
	Azp    string          `json:"azp"`
	Nonce  string          `json:"nonce"`
	ACR    string          `json:"acr"`
	Exp    int64           `json:"exp"`
	Iat    int64           `json:"iat"`
	AtHash string          `json:"at_hash"`
}

// verify judges the id token (OIDC Core §3.1.3.7): the library does signature,
// algorithm, issuer, audience and times; the rest is done here.
func (a *App) verify(ctx context.Context, raw, access, nonce string) (*idClaims, error) {
	conf := &oidc.Config{
		ClientID:                   a.ClientID,
		SkipClientIDCheck:          a.does("aud-wrong"),
		SkipExpiryCheck:            a.does("expired"),
		SkipIssuerCheck:            a.does("iss-in-token-wrong"),
		InsecureSkipSignatureCheck: a.does("signature-wrong"),
	}
	token, err := a.provider.Verifier(conf).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var c idClaims
	if err := token.Claims(&c); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(access))
	return &c, cmp.Or(
		a.unless("nonce-wrong", c.Nonce != nonce, "nonce is not the one sent"),
		a.unless("aud-wrong", string(c.Aud) != `"`+a.ClientID+`"`, "the token is for others too"),
		a.unless("azp-wrong", c.Azp != a.ClientID, "azp is another client"),
		a.unless("acr-changed", c.ACR != "eidas1", "the level is not the one asked for"),
		a.unless("", c.Sub == "", "sub is missing"),
		a.unless(
			"expired",
			c.Exp == 0 || time.Since(time.Unix(c.Iat, 0)) > 10*time.Minute,
			"exp is missing, or iat too old",
		),
		a.unless(
			"at-hash-wrong",
			c.AtHash != base64.RawURLEncoding.EncodeToString(sum[:16]),
			"at_hash is of another access token",
		),
	)
}

func (a *App) userInfo(ctx context.Context, access string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.provider.UserInfoEndpoint(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+access)
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("UserInfo: %s %w", resp.Status, err)
	}
	var info map[string]any
	return info, json.NewDecoder(strings.NewReader(string(body))).Decode(&info)
}

func (a *App) logout(w http.ResponseWriter, r *http.Request) {
	s := a.of(w, r)
	hint := s.IDToken
	if !a.does("logout-closes") {
		*s = session{}
	}
	if a.does("logout-at-psc") {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	http.Redirect(
		w,
		r,
		a.Issuer+"/protocol/openid-connect/logout?"+url.Values{
			"id_token_hint":            {hint},
			"post_logout_redirect_uri": {a.URL + "/"},
		}.Encode(),
		http.StatusFound,
	)
}
