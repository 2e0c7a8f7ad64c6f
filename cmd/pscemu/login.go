package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/internal/rp"
)

// newLogin does one complete login without a browser: the user's part by the
// API, the vendor's part over mTLS as any client would.
func newLogin() *cobra.Command {
	cmd := command("login", "One complete login without a browser", 0, runLogin)
	remoteFlags(cmd)
	cmd.Flags().String("client", emulator.DemoID, "client_id")
	cmd.Flags().String("identity", "", "national id of the person")
	cmd.Flags().String("means", "ecps", "ecps or card")
	cmd.Flags().String("pin", "", "code porteur, with --means card (the card's own when empty)")
	cmd.Flags().String("scope", "openid scope_all", "scope")
	cmd.Flags().String("acr", "eidas1", "acr_values")
	cmd.Flags().String("redirect-uri", "http://localhost:8080/callback", "redirect URI (never contacted)")
	cmd.Flags().String("cert", "", "client certificate, PEM (the demo client's when empty)")
	cmd.Flags().String("key", "", "its key")
	cmd.Flags().String("secret", "", "client secret (the registered one when empty)")
	return cmd
}

func runLogin(cmd *cobra.Command, _ []string) error {
	flag := textFlags(cmd)
	if flag("identity") == "" {
		return usageError{errors.New("--identity is missing; pscemu identities list prints them")}
	}
	if (flag("cert") == "") != (flag("key") == "") {
		return usageError{errors.New("--cert and --key go together: the files of `pscemu certificates issue`")}
	}
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	client, err := r.backChannel(flag("cert"), flag("key"))
	if err != nil {
		return err
	}
	secret, err := r.secret(flag("client"), flag("secret"))
	if err != nil {
		return err
	}
	done, err := r.login(client, loginOf{
		client:   flag("client"),
		secret:   secret,
		identity: flag("identity"),
		means:    flag("means"),
		pin:      flag("pin"),
		scope:    flag("scope"),
		acr:      flag("acr"),
		redirect: flag("redirect-uri"),
		nonce:    rand.Text(),
	})
	if err != nil {
		return err
	}
	return printLogin(cmd, done)
}

// printLogin prints what a login brought, and what was verified of it.
func printLogin(cmd *cobra.Command, in *rp.Session) error {
	tokens := map[string]any{}
	if err := json.Unmarshal(in.Tokens.Raw, &tokens); err != nil {
		return err
	}
	return printJSON(cmd, map[string]any{
		"tokens":              tokens,
		"id_token_claims":     payload(in.Tokens.ID),
		"access_token_claims": payload(in.Tokens.Access),
		"userinfo":            in.UserInfo,
		"checks":              in.Checks,
	})
}

// loginOf is one login to do.
type loginOf struct {
	client, secret, identity, means, pin, scope, acr, redirect, nonce string
	skip                                                              []rp.Name // checks that are let pass
}

// login does the user's part by the API, and the vendor's over mTLS. Everything
// that comes back is verified.
func (r *remote) login(client *http.Client, l loginOf) (*rp.Session, error) {
	now, err := r.clock()
	if err != nil {
		return nil, err
	}
	party := rp.New(rp.Config{
		Issuer:   r.ready.Issuer,
		ClientID: l.client,
		Secret:   func() string { return l.secret },
		HTTP:     client,
		Now:      now,
		Skip:     l.skip,
	})
	login := rp.NewLogin(l.redirect)
	login.Nonce, login.Scope, login.ACR = l.nonce, l.scope, strings.Fields(l.acr)
	back, err := r.person(party, login, l)
	if err != nil {
		return nil, err
	}
	in, err := party.Finish(context.Background(), login, back)
	if ended := (*rp.Refusal)(nil); errors.As(err, &ended) && ended.At == "callback" {
		return nil, fmt.Errorf("the login ended with %s: %s", ended.Code, ended.Text)
	}
	return in, err
}

// person does the user's part of a login, and returns the callback's
// parameters.
func (r *remote) person(party *rp.Client, login *rp.Login, l loginOf) (url.Values, error) {
	authorize, err := party.AuthorizeURL(context.Background(), login)
	if err != nil {
		return nil, err
	}
	done, err := r.api.PerformLoginWithResponse(context.Background(),
		api.Performance{AuthorizeUrl: authorize, Identity: l.identity, Means: api.Means(l.means), Pin: l.pin})
	if err := r.done(done, err); err != nil {
		return nil, err
	}
	back, err := url.Parse(done.JSON201.RedirectTo)
	if err != nil {
		return nil, err
	}
	return back.Query(), nil
}

// clock is the emulator's: what it issues is dated by it.
func (r *remote) clock() (func() time.Time, error) {
	at, err := r.api.GetClockWithResponse(context.Background())
	if err := r.done(at, err); err != nil {
		return nil, err
	}
	ahead := time.Until(at.JSON200.Now)
	return func() time.Time { return time.Now().Add(ahead) }, nil
}

// secret is what a client sends beside its certificate: the one given, or the
// registered one where the client has a secret of its own. The demo client has one
// that it need not send.
func (r *remote) secret(id, given string) (string, error) {
	if given != "" || id == emulator.DemoID {
		return given, nil
	}
	registered, err := r.api.GetClientWithResponse(context.Background(), id)
	if err := r.done(registered, err); err != nil {
		return "", err
	}
	return registered.JSON200.ClientSecret, nil
}

// ca is the server CA, in PEM form.
func (r *remote) ca() ([]byte, error) {
	if r.ready.CAFile == "" {
		return []byte(r.ready.CA), nil
	}
	return os.ReadFile(r.ready.CAFile)
}

// pair is the client's certificate: from these files, or the demo client's.
func (r *remote) pair(cert, key string) (tls.Certificate, error) {
	d := r.ready.DemoClient
	switch {
	case cert != "":
		return tls.LoadX509KeyPair(cert, key)
	case d.CertificateFile != "":
		return tls.LoadX509KeyPair(d.CertificateFile, d.KeyFile)
	}
	return tls.X509KeyPair([]byte(d.Certificate), []byte(d.Key))
}

// roots trust the server CA that ready.json names.
func (r *remote) roots() (*x509.CertPool, error) {
	pem, err := r.ca()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool, err
}

// backChannel is a vendor's HTTP client with its certificate.
func (r *remote) backChannel(cert, key string) (*http.Client, error) {
	pair, err := r.pair(cert, key)
	if err != nil {
		return nil, err
	}
	pool, err := r.roots()
	if err != nil {
		return nil, err
	}
	return rp.Transport{
		Roots:       pool,
		Certificate: func() *tls.Certificate { return &pair },
		Idle:        2,
		Timeout:     20 * time.Second,
	}.Client(), nil
}

func postForm(c *http.Client, u string, form url.Values) (json.RawMessage, error) {
	resp, err := c.PostForm(u, form)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s refused: %s", u[strings.LastIndex(u, "/")+1:], out)
	}
	return out, nil
}

func getJSON(c *http.Client, u, token string) (json.RawMessage, error) {
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(u[strings.LastIndex(u, "/")+1:] + " refused: " + resp.Status)
	}
	var out json.RawMessage
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

// payload is what a token holds, as it was written.
func payload(token string) json.RawMessage {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	return b
}
