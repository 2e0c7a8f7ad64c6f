// Package clients holds the vendors' registrations and judges how a client
// authenticates: by a certificate of type ORG AUTH_CLI (RFC 8705), by secret,
// or either.
package clients

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
)

// Client is one registration, in the words of OpenID Connect Dynamic Client
// Registration, CIBA Core §4 and the logout specifications. Secrets are test
// secrets and kept readable.
type Client struct {
	ID   string `json:"client_id"`
	Name string `json:"name"`
	// Secret for client_secret_basic and client_secret_post, "" for none.
	Secret string `json:"client_secret,omitempty"`
	// SubjectDN is the subject of the certificates that authenticate the client,
	// in any spelling of RFC 4514. "" for the one the emulator makes for it.
	SubjectDN              string   `json:"tls_client_auth_subject_dn,omitempty"`
	RedirectURIs           []string `json:"redirect_uris"`
	RedirectURIPolicy      string   `json:"redirect_uri_policy,omitempty"` // "" exact, "loopback"
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	// ResponseTypes this client may ask for; none means code.
	ResponseTypes []string `json:"response_types,omitempty"`
	// GrantTypes it may use; none means authorization_code, refresh_token, and
	// CIBA when a delivery mode is set.
	GrantTypes []string `json:"grant_types,omitempty"`
	// DeliveryMode of CIBA: poll, ping, or "" where CIBA is not allowed.
	DeliveryMode         string `json:"backchannel_token_delivery_mode,omitempty"`
	NotificationEndpoint string `json:"backchannel_client_notification_endpoint,omitempty"`
	// JWKS holds the public keys that sign this client's request objects.
	JWKS                      *jose.JSONWebKeySet `json:"jwks,omitempty"`
	BackchannelLogoutURI      string              `json:"backchannel_logout_uri,omitempty"`
	FrontchannelLogoutURI     string              `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSession bool                `json:"frontchannel_logout_session_required,omitempty"`
	BackchannelLogoutSession  bool                `json:"backchannel_logout_session_required,omitempty"`
	// Policies override the emulator's for this client.
	Policies config.Overrides `json:"policies,omitempty"`
}

// Grant types.
const (
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	CIBA              = "urn:openid:params:grant-type:ciba"
)

// Delivery modes of CIBA.
const (
	Poll = "poll"
	Ping = "ping"
)

// Label is what people see: the name, else the client_id.
func (c *Client) Label() string { return cmp.Or(c.Name, c.ID) }

// AllowsGrant tells whether the client may use this grant type.
func (c *Client) AllowsGrant(grant string) bool {
	if grant == CIBA {
		return c.DeliveryMode != "" || slices.Contains(c.GrantTypes, CIBA)
	}
	return len(c.GrantTypes) == 0 && (grant == AuthorizationCode || grant == RefreshToken) ||
		slices.Contains(c.GrantTypes, grant)
}

// AllowsResponse tells whether the client may ask for this response type.
func (c *Client) AllowsResponse(responseType string) bool {
	if len(c.ResponseTypes) == 0 {
		return responseType == "code"
	}
	return slices.Contains(c.ResponseTypes, responseType)
}

// Loopback is the redirect URI policy that accepts any port and path on
// http://localhost and http://127.0.0.1.
const Loopback = "loopback"

// Validate names the first field that cannot be right.
func (c *Client) Validate() error {
	if c.ID == "" || len(c.ID) > 200 || strings.ContainsAny(c.ID, " \t\r\n:") {
		return problem.ClientIDInvalid.Got(c.ID)
	}
	if err := c.Policies.Check("client"); err != nil {
		return err
	}
	if c.Secret != "" && c.Policies["client-auth"] == MTLS {
		return SecretUseless(c.ID)
	}
	if err := c.checkSubject(); err != nil {
		return err
	}
	if c.RedirectURIPolicy != "" && c.RedirectURIPolicy != Loopback {
		return problem.RedirectPolicyInvalid.Got(c.RedirectURIPolicy)
	}
	if len(c.RedirectURIs) == 0 && c.RedirectURIPolicy == "" {
		return problem.RedirectURIsMissing.Of()
	}
	called := given(c.NotificationEndpoint, c.BackchannelLogoutURI, c.FrontchannelLogoutURI)
	for _, u := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs, called) {
		if !absolute(u) {
			return problem.RedirectURIInvalid.Got(u)
		}
	}
	return c.validateFlows()
}

func given(uris ...string) []string {
	return slices.DeleteFunc(uris, func(u string) bool { return u == "" })
}

// ResponseTypes and grant types that a registration may hold.
var (
	ResponseTypes = []string{
		"code",
		"none",
		"id_token",
		"token",
		"id_token token",
		"code id_token",
		"code token",
		"code id_token token",
	}
	grantTypes = []string{AuthorizationCode, RefreshToken, CIBA}
)

func (c *Client) validateFlows() error {
	for _, t := range c.ResponseTypes {
		if !slices.Contains(ResponseTypes, t) {
			return problem.ResponseTypeInvalid.With("accepted", ResponseTypes).Got(t)
		}
	}
	for _, t := range c.GrantTypes {
		if !slices.Contains(grantTypes, t) {
			return problem.GrantTypeInvalid.With("accepted", grantTypes).Got(t)
		}
	}
	switch {
	case !slices.Contains([]string{"", Poll, Ping}, c.DeliveryMode):
		return problem.DeliveryModeInvalid.Got(c.DeliveryMode)
	case c.DeliveryMode == Ping && c.NotificationEndpoint == "":
		return problem.NotificationEndpointMissing.Of()
	}
	if c.JWKS != nil {
		for _, k := range c.JWKS.Keys {
			if !k.Valid() || !k.IsPublic() {
				return problem.JWKSInvalid.With("key_id", k.KeyID)
			}
		}
	}
	return nil
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Fragment == "" &&
		u.User == nil &&
		!strings.ContainsAny(s, "\\\t\r\n #")
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

// AllowsOrigin tells whether pages of this origin are the client's: that of a
// redirect URI, or one the loopback policy accepts.
func (c *Client) AllowsOrigin(origin string) bool {
	return origin != "" && slices.ContainsFunc(c.RedirectURIs, func(u string) bool { return Origin(u) == origin }) ||
		c.AllowsRedirect(origin+"/")
}

// Origin is the origin of a registered URI.
func Origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
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
