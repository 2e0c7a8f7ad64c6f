package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/rp"
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

	party *rp.Client
}

// User does a person's part of a login: from the authorize URL to the callback.
type User func(ctx context.Context, browser *http.Client, authorize string) (callback *url.URL, err error)

const patience = 30 * time.Second

// skipped are the checks of a clock: the server that is measured may have one of
// its own.
var skipped = []rp.Name{rp.IDTokenExpiry, rp.IDTokenIssued, rp.IDTokenNotBefore}

// Discover reads the provider's discovery document.
func (a *Application) Discover(ctx context.Context, discovery string) error {
	issuer, _, _ := strings.Cut(discovery, "/.well-known/")
	transport := rp.Transport{Roots: a.Roots, Idle: max(a.Workers, 2), Timeout: patience}
	if a.Certificate != nil {
		transport.Certificate = func() *tls.Certificate { return a.Certificate }
	}
	a.party = rp.New(rp.Config{
		Issuer:     issuer,
		Discovery:  discovery,
		ClientID:   a.ClientID,
		Secret:     func() string { return a.Secret },
		SecretIn:   rp.SecretPlace(a.SecretIn),
		HTTP:       transport.Client(),
		Algorithms: []string{"RS256", "PS256", "ES256"},
		Skip:       skipped,
	})
	_, err := a.party.Metadata(ctx)
	return err
}

// Login is one complete login, as a new browser does it: authorize with PKCE,
// state and nonce over a connection of its own, the user's part, the code for
// tokens over mTLS, the id token verified, UserInfo.
func (a *Application) Login(user User) func(context.Context) error {
	return func(ctx context.Context) error {
		browser, leave := a.browser()
		defer leave()
		l := a.begin()
		authorize, err := a.party.AuthorizeURL(ctx, l)
		if err != nil {
			return err
		}
		back, err := user(ctx, browser, authorize)
		if err != nil {
			return short("front", err)
		}
		_, err = a.party.Finish(ctx, l, back.Query())
		return ended(err)
	}
}

// begin makes a login of this application.
func (a *Application) begin() *rp.Login {
	l := rp.NewLogin(a.RedirectURI)
	l.Scope, l.ACR, l.Extra = a.Scope, nil, a.Extra
	return l
}

// browser follows redirects, with cookies, until one leads to the application.
func (a *Application) browser() (c *http.Client, leave func()) {
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

// ended is why a login did not work, without what makes each one differ.
func ended(err error) error {
	var unverified *rp.Unverified
	var broken *url.Error
	switch {
	case errors.As(err, &unverified):
		return errors.New(string(unverified.Check.Name))
	case errors.As(err, &broken):
		where, _, _ := strings.Cut(err.Error(), ":")
		return short(where, broken)
	}
	return err
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
