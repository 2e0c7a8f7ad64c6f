package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/identities"
)

// Values of the claim typ.
const (
	typAccess  = "Bearer"
	typRefresh = "Refresh"
	typID      = "ID"
)

// claims of any token, as far as they are needed to judge it.
type claims struct {
	Exp int64  `json:"exp"`
	Iat int64  `json:"iat"`
	JTI string `json:"jti"`
	Iss string `json:"iss"`
	Sub string `json:"sub"`
	Typ string `json:"typ"`
	Azp string `json:"azp"`
	SID string `json:"sid"`
}

// token holds PSC's claims in PSC's order, which is the same in its three
// kinds of token; each kind leaves out what it does not have.
type token struct {
	Exp               int64                 `json:"exp"`
	Iat               int64                 `json:"iat"`
	AuthTime          int64                 `json:"auth_time,omitempty"`
	JTI               string                `json:"jti"`
	Iss               string                `json:"iss"`
	Aud               string                `json:"aud,omitempty"`
	Sub               string                `json:"sub"`
	Typ               string                `json:"typ"`
	Azp               string                `json:"azp"`
	Nonce             string                `json:"nonce"` // "" when none was sent
	SessionState      string                `json:"session_state"`
	AtHash            string                `json:"at_hash,omitempty"`
	CHash             string                `json:"c_hash,omitempty"`
	ACR               string                `json:"acr,omitempty"`
	Scope             *string               `json:"scope,omitempty"`
	SID               string                `json:"sid"`
	AuthMode          identities.AuthMode   `json:"authMode,omitempty"`
	OtherIDs          *[]identities.OtherID `json:"otherIds,omitempty"`
	PreferredUsername string                `json:"preferred_username,omitempty"`
	Name              string                `json:"name,omitempty"`
	GivenName         string                `json:"given_name,omitempty"`
	FamilyName        string                `json:"family_name,omitempty"`
	SubjectNameID     string                `json:"SubjectNameID,omitempty"`
	Email             string                `json:"email,omitempty"`      // when the claims parameter asks
	AuthLevel         string                `json:"auth_level,omitempty"` // policy auth-level-claim
	Confirmation      *confirmation         `json:"cnf,omitempty"`        // policy bind-access-tokens
}

// confirmation binds a token to a certificate (RFC 8705 §3.1).
type confirmation struct {
	Thumbprint string `json:"x5t#S256"`
}

// strategy implements fosite's token strategies. A token's signature, in
// fosite's sense, is its jti; a code's is the code itself.
type strategy struct {
	config *Config
	keys   *keys

	earlierTokens sync.Map // by client: its last good id token, while faults are in force
}

// common fills what every kind holds.
func (s *strategy) common(r fosite.Requester, typ string, lifetime time.Duration) token {
	x, now := r.GetSession().(*Session), s.config.Clock.Now()
	return token{
		Exp:          now.Add(lifetime).Unix(),
		Iat:          now.Unix(),
		JTI:          s.keys.newJTI(r.GetID()),
		Iss:          x.Issuer,
		Sub:          x.GetSubject(),
		Typ:          typ,
		Azp:          r.GetClient().GetID(),
		Nonce:        x.Nonce,
		SessionState: x.SID,
		SID:          x.SID,
	}
}

// login fills what access and id token say of the login.
func (t *token) login(x *Session) {
	t.AuthTime, t.ACR, t.AuthMode, t.PreferredUsername = x.AuthTime.Unix(), x.ACR, x.AuthMode, x.NationalID
	if x.policies.AuthLevel && x.AuthMode == identities.AuthModeCard {
		t.AuthLevel = "1"
	}
}

func (s *strategy) AccessTokenSignature(_ context.Context, token string) string {
	c, _, err := s.keys.verify(token, typAccess)
	return jtiOr(c, err)
}

func (s *strategy) RefreshTokenSignature(_ context.Context, token string) string {
	c, _, err := s.keys.verify(token, typRefresh)
	return jtiOr(c, err)
}

// jtiOr never lets an unverified token name a stored one.
func jtiOr(c claims, err error) string {
	if err != nil {
		return "invalid"
	}
	return c.JTI
}

func (s *strategy) GenerateAccessToken(_ context.Context, r fosite.Requester) (string, string, error) {
	x := r.GetSession().(*Session)
	t := s.common(r, typAccess, x.policies.AccessLifetime)
	t.login(x)
	t.Scope, t.OtherIDs = &x.Scope, &x.OtherIDs
	if x.Thumbprint != "" {
		t.Confirmation = &confirmation{x.Thumbprint}
	}
	signed, err := s.keys.sign("JWT", t)
	return signed, t.JTI, err
}

func (s *strategy) ValidateAccessToken(ctx context.Context, _ fosite.Requester, token string) error {
	c, _, err := s.keys.verify(token, typAccess)
	return s.inForce(ctx, c, err)
}

func (s *strategy) GenerateRefreshToken(_ context.Context, r fosite.Requester) (string, string, error) {
	x := r.GetSession().(*Session)
	t := s.common(r, typRefresh, x.policies.RefreshLifetime)
	t.Aud, t.Scope = x.Issuer, &x.Scope
	signed, err := s.keys.mac(t)
	return signed, t.JTI, err
}

func (s *strategy) ValidateRefreshToken(ctx context.Context, _ fosite.Requester, token string) error {
	c, _, err := s.keys.verify(token, typRefresh)
	return s.inForce(ctx, c, err)
}

// inForce judges issuer and time of a token whose signature was verified.
func (s *strategy) inForce(ctx context.Context, c claims, err error) error {
	if err != nil {
		return err
	}
	if c.Iss != issuer(ctx, s.config) {
		return fmt.Errorf("token of issuer %q", c.Iss)
	}
	if s.config.Clock.Now().Unix() >= c.Exp {
		return fosite.ErrTokenExpired
	}
	return nil
}

// idToken is bound to the access token and code it comes with, "" for none.
func (s *strategy) idToken(r fosite.Requester, access, code string) (string, error) {
	x := r.GetSession().(*Session)
	t := s.common(r, typID, x.policies.AccessLifetime)
	t.login(x)
	t.Aud, t.AtHash, t.CHash = t.Azp, half(access), half(code)
	t.Name, t.GivenName, t.FamilyName = x.GivenName+" "+x.FamilyName, x.GivenName, x.FamilyName
	t.SubjectNameID = x.NationalID
	if x.wants("id_token", "email") {
		t.Email = x.Email
	}
	return s.signID(x, t)
}

// half is the hash of OIDC Core §3.1.3.6 for RS256.
func half(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return encode(sum[:16])
}

func (s *strategy) AuthorizeCodeSignature(_ context.Context, code string) string { return code }

// GenerateAuthorizeCode writes Keycloak's form: <uuid>.<session>.<client>.
// The last part is a stable UUID of the client id.
func (s *strategy) GenerateAuthorizeCode(_ context.Context, r fosite.Requester) (string, string, error) {
	x := r.GetSession().(*Session)
	sum := sha256.Sum256([]byte(r.GetClient().GetID()))
	code := uuid() + "." + x.SID + "." + formatUUID(sum[:16])
	return code, code, nil
}

func (s *strategy) ValidateAuthorizeCode(_ context.Context, r fosite.Requester, code string) error {
	return nil // its end is judged in Provider.Token, where the stored session is at hand
}

// SignJWT signs our claims as they are, in the order they stand: a UserInfo
// response, an authorization response, a logout token.
func (p *Provider) SignJWT(typ string, claims json.Marshaler) (string, error) {
	return p.keys.sign(typ, claims)
}

// uuid makes a random UUID (version 4).
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return formatUUID(b[:])
}

func formatUUID(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
