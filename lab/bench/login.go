package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Application is the vendor's side of a login.
type Application struct {
	ClientID, Secret string
	SecretIn         string // where the secret goes: basic, post, or none
	RedirectURI      string // never contacted
	Scope            string
	Extra            url.Values // further authorize parameters
	Roots            *x509.CertPool
	Certificate      *tls.Certificate // of the back channel, nil for none
	Workers          int              // as many back connections are kept

	endpoints endpoints
	keys      jose.JSONWebKeySet
	back      *http.Client
}

type endpoints struct {
	Authorize   string `json:"authorization_endpoint"`
	Token       string `json:"token_endpoint"`
	UserInfo    string `json:"userinfo_endpoint"`
	JWKS        string `json:"jwks_uri"`
	Backchannel string `json:"backchannel_authentication_endpoint"`
}

// User does a person's part of a login: from the authorize URL to the callback.
type User func(ctx context.Context, browser *http.Client, authorize string) (callback *url.URL, err error)

const patience = 30 * time.Second

// Discover reads the provider's discovery document and keys.
func (a *Application) Discover(ctx context.Context, discovery string) error {
	t := &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12}
	if a.Certificate != nil {
		t.Certificates = []tls.Certificate{*a.Certificate}
	}
	a.back = &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{TLSClientConfig: t, MaxIdleConnsPerHost: max(a.Workers, 2)},
	}
	if err := a.get(ctx, discovery, "", &a.endpoints); err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	if a.endpoints.Authorize == "" || a.endpoints.Token == "" || a.endpoints.JWKS == "" {
		return fmt.Errorf("discovery: %s names no authorization_endpoint, token_endpoint or jwks_uri", discovery)
	}
	if err := a.get(ctx, a.endpoints.JWKS, "", &a.keys); err != nil {
		return fmt.Errorf("jwks: %w", err)
	}
	return nil
}

// Login is one complete login, as a new browser does it: authorize with PKCE,
// state and nonce over a connection of its own, the user's part, the code for
// tokens over mTLS, the id token's signature and nonce, UserInfo.
func (a *Application) Login(user User) func(context.Context) error {
	return func(ctx context.Context) error {
		browser, close := a.browser()
		defer close()
		verifier, state, nonce := rand.Text()+rand.Text(), rand.Text(), rand.Text()
		challenge := sha256.Sum256([]byte(verifier))
		q := url.Values{
			"response_type":         {"code"},
			"client_id":             {a.ClientID},
			"redirect_uri":          {a.RedirectURI},
			"scope":                 {a.Scope},
			"state":                 {state},
			"nonce":                 {nonce},
			"code_challenge_method": {"S256"},
			"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		}
		for k, v := range a.Extra {
			q[k] = v
		}
		back, err := user(ctx, browser, a.endpoints.Authorize+"?"+q.Encode())
		if err != nil {
			return short("front", err)
		}
		switch got := back.Query(); {
		case got.Get("error") != "":
			return errors.New("callback: " + got.Get("error"))
		case got.Get("state") != state:
			return errors.New("callback: the state is not the one sent")
		case got.Get("code") == "":
			return errors.New("callback: no code")
		}
		return a.redeem(
			ctx,
			url.Values{
				"grant_type":    {"authorization_code"},
				"code":          {back.Query().Get("code")},
				"redirect_uri":  {a.RedirectURI},
				"code_verifier": {verifier},
			},
			nonce,
		)
	}
}

// redeem turns a grant into tokens, verifies the id token and calls UserInfo.
func (a *Application) redeem(ctx context.Context, form url.Values, nonce string) error {
	var t struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	if err := a.post(ctx, a.endpoints.Token, form, &t); err != nil {
		return short("token", err)
	}
	sub, err := a.verify(t.ID, nonce)
	if err != nil || a.endpoints.UserInfo == "" {
		return err
	}
	var info struct{ Sub string }
	if err := a.get(ctx, a.endpoints.UserInfo, t.Access, &info); err != nil {
		return short("userinfo", err)
	}
	if info.Sub != sub {
		return errors.New("userinfo: the sub is not the id token's")
	}
	return nil
}

func (a *Application) verify(idToken, nonce string) (sub string, err error) {
	jws, err := jose.ParseSignedCompact(idToken, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256})
	if err != nil {
		return "", errors.New("id token: no JWS")
	}
	payload, err := jws.Verify(a.keys)
	if err != nil {
		return "", errors.New("id token: signature")
	}
	var claims struct{ Sub, Nonce string }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Nonce != nonce {
		return "", errors.New("id token: nonce")
	}
	return claims.Sub, nil
}

// browser follows redirects, with cookies, until one leads to the application.
func (a *Application) browser() (c *http.Client, close func()) {
	jar, _ := cookiejar.New(nil)
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12}}
	return &http.Client{
		Jar:       jar,
		Transport: t,
		Timeout:   patience,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), a.RedirectURI) {
				return http.ErrUseLastResponse
			}
			if len(via) > 15 {
				return errors.New("too many redirects")
			}
			return nil
		},
	}, t.CloseIdleConnections
}

func (a *Application) post(ctx context.Context, at string, form url.Values, out any) error {
	if a.SecretIn != "basic" {
		form.Set("client_id", a.ClientID)
	}
	if a.SecretIn == "post" {
		form.Set("client_secret", a.Secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.SecretIn == "basic" {
		r.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(a.Secret))
	}
	return a.call(r, out)
}

func (a *Application) get(ctx context.Context, at, bearer string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return a.call(r, out)
}

// Refusal is an answer other than 200.
type Refusal struct {
	Status int
	Code   string `json:"error"`
	Text   string `json:"error_description"`
}

func (r *Refusal) Error() string {
	return strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code, " ", r.Text))
}

func (a *Application) call(r *http.Request, out any) error {
	resp, err := a.back.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		refusal := &Refusal{Status: resp.StatusCode}
		_ = json.Unmarshal(body, refusal)
		return refusal
	}
	return json.Unmarshal(body, out)
}

// short leaves out of an error what makes each one differ: URLs and ports.
func short(where string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i > 0 && strings.Contains(text, "127.0.0.1:") {
		text = text[i+2:]
	}
	return errors.New(where + ": " + text)
}
