package conformance

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	relying "pscemu.invalid/pscemu/internal/rp"
)

// object is a decoded JSON object.
type object map[string]any

func (o object) text(name string) string { s, _ := o[name].(string); return s }
func (o object) number(name string) float64 {
	n, _ := o[name].(float64)
	return n
}

// relyingParty is one client's server, and one person's browser.
type relyingParty struct {
	*Target
	client  Client
	server  *http.Client // presents the client's certificate
	browser *http.Client // keeps cookies
	party   *relying.Client
	meta    object // discovery
	cleanup []func()
}

func newRelyingParty(t *Target, c Client) *relyingParty {
	server := t.http(&c.Certificate, nil)
	party := relying.New(relying.Config{Issuer: t.Issuer, ClientID: c.ID, HTTP: server})
	return &relyingParty{Target: t, client: c, server: server, browser: t.newBrowser(), party: party}
}

func (rp *relyingParty) close() {
	for _, f := range rp.cleanup {
		f()
	}
}

func (t *Target) http(cert *tls.Certificate, jar http.CookieJar) *http.Client {
	cfg := &tls.Config{RootCAs: t.Roots, MinVersion: tls.VersionTLS12}
	if cert != nil {
		cfg.Certificates = []tls.Certificate{*cert}
	}
	return &http.Client{
		Timeout:       20 * time.Second,
		Jar:           jar,
		Transport:     &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (t *Target) newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails without options
	return t.http(nil, jar)
}

// check fails the module.
func (rp *relyingParty) check(ok bool, format string, args ...any) {
	if !ok {
		panic(outcome{Failed, fmt.Sprintf(format, args...)})
	}
}

// warn ends the module with a warning.
func (rp *relyingParty) warn(ok bool, format string, args ...any) {
	if !ok {
		panic(outcome{Warned, fmt.Sprintf(format, args...)})
	}
}

func (rp *relyingParty) must(err error) { rp.check(err == nil, "%v", err) }

// endpoint reads an address from the discovery document.
func (rp *relyingParty) endpoint(name string) string { return rp.discovery().text(name) }

func (rp *relyingParty) discovery() object {
	if rp.meta == nil {
		status, o := rp.get(rp.server, rp.Issuer+"/.well-known/openid-configuration", "")
		rp.check(status == 200, "discovery answers %d", status)
		rp.meta = o
	}
	return rp.meta
}

func (rp *relyingParty) get(c *http.Client, u, token string) (int, object) {
	req, err := http.NewRequest(http.MethodGet, u, nil)
	rp.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return rp.do(c, req)
}

func (rp *relyingParty) post(c *http.Client, u string, form url.Values, token string) (int, object) {
	req, err := http.NewRequest(http.MethodPost, u, strings.NewReader(form.Encode()))
	rp.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return rp.do(c, req)
}

func (rp *relyingParty) do(c *http.Client, req *http.Request) (int, object) {
	resp, err := c.Do(req)
	rp.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	rp.must(err)
	o := object{}
	_ = json.Unmarshal(body, &o) // pages are no JSON
	return resp.StatusCode, o
}

// params makes an authorize request; nil values take a parameter away.
func (rp *relyingParty) params(more url.Values) url.Values {
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {rp.client.ID},
		"redirect_uri":  {rp.client.RedirectURI},
		"scope":         {"openid"},
		"state":         {rand.Text()},
		"nonce":         {rand.Text()},
	}
	for k, v := range more {
		if q[k] = v; v == nil {
			q.Del(k)
		}
	}
	return q
}

// ended is where an authorize request led.
type ended struct {
	status int
	page   bool       // a page of the provider, not the callback
	login  bool       // that page asks for a login
	back   url.Values // the callback's parameters
	url    string
}

// authorize sends the browser and lets the person log in where a login page
// comes, with the e-CPS.
func (rp *relyingParty) authorize(q url.Values) ended { return rp.travel(rp.open(q), true) }

// look is authorize without a person: it stops at the login page.
func (rp *relyingParty) look(q url.Values) ended { return rp.travel(rp.open(q), false) }

func (rp *relyingParty) open(q url.Values) *http.Response {
	u := rp.endpoint("authorization_endpoint")
	if q.Encode() != "" {
		u += "?" + q.Encode()
	}
	resp, err := rp.browser.Get(u)
	rp.must(err)
	return resp
}

// travel follows redirects within the provider.
func (rp *relyingParty) travel(resp *http.Response, person bool) ended {
	logged := false
	for range 12 {
		resp.Body.Close()
		to, err := resp.Location()
		if err != nil {
			at := resp.Request.URL
			login := strings.Contains(at.Path, "/login/") // the provider may lie below a path
			if !login || !person || logged {
				return ended{status: resp.StatusCode, page: true, login: login, url: at.String()}
			}
			logged = true
			resp, err = rp.browser.PostForm(at.Scheme+"://"+at.Host+at.Path+"/ecps", url.Values{"login": {rp.Person}})
			rp.must(err)
			continue
		}
		if !strings.HasPrefix(rp.Issuer, to.Scheme+"://"+to.Host) {
			back := to.Query()
			if to.Fragment != "" {
				back, err = url.ParseQuery(to.Fragment)
				rp.must(err)
			}
			return ended{status: resp.StatusCode, back: back, url: to.String()}
		}
		resp, err = rp.browser.Get(to.String())
		rp.must(err)
	}
	panic(outcome{Failed, "redirects without end"})
}

// code logs in and returns the code, having checked state and iss.
func (rp *relyingParty) code(more url.Values) (string, url.Values) {
	q := rp.params(more)
	e := rp.authorize(q)
	rp.check(!e.page, "no callback: %d at %s", e.status, e.url)
	rp.check(e.back.Get("error") == "", "callback with %s: %s", e.back.Get("error"), e.back.Get("error_description"))
	rp.check(e.back.Get("state") == q.Get("state"), "state %q came back as %q", q.Get("state"), e.back.Get("state"))
	rp.check(e.back.Get("iss") == rp.Issuer, "iss is %q (RFC 9207)", e.back.Get("iss"))
	return e.back.Get("code"), q
}

func (rp *relyingParty) token(form url.Values) (int, object) {
	if !form.Has("client_id") {
		form.Set("client_id", rp.client.ID)
	}
	return rp.post(rp.server, rp.endpoint("token_endpoint"), form, "")
}

func (rp *relyingParty) exchange(code string, more url.Values) (int, object) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rp.client.RedirectURI}}
	for k, v := range more {
		form[k] = v
	}
	return rp.token(form)
}

// tokens logs in and exchanges the code; the id token is verified.
func (rp *relyingParty) tokens(more url.Values) (object, object) {
	code, q := rp.code(more)
	status, t := rp.exchange(code, nil)
	rp.check(status == 200, "token endpoint: %d %v", status, t)
	return t, rp.idToken(t, q)
}

// idToken verifies OIDC Core §3.1.3.7 and §3.1.3.8.
func (rp *relyingParty) idToken(t object, q url.Values) object {
	login := &relying.Login{Nonce: q.Get("nonce"), Scope: q.Get("scope")}
	in, err := rp.party.Verify(context.Background(), login,
		relying.Tokens{Access: t.text("access_token"), ID: t.text("id_token")})
	rp.must(err)
	rp.check(in.Checks.Named(relying.IDTokenHash) != nil, "the id token holds no at_hash")
	return object(in.Claims)
}

// verified checks a JWT with the published keys.
func (rp *relyingParty) verified(token string) object {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	rp.must(err)
	kid := jws.Signatures[0].Header.KeyID
	rp.check(kid != "", "the token names no kid")
	for _, k := range rp.jwks().Key(kid) {
		payload, err := jws.Verify(k.Key)
		rp.must(err)
		claims := object{}
		rp.must(json.Unmarshal(payload, &claims))
		return claims
	}
	panic(outcome{Failed, "the key set holds no key " + kid})
}

func (rp *relyingParty) jwks() *jose.JSONWebKeySet {
	resp, err := rp.server.Get(rp.endpoint("jwks_uri"))
	rp.must(err)
	defer resp.Body.Close()
	var set jose.JSONWebKeySet
	rp.must(json.NewDecoder(resp.Body).Decode(&set))
	return &set
}

func (rp *relyingParty) userinfo(token string) object {
	status, o := rp.get(rp.server, rp.endpoint("userinfo_endpoint"), token)
	rp.check(status == 200, "UserInfo: %d %v", status, o)
	return o
}

// other is the second client's server, in the same person's browser.
func (rp *relyingParty) other() *relyingParty {
	o := newRelyingParty(rp.Target, rp.B)
	o.browser = rp.browser
	return o
}

// configure changes the first client's registration for this check only.
func (rp *relyingParty) configure(more map[string]any) {
	rp.must(rp.Target.configure(rp.client, more))
	rp.cleanup = append(rp.cleanup, func() { _ = rp.Target.configure(rp.client, nil) })
}

// advance moves the emulator's clock for this check only.
func (rp *relyingParty) advance(seconds int) {
	rp.must(rp.Target.advance(seconds))
	rp.cleanup = append(rp.cleanup, func() { _ = rp.Target.advance(0) })
}

// listener is a server of the relying party that the provider calls.
type listener struct {
	url   string
	calls chan call
}

type call struct {
	header http.Header
	form   url.Values
	body   string
}

// wait returns the next call, and fails when none comes.
func (rp *relyingParty) wait(l *listener) call {
	ctx, stop := context.WithTimeout(context.Background(), 15*time.Second)
	defer stop()
	select {
	case c := <-l.calls:
		return c
	case <-ctx.Done():
		panic(outcome{Failed, "the provider did not call " + l.url})
	}
}
