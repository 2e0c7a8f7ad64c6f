// Package demo is a small application of our own, and the login of whatever
// else is an application here: a vendor's server as it should be, which talks to
// the running emulator over mTLS.
package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Demo is what the application knows of its provider and of itself.
type Demo struct {
	ClientID     string
	Issuer       string
	AuthorizeURL string
	Roots        *x509.CertPool // the server CA
	// Keys are the client's secret and its certificate: a restore may bring others.
	Keys func() (secret string, certificate tls.Certificate)
}

// Party is a relying party of our own at a path of the console.
type Party struct {
	demo    *Demo
	cookies shell.Cookies
	url     string // of the console, without a slash at the end
	at      string // its path: /demo, or the order desk's /desk
}

// NewParty makes a relying party whose pages lie at a path of the console.
func NewParty(d *Demo, cookies shell.Cookies, url, at string) *Party {
	return &Party{d, cookies, url, at}
}

// cookie is the name of what it keeps of a login under way: each party has its
// own, so that logins of both do not disturb another.
func (p *Party) cookie() string { return strings.TrimPrefix(p.at, "/") + "-login" }

// Login is what came of a login.
type Login struct {
	Error, Description string // refused
	ID, Access         string // tokens
	Claims             map[string]any
}

// AccessClaims are what the access token holds.
func (l *Login) AccessClaims() map[string]any { return decoded(l.Access) }

// Begin sends the browser to the login with state, nonce and PKCE, which it
// keeps in a cookie of this browser.
func (p *Party) Begin(c echo.Context) error {
	state, nonce, verifier := rand.Text(), rand.Text(), rand.Text()+rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	// Lax: the way back comes from the login page's site.
	p.cookies.Set(c, p.cookie(), p.at, state+"."+nonce+"."+verifier, http.SameSiteLaxMode, 30*time.Minute)
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {p.demo.ClientID},
		"redirect_uri":  {p.redirect()},
		"scope":         {"openid scope_all"},
		"acr_values":    {"eidas1"},
		"state": {
			state,
		},
		"nonce":                 {nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	return web.Leave(c, http.StatusFound, p.demo.AuthorizeURL+"?"+q.Encode())
}

func (p *Party) redirect() string { return p.url + p.at + "/callback" }

// LoggedIn checks what came back and exchanges the code.
func (p *Party) LoggedIn(c echo.Context) (*Login, error) {
	kept := p.cookies.Values(c, p.cookie())
	if len(kept) == 0 {
		return nil, problem.DemoNotStarted.With("url", p.url).With("at", p.at)
	}
	parts := begunWith(kept, c.QueryParam("state"))
	if parts == nil || c.QueryParam("iss") != p.demo.Issuer {
		return nil, problem.DemoStateWrong.With("url", p.url).With("at", p.at)
	}
	p.cookies.Set(c, p.cookie(), p.at, "", http.SameSiteLaxMode, 0)
	if e := c.QueryParam("error"); e != "" {
		return &Login{Error: e, Description: c.QueryParam("error_description")}, nil
	}
	tokens, err := p.exchange(c.QueryParam("code"), parts[2], p.redirect())
	if err != nil {
		return nil, err
	}
	in := &Login{
		ID:     fmt.Sprint(tokens["id_token"]),
		Access: fmt.Sprint(tokens["access_token"]),
		Claims: decoded(tokens["id_token"]),
	}
	if in.Claims["nonce"] != parts[1] {
		return nil, problem.DemoNonceWrong.Of()
	}
	return in, nil
}

// begunWith is the state, nonce and verifier of the login with this state, nil
// for none.
func begunWith(kept []string, state string) []string {
	for _, value := range kept {
		if parts := strings.Split(
			value,
			".",
		); len(parts) == 3 &&
			subtle.ConstantTimeCompare([]byte(parts[0]), []byte(state)) == 1 {
			return parts
		}
	}
	return nil
}

func (p *Party) client() *http.Client {
	_, certificate := p.demo.Keys()
	config := &tls.Config{
		RootCAs:      p.demo.Roots,
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
	}
	return &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
	}
}

func (p *Party) exchange(code, verifier, redirect string) (map[string]any, error) {
	secret, _ := p.demo.Keys()
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {p.demo.ClientID},
		"client_secret": {secret},
		"code":          {code},
		"code_verifier": {verifier},
		"redirect_uri":  {redirect},
	}
	resp, err := p.client().PostForm(p.demo.Issuer+"/protocol/openid-connect/token", form)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = json.Unmarshal(body, &out)
	if err == nil && resp.StatusCode == http.StatusOK {
		return out, nil
	}
	// A fault that was ordered may have made it any answer, also one without JSON.
	got := fmt.Sprintf("%s: %.300s", resp.Status, body)
	if out["error"] != nil {
		got = fmt.Sprint(out["error"], ": ", out["error_description"])
	}
	return nil, problem.DemoTokenRefused.Got(got)
}

func (p *Party) get(u, token string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.client().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", problem.DemoUserinfoRefused.Got(resp.Status)
	}
	var v json.RawMessage = body
	return indent(v), nil
}

// decoded is a token's payload; the demo trusts the TLS connection it came by.
func decoded(token any) map[string]any {
	parts := strings.Split(fmt.Sprint(token), ".")
	out := map[string]any{}
	if len(parts) == 3 {
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(payload, &out)
	}
	return out
}

func indent(v any) string {
	b, _ := json.MarshalIndent(v, "", "  ")
	return string(b)
}
