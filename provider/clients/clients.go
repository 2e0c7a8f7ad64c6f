// Package clients holds the vendors' registrations and judges how a client
// authenticates: by a certificate of type ORG AUTH_CLI (RFC 8705), by secret,
// or either.
package clients

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"pscemu/problem"
	"pscemu/store"
)

// Client is one registration. Secrets are test secrets and kept readable.
type Client struct {
	ID   string `json:"client_id"`
	Name string `json:"name"`
	// Secret for client_secret_basic and client_secret_post, "" for none.
	Secret string `json:"client_secret,omitempty"`
	// Auth overrides the setting client-auth: mtls, secret, either, or "".
	Auth string `json:"client_auth,omitempty"`
	// SubjectDN binds a certificate whose CN is not the client_id.
	SubjectDN              string   `json:"tls_client_auth_subject_dn,omitempty"`
	RedirectURIs           []string `json:"redirect_uris"`
	RedirectURIPolicy      string   `json:"redirect_uri_policy,omitempty"` // "" exact, "loopback"
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	// ACR is the acr policy of this client: requested (""), or a fixed value.
	ACR string `json:"acr,omitempty"`
}

// Loopback is the redirect URI policy that accepts any port and path on
// http://localhost and http://127.0.0.1.
const Loopback = "loopback"

// Registry keeps the registrations.
type Registry struct {
	store store.Store
}

var collection = store.Collection[Client]("clients")

// New opens the registry.
func New(s store.Store) *Registry { return &Registry{store: s} }

// Get finds a client.
func (r *Registry) Get(ctx context.Context, id string) (*Client, error) {
	c, err := collection.Load(ctx, r.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.New(problem.NotFound, "client-unknown", "no client is registered under this client_id").Got(id).Want("a client_id as `pscemu clients list` prints it")
	}
	return &c, err
}

// List returns up to limit clients behind after.
func (r *Registry) List(ctx context.Context, after string, limit int) ([]Client, error) {
	return collection.Page(ctx, r.store, after, limit)
}

// Put checks and keeps a registration.
func (r *Registry) Put(ctx context.Context, c *Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	return collection.Save(ctx, r.store, c.ID, *c, store.Forever)
}

// Delete removes a registration.
func (r *Registry) Delete(ctx context.Context, id string) error {
	if _, err := r.Get(ctx, id); err != nil {
		return err
	}
	return r.store.Update(ctx, func(tx store.Tx) error { return collection.Delete(tx, id) })
}

// Validate names the first field that cannot be right.
func (c *Client) Validate() error {
	if c.ID == "" || len(c.ID) > 200 || strings.ContainsAny(c.ID, " \t\r\n:") {
		return problem.New(problem.Invalid, "client-id-invalid", "the client_id cannot be used").Got(c.ID).Want("1 to 200 characters without spaces or colons")
	}
	if !slices.Contains([]string{"", "mtls", "secret", "either"}, c.Auth) {
		return problem.New(problem.Invalid, "client-auth-invalid", "client_auth is none of the known").Got(c.Auth).Want("mtls, secret, either, or nothing for the server's setting")
	}
	if c.RedirectURIPolicy != "" && c.RedirectURIPolicy != Loopback {
		return problem.New(problem.Invalid, "redirect-policy-invalid", "redirect_uri_policy is none of the known").Got(c.RedirectURIPolicy).Want("loopback, or nothing for exact")
	}
	if len(c.RedirectURIs) == 0 && c.RedirectURIPolicy == "" {
		return problem.New(problem.Invalid, "redirect-uris-missing", "a client needs at least one redirect URI").Want("redirect_uris")
	}
	for _, u := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		if !absolute(u) {
			return problem.New(problem.Invalid, "redirect-uri-invalid", "a redirect URI cannot be used").Got(u).Want("an absolute http or https URL without fragment or user")
		}
	}
	return nil
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Fragment == "" && u.User == nil && !strings.ContainsAny(s, "\\\t\r\n #")
}

// AllowsRedirect tells whether the URI is registered: exactly, or by the
// loopback policy.
func (c *Client) AllowsRedirect(uri string) bool {
	return slices.Contains(c.RedirectURIs, uri) || c.RedirectURIPolicy == Loopback && isLoopback(uri)
}

// AllowsPostLogout tells whether the browser may be sent there after logout.
func (c *Client) AllowsPostLogout(uri string) bool {
	return slices.Contains(c.PostLogoutRedirectURIs, uri) || c.RedirectURIPolicy == Loopback && isLoopback(uri)
}

func isLoopback(uri string) bool {
	if !absolute(uri) || strings.Contains(uri, "..") || strings.Contains(strings.ToLower(uri), "%2e") {
		return false
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || host == "127.0.0.1"
}
