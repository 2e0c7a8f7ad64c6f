// Package oidc composes fosite into Pro Santé Connect's token service: the
// session behind a grant, its storage, and the tokens in PSC's shape. It is
// the only package that knows fosite.
package oidc

import (
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/provider/clients"
)

// Session is what an authentication puts into every token of its grant.
type Session struct {
	SID        string               `json:"sid"` // the browser session
	Issuer     string               `json:"iss"` // under which the login began
	ClientID   string               `json:"client_id"`
	LoginID    string               `json:"login_id"`
	NationalID string               `json:"national_id"`
	AuthMode   identities.AuthMode  `json:"auth_mode"`
	ACR        string               `json:"acr"`
	AuthTime   time.Time            `json:"auth_time"`
	Nonce      string               `json:"nonce"`
	Scope      string               `json:"scope"`
	FamilyName string               `json:"family_name"`
	GivenName  string               `json:"given_name"`
	Email      string               `json:"email,omitempty"`
	OtherIDs   []identities.OtherID `json:"other_ids"`
	CodeExpiry time.Time            `json:"code_expiry"`
	Claims     *Claims              `json:"claims,omitempty"`     // asked for by the claims parameter
	Thumbprint string               `json:"thumbprint,omitempty"` // of the certificate the tokens are bound to

	policies config.Policies // of the moment, for this client and person
}

// Claims are the names a claims parameter asks for (OIDC Core §5.5).
type Claims struct {
	UserInfo []string `json:"userinfo,omitempty"`
	IDToken  []string `json:"id_token,omitempty"`
}

// wants tells whether the claims parameter asked for this claim there.
func (s *Session) wants(where, claim string) bool {
	if s.Claims == nil {
		return false
	}
	if where == "id_token" {
		return slices.Contains(s.Claims.IDToken, claim)
	}
	return slices.Contains(s.Claims.UserInfo, claim)
}

// Wants tells whether the claims parameter asked UserInfo for this claim.
func (s *Session) Wants(claim string) bool { return s.wants("userinfo", claim) }

// SetExpiresAt is left to the strategies, which use the emulator's clock where
// fosite would use the machine's.
func (s *Session) SetExpiresAt(fosite.TokenType, time.Time) {}

// GetExpiresAt is zero: fosite then reports the configured lifetimes.
func (s *Session) GetExpiresAt(fosite.TokenType) time.Time { return time.Time{} }

// GetUsername is the national id.
func (s *Session) GetUsername() string { return s.NationalID }

// GetSubject is the sub claim.
func (s *Session) GetSubject() string { return identities.Sub(s.NationalID) }

// Clone copies the session.
func (s *Session) Clone() fosite.Session {
	c := *s
	return &c
}

// client shows a registration to fosite. The redirect URI was judged before
// (clients.AllowsRedirect), exactly, so fosite is shown just that one: its own
// loopback rule is wider.
type client struct {
	*clients.Client
	redirect string
}

func (c client) GetID() string             { return c.ID }
func (c client) GetHashedSecret() []byte   { return nil }
func (c client) GetRedirectURIs() []string { return []string{c.redirect} }
func (c client) GetGrantTypes() fosite.Arguments {
	return fosite.Arguments{clients.AuthorizationCode, clients.RefreshToken, clients.CIBA}
}
func (c client) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }
func (c client) GetScopes() fosite.Arguments        { return Scopes }
func (c client) IsPublic() bool                     { return false }
func (c client) GetAudience() fosite.Arguments      { return nil }
func (c client) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeQuery, fosite.ResponseModeFragment, fosite.ResponseModeFormPost}
}

// Scopes are those PSC's discovery document lists, in its order.
var Scopes = fosite.Arguments{
	"openid",
	"microprofile-jwt",
	"rpps",
	"referentiel",
	"web-origins",
	"basic",
	"identity",
	"acr",
	"offline_access",
	"eidas1",
	"profile",
	"roles",
	"email",
	"scope_all",
	"phone",
	"interop",
	"scope_1",
	"address",
	"scope_2",
	"eidas2",
}

// UnknownScope tells whether a requested scope is none of PSC's.
func UnknownScope(requested []string) bool {
	for _, s := range requested {
		if !Scopes.Has(s) {
			return true
		}
	}
	return false
}

// record is a fosite request as it is stored.
type record struct {
	ID      string   `json:"id"` // the grant
	Client  string   `json:"client"`
	Scopes  []string `json:"scopes"`
	Form    []string `json:"form"` // redirect_uri, code_challenge, code_challenge_method
	Session Session  `json:"session"`
	Used    bool     `json:"used,omitempty"`    // a code
	Refresh string   `json:"refresh,omitempty"` // a grant: the refresh token in force
}

var keptFields = []string{"redirect_uri", "code_challenge", "code_challenge_method"}

func newRecord(r fosite.Requester) record {
	rec := record{
		ID:      r.GetID(),
		Client:  r.GetClient().GetID(),
		Scopes:  r.GetGrantedScopes(),
		Session: *r.GetSession().(*Session),
	}
	for _, f := range keptFields {
		rec.Form = append(rec.Form, r.GetRequestForm().Get(f))
	}
	return rec
}

func (rec record) request(c *clients.Client) *fosite.Request {
	r := fosite.NewRequest()
	r.ID, r.Client, r.Session = rec.ID, client{Client: c}, &rec.Session
	r.RequestedScope, r.GrantedScope = rec.Scopes, rec.Scopes
	r.Form = url.Values{}
	for i, f := range keptFields {
		if i < len(rec.Form) && rec.Form[i] != "" {
			r.Form.Set(f, rec.Form[i])
		}
	}
	return r
}
