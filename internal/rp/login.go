package rp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
)

// Login is a login that was begun: what was sent, and must come back.
type Login struct {
	State, Nonce, Verifier string // an empty one is not sent
	RedirectURI            string
	Scope                  string
	ACR                    []string   // acr_values, the levels that will do
	MaxAge                 int        // in seconds; 0 for any
	Extra                  url.Values // further parameters, such as prompt
}

// NewLogin makes state, nonce and PKCE verifier of a login for PSC.
func NewLogin(redirectURI string) *Login {
	return &Login{
		State:       rand.Text(),
		Nonce:       rand.Text(),
		Verifier:    oauth2.GenerateVerifier(),
		RedirectURI: redirectURI,
		Scope:       "openid scope_all",
		ACR:         []string{"eidas1"},
	}
}

// openID tells whether the login is one of OpenID Connect: without the scope
// openid there is no id token.
func (l *Login) openID() bool { return slices.Contains(strings.Fields(l.Scope), "openid") }

// AuthorizeURL is where to send the browser.
func (c *Client) AuthorizeURL(ctx context.Context, l *Login) (string, error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return "", err
	}
	var options []oauth2.AuthCodeOption
	set := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	set("nonce", l.Nonce)
	for _, level := range l.ACR {
		set("acr_values", level)
	}
	if l.MaxAge > 0 {
		set("max_age", strconv.Itoa(l.MaxAge))
	}
	if l.Verifier != "" {
		options = append(options, oauth2.S256ChallengeOption(l.Verifier))
	}
	for name, values := range l.Extra {
		set(name, values[0])
	}
	return c.oauth(m, l).AuthCodeURL(l.State, options...), nil
}

// Finish ends a login: it verifies the callback, exchanges the code, verifies
// the id token and asks UserInfo. The session holds the checks that were made,
// also beside an error, with which nobody must be logged in.
func (c *Client) Finish(ctx context.Context, l *Login, callback url.Values) (*Session, error) {
	in := &Session{login: *l}
	m, err := c.Metadata(ctx)
	if err != nil {
		return in, err
	}
	held := c.ledger()
	err = c.callback(held, m, l, callback)
	in.Checks = held.checks
	if err != nil {
		return in, err
	}
	form := url.Values{
		"grant_type":   {"authorization_code"},
		"code":         {callback.Get("code")},
		"redirect_uri": {l.RedirectURI},
	}
	if l.Verifier != "" {
		form.Set("code_verifier", l.Verifier)
	}
	return in, c.redeem(ctx, m, in, form)
}

// callback verifies what the browser brought back, before anything is done
// with it.
func (c *Client) callback(held *ledger, m *Metadata, l *Login, got url.Values) error {
	twice := ""
	for name, values := range got {
		if len(values) > 1 {
			twice = name
		}
	}
	held.hold(CallbackOnce, "RFC 6749 §3.1", twice == "", twice, "each parameter once")
	held.hold(CallbackState, "RFC 6749 §10.12", l.State != "" && same(got.Get("state"), l.State),
		got.Get("state"), "the state of the login that was begun here")
	if m.SendsIssuer || got.Has("iss") {
		held.hold(CallbackIssuer, "RFC 9207 §2.4", got.Get("iss") == c.Issuer, got.Get("iss"), c.Issuer)
	}
	if err := held.err(); err != nil {
		return err
	}
	if code := got.Get("error"); code != "" {
		held.hold(CallbackCode, "RFC 6749 §4.1.2.1", false, code, "a code")
		return &Refusal{At: "callback", Code: code, Text: got.Get("error_description")}
	}
	held.hold(CallbackCode, "RFC 6749 §4.1.2", got.Get("code") != "", got.Get("code"), "a code")
	return held.err()
}

// same compares in a time that tells nothing.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
