package console

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

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Demo is a small relying party: a vendor's server as it should be, talking
// to the running emulator over mTLS.
type Demo struct {
	ClientID     string
	Issuer       string
	AuthorizeURL string
	Roots        *x509.CertPool // the server CA
	// Keys are the client's secret and its certificate: a restore may bring others.
	Keys func() (secret string, certificate tls.Certificate)
}

// loginCookie is the name of what one of our relying parties keeps of a login
// under way: each has its own, so that logins of both do not disturb another.
func loginCookie(at string) string { return strings.TrimPrefix(at, "/") + "-login" }

func (s *Console) demoPage(c echo.Context) error {
	return s.page(
		c,
		http.StatusOK,
		"demo/demo",
		map[string]any{"Title": "Démonstration", "Client": s.Demo.ClientID, "Issuer": s.Demo.Issuer},
	)
}

func (s *Console) demoStart(c echo.Context) error { return s.begin(c, "/demo") }

// demoCallback shows everything that a login brings.
func (s *Console) demoCallback(c echo.Context) error {
	in, err := s.loggedIn(c, "/demo")
	if err != nil {
		return err
	}
	if in.Error != "" {
		return s.page(
			c,
			http.StatusOK,
			"demo/demo",
			map[string]any{
				"Title":       "Démonstration",
				"Client":      s.Demo.ClientID,
				"Issuer":      s.Demo.Issuer,
				"Error":       in.Error,
				"Description": in.Description,
			},
		)
	}
	info, err := s.demoGet(s.Demo.Issuer+"/protocol/openid-connect/userinfo", in.Access)
	if err != nil {
		return err
	}
	return s.page(
		c,
		http.StatusOK,
		"demo/demo",
		map[string]any{
			"Title":       "Démonstration",
			"Client":      s.Demo.ClientID,
			"Issuer":      s.Demo.Issuer,
			"UserInfo":    info,
			"IDToken":     indent(in.Claims),
			"AccessToken": indent(decoded(in.Access)),
			"Raw":         in.ID,
			"Logout": s.Demo.Issuer + "/protocol/openid-connect/logout?" + url.Values{
				"id_token_hint":            {in.ID},
				"post_logout_redirect_uri": {s.URL + "/demo"},
			}.Encode(),
		},
	)
}

// relyingLogin is what came of a login of one of our own relying parties.
type relyingLogin struct {
	Error, Description string // refused
	ID, Access         string // tokens
	Claims             map[string]any
}

// begin sends the browser to the login with state, nonce and PKCE, which it
// keeps in a cookie of this browser. at is the relying party's place here:
// /demo, or the order desk's /desk.
func (s *Console) begin(c echo.Context, at string) error {
	state, nonce, verifier := rand.Text(), rand.Text(), rand.Text()+rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	// Lax: the way back comes from the login page's site.
	s.setCookie(c, loginCookie(at), at, state+"."+nonce+"."+verifier, http.SameSiteLaxMode, 30*time.Minute)
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {s.Demo.ClientID},
		"redirect_uri":  {s.redirectAt(at)},
		"scope":         {"openid scope_all"},
		"acr_values":    {"eidas1"},
		"state": {
			state,
		},
		"nonce":                 {nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	return web.Leave(c, http.StatusFound, s.Demo.AuthorizeURL+"?"+q.Encode())
}

func (s *Console) redirectAt(at string) string { return s.URL + at + "/callback" }

// loggedIn checks what came back and exchanges the code.
func (s *Console) loggedIn(c echo.Context, at string) (*relyingLogin, error) {
	kept := s.cookies(c, loginCookie(at))
	if len(kept) == 0 {
		return nil, problem.DemoNotStarted.With("url", s.URL).With("at", at)
	}
	parts := begunWith(kept, c.QueryParam("state"))
	if parts == nil || c.QueryParam("iss") != s.Demo.Issuer {
		return nil, problem.DemoStateWrong.With("url", s.URL).With("at", at)
	}
	s.setCookie(c, loginCookie(at), at, "", http.SameSiteLaxMode, 0)
	if e := c.QueryParam("error"); e != "" {
		return &relyingLogin{Error: e, Description: c.QueryParam("error_description")}, nil
	}
	tokens, err := s.demoExchange(c.QueryParam("code"), parts[2], s.redirectAt(at))
	if err != nil {
		return nil, err
	}
	in := &relyingLogin{
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

func (s *Console) demoClient() *http.Client {
	_, certificate := s.Demo.Keys()
	config := &tls.Config{
		RootCAs:      s.Demo.Roots,
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
	}
	return &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
	}
}

func (s *Console) demoExchange(code, verifier, redirect string) (map[string]any, error) {
	secret, _ := s.Demo.Keys()
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {s.Demo.ClientID},
		"client_secret": {secret},
		"code":          {code},
		"code_verifier": {verifier},
		"redirect_uri":  {redirect},
	}
	resp, err := s.demoClient().PostForm(s.Demo.Issuer+"/protocol/openid-connect/token", form)
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

func (s *Console) demoGet(u, token string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.demoClient().Do(req)
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
