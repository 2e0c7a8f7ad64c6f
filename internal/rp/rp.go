// Package rp is the one relying party of our own: what a vendor's server does
// with an OpenID provider, done right. Each thing that it verifies is told as
// a Check, so that a page can show them.
//
// It takes nothing for granted that Pro Santé Connect may change: a sub is any
// text, sid is any text, and what is not known in an answer is left alone.
package rp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// SecretPlace is where a client sends its secret.
type SecretPlace string

// The places. A client that has a certificate may send none.
const (
	InForm   SecretPlace = "post"
	InHeader SecretPlace = "basic"
	Nowhere  SecretPlace = "none"
)

// WellKnown is where an issuer's discovery document lies below it.
const WellKnown = "/.well-known/openid-configuration"

// Config is a registration at a provider.
type Config struct {
	Issuer   string
	ClientID string
	// Discovery is the discovery document's address, below the issuer when empty.
	Discovery string
	// Secret is asked for at each call, since it may change; nil for none.
	Secret   func() string
	SecretIn SecretPlace // InForm when empty
	HTTP     *http.Client
	Now      func() time.Time // time.Now when nil
	// Algorithms may sign a token: RS256 alone when empty.
	Algorithms []string
	// Claims are what the application wants of UserInfo.
	Claims []Claim
	// Skip are checks whose failure is let pass: of applications that do wrong on
	// purpose, and where a load is measured.
	Skip []Name
}

// Client is a relying party. It is safe for concurrent use.
type Client struct {
	Config
	mu   sync.Mutex
	meta *Metadata
	keys oidc.KeySet
}

// New makes a relying party; it calls nobody yet.
func New(c Config) *Client {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Discovery == "" {
		c.Discovery = c.Issuer + WellKnown
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{oidc.RS256}
	}
	return &Client{Config: c}
}

// Metadata is what the discovery document says.
type Metadata struct {
	Issuer      string `json:"issuer"`
	Authorize   string `json:"authorization_endpoint"`
	Token       string `json:"token_endpoint"`
	UserInfo    string `json:"userinfo_endpoint"`
	JWKS        string `json:"jwks_uri"`
	EndSession  string `json:"end_session_endpoint"`
	Backchannel string `json:"backchannel_authentication_endpoint"`
	SendsIssuer bool   `json:"authorization_response_iss_parameter_supported"`
}

// Metadata reads the discovery document once, and again until it could.
func (c *Client) Metadata(ctx context.Context) (*Metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.meta != nil {
		return c.meta, nil
	}
	m, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	// The keys are kept, and fetched again for a kid that is not among them.
	c.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), c.HTTP), m.JWKS)
	c.meta = m
	return c.meta, nil
}

// discover reads the discovery document, which must be of the issuer it is
// asked from (OIDC Discovery §4.3).
func (c *Client) discover(ctx context.Context) (*Metadata, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Discovery, nil)
	if err != nil {
		return nil, err
	}
	body, err := c.call("discovery", r)
	if err != nil {
		return nil, err
	}
	var m Metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if m.Issuer != c.Issuer {
		return nil, fmt.Errorf("discovery: the document is of the issuer %q, expected %q", m.Issuer, c.Issuer)
	}
	if m.Authorize == "" || m.Token == "" || m.JWKS == "" {
		return nil, fmt.Errorf(
			"discovery: %s names no authorization_endpoint, token_endpoint or jwks_uri",
			c.Discovery,
		)
	}
	return &m, nil
}

func (c *Client) ledger() *ledger { return &ledger{skip: c.Skip} }

func (c *Client) secret() string {
	if c.Secret == nil || c.SecretIn == Nowhere {
		return ""
	}
	return c.Secret()
}

// oauth is the library's view of a login.
func (c *Client) oauth(m *Metadata, l *Login) *oauth2.Config {
	return &oauth2.Config{
		ClientID:    c.ClientID,
		RedirectURL: l.RedirectURI,
		Scopes:      []string{l.Scope},
		Endpoint:    oauth2.Endpoint{AuthURL: m.Authorize, TokenURL: m.Token},
	}
}

// Transport is how a relying party's server calls: with its certificate.
type Transport struct {
	Roots *x509.CertPool // nil for the machine's
	// Certificate is asked for at each handshake, since it may change; nil for
	// none.
	Certificate func() *tls.Certificate
	Idle        int // connections kept for the next call; 0 for none
	Timeout     time.Duration
}

// Client is the HTTP client. It follows no redirect: a back channel has none.
func (t Transport) Client() *http.Client {
	config := &tls.Config{RootCAs: t.Roots, MinVersion: tls.VersionTLS12}
	if t.Certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if certificate := t.Certificate(); certificate != nil {
				return certificate, nil
			}
			return &tls.Certificate{}, nil
		}
	}
	if t.Timeout == 0 {
		t.Timeout = 15 * time.Second
	}
	return &http.Client{
		Timeout: t.Timeout,
		Transport: &http.Transport{
			TLSClientConfig:     config,
			DisableKeepAlives:   t.Idle == 0,
			MaxIdleConnsPerHost: t.Idle,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
