package oidc

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/ory/fosite"

	"pscemu/identities"
	"pscemu/store"
)

// keys sign the tokens: RS256 for access and id tokens, HS512 for refresh
// tokens, whose key is not published.
type keys struct {
	signing             publicKey
	refresh             []byte
	refreshKID          string
	header, refreshHead string // JWS headers, encoded, in Keycloak's order
}

type publicKey struct {
	kid  string
	key  *rsa.PrivateKey
	cert []byte // self-signed, for x5c
}

type keyRecord struct {
	KID  string `json:"kid"`
	Key  []byte `json:"key"`
	Cert []byte `json:"cert,omitempty"`
}

var keyRecords = store.Collection[keyRecord]("keys")

func loadKeys(ctx context.Context, s store.Store, now time.Time) (*keys, error) {
	k := &keys{}
	var err error
	if k.signing, err = loadRSA(ctx, s, "signing", now); err != nil {
		return nil, err
	}
	rec, err := loadKey(ctx, s, "refresh", func() (keyRecord, error) {
		secret := make([]byte, 64)
		_, err := rand.Read(secret)
		return keyRecord{KID: uuid(), Key: secret}, err
	})
	if err != nil {
		return nil, err
	}
	k.refresh, k.refreshKID = rec.Key, rec.KID
	k.header = encode([]byte(`{"alg":"RS256","typ" : "JWT","kid" : "` + k.signing.kid + `"}`))
	k.refreshHead = encode([]byte(`{"alg":"HS512","typ" : "JWT","kid" : "` + k.refreshKID + `"}`))
	return k, nil
}

func loadKey(ctx context.Context, s store.Store, id string, make func() (keyRecord, error)) (keyRecord, error) {
	rec, err := keyRecords.Load(ctx, s, id)
	if !errors.Is(err, store.ErrNotFound) {
		return rec, err
	}
	if rec, err = make(); err != nil {
		return rec, err
	}
	return rec, keyRecords.Save(ctx, s, id, rec, store.Forever)
}

func loadRSA(ctx context.Context, s store.Store, id string, now time.Time) (publicKey, error) {
	rec, err := loadKey(ctx, s, id, func() (keyRecord, error) { return newRSA(now) })
	if err != nil {
		return publicKey{}, err
	}
	key, err := x509.ParsePKCS1PrivateKey(rec.Key)
	return publicKey{kid: rec.KID, key: key, cert: rec.Cert}, err
}

func newRSA(now time.Time) (keyRecord, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keyRecord{}, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(now.UnixMilli()), Subject: pkix.Name{CommonName: "esante-wallet"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(20, 0, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return keyRecord{}, err
	}
	thumb := sha256.Sum256(cert)
	return keyRecord{KID: encode(thumb[:]), Key: x509.MarshalPKCS1PrivateKey(key), Cert: cert}, nil
}

// jwk is one entry of the key set, in Keycloak's order.
type jwk struct {
	KID     string   `json:"kid"`
	KTY     string   `json:"kty"`
	Alg     string   `json:"alg"`
	Use     string   `json:"use"`
	X5C     []string `json:"x5c"`
	X5T     string   `json:"x5t"`
	X5TS256 string   `json:"x5t#S256"`
	N       string   `json:"n"`
	E       string   `json:"e"`
}

func (k publicKey) jwk(alg, use string) jwk {
	t1, t256 := sha1.Sum(k.cert), sha256.Sum256(k.cert)
	return jwk{KID: k.kid, KTY: "RSA", Alg: alg, Use: use, X5C: []string{base64.StdEncoding.EncodeToString(k.cert)}, X5T: encode(t1[:]), X5TS256: encode(t256[:]),
		N: encode(k.key.N.Bytes()), E: encode(big.NewInt(int64(k.key.E)).Bytes())}
}

// JWKS is the published key set.
func (p *Provider) JWKS(ctx context.Context) (any, error) {
	enc, err := p.encryptionKey(ctx)
	if err != nil {
		return nil, err
	}
	return struct {
		Keys []jwk `json:"keys"`
	}{[]jwk{p.keys.signing.jwk("RS256", "sig"), enc.jwk("RSA-OAEP", "enc")}}, nil
}

func (k *keys) sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := k.header + "." + encode(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, k.signing.key, crypto.SHA256, sum[:])
	return input + "." + encode(sig), err
}

func (k *keys) mac(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := k.refreshHead + "." + encode(payload)
	h := hmac.New(sha512.New, k.refresh)
	h.Write([]byte(input))
	return input + "." + encode(h.Sum(nil)), nil
}

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

// verify checks a token's signature with the algorithm its type demands —
// never the one its header asks for — and returns its payload.
func (k *keys) verify(token, typ string) (c claims, payload []byte, err error) {
	alg, key, kid := jose.RS256, any(k.signing.key.Public()), k.signing.kid
	if typ == "Refresh" {
		alg, key, kid = jose.HS512, k.refresh, k.refreshKID
	}
	if len(token) > 1<<14 {
		return c, nil, errors.New("token longer than 16 KiB")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return c, nil, err
	}
	if got := jws.Signatures[0].Header.KeyID; got != kid {
		return c, nil, fmt.Errorf("key id %q is not ours", got)
	}
	if payload, err = jws.Verify(key); err != nil {
		return c, nil, err
	}
	if err = json.Unmarshal(payload, &c); err != nil {
		return c, nil, err
	}
	if c.Typ != typ {
		return c, nil, fmt.Errorf("token of type %q where %q is expected", c.Typ, typ)
	}
	return c, payload, nil
}

// accessToken, refreshToken and idToken hold PSC's claims in PSC's order.
type accessToken struct {
	Exp               int64                `json:"exp"`
	Iat               int64                `json:"iat"`
	AuthTime          int64                `json:"auth_time"`
	JTI               string               `json:"jti"`
	Iss               string               `json:"iss"`
	Sub               string               `json:"sub"`
	Typ               string               `json:"typ"`
	Azp               string               `json:"azp"`
	Nonce             string               `json:"nonce"`
	SessionState      string               `json:"session_state"`
	ACR               string               `json:"acr"`
	Scope             string               `json:"scope"`
	SID               string               `json:"sid"`
	AuthMode          string               `json:"authMode"`
	OtherIDs          []identities.OtherID `json:"otherIds"`
	PreferredUsername string               `json:"preferred_username"`
}

type refreshToken struct {
	Exp          int64  `json:"exp"`
	Iat          int64  `json:"iat"`
	JTI          string `json:"jti"`
	Iss          string `json:"iss"`
	Aud          string `json:"aud"`
	Sub          string `json:"sub"`
	Typ          string `json:"typ"`
	Azp          string `json:"azp"`
	Nonce        string `json:"nonce"`
	SessionState string `json:"session_state"`
	Scope        string `json:"scope"`
	SID          string `json:"sid"`
}

type idToken struct {
	Exp               int64  `json:"exp"`
	Iat               int64  `json:"iat"`
	AuthTime          int64  `json:"auth_time"`
	JTI               string `json:"jti"`
	Iss               string `json:"iss"`
	Aud               string `json:"aud"`
	Sub               string `json:"sub"`
	Typ               string `json:"typ"`
	Azp               string `json:"azp"`
	Nonce             string `json:"nonce"`
	SessionState      string `json:"session_state"`
	AtHash            string `json:"at_hash"`
	ACR               string `json:"acr"`
	SID               string `json:"sid"`
	AuthMode          string `json:"authMode"`
	PreferredUsername string `json:"preferred_username"`
	Name              string `json:"name"`
	GivenName         string `json:"given_name"`
	FamilyName        string `json:"family_name"`
	SubjectNameID     string `json:"SubjectNameID"`
}

// strategy implements fosite's token strategies. A token's signature, in
// fosite's sense, is its jti; a code's is the code itself.
type strategy struct {
	config *Config
	keys   *keys
}

func (s *strategy) AccessTokenSignature(_ context.Context, token string) string {
	c, _, err := s.keys.verify(token, "Bearer")
	return jtiOr(c, err)
}

func (s *strategy) RefreshTokenSignature(_ context.Context, token string) string {
	c, _, err := s.keys.verify(token, "Refresh")
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
	x, now := r.GetSession().(*Session), s.config.Clock.Now()
	t := accessToken{Exp: now.Add(s.config.AccessTokenLifetime).Unix(), Iat: now.Unix(), AuthTime: x.AuthTime.Unix(), JTI: uuid(), Iss: s.config.Issuer,
		Sub: x.GetSubject(), Typ: "Bearer", Azp: r.GetClient().GetID(), Nonce: x.Nonce, SessionState: x.SID, ACR: x.ACR, Scope: x.Scope, SID: x.SID,
		AuthMode: x.AuthMode, OtherIDs: x.OtherIDs, PreferredUsername: x.NationalID}
	token, err := s.keys.sign(t)
	return token, t.JTI, err
}

func (s *strategy) ValidateAccessToken(_ context.Context, _ fosite.Requester, token string) error {
	return s.inTime(s.keys.verify(token, "Bearer"))
}

func (s *strategy) GenerateRefreshToken(_ context.Context, r fosite.Requester) (string, string, error) {
	x, now := r.GetSession().(*Session), s.config.Clock.Now()
	t := refreshToken{Exp: now.Add(s.config.RefreshTokenLifetime).Unix(), Iat: now.Unix(), JTI: uuid(), Iss: s.config.Issuer, Aud: s.config.Issuer,
		Sub: x.GetSubject(), Typ: "Refresh", Azp: r.GetClient().GetID(), Nonce: x.Nonce, SessionState: x.SID, Scope: x.Scope, SID: x.SID}
	token, err := s.keys.mac(t)
	return token, t.JTI, err
}

func (s *strategy) ValidateRefreshToken(_ context.Context, _ fosite.Requester, token string) error {
	return s.inTime(s.keys.verify(token, "Refresh"))
}

func (s *strategy) inTime(c claims, _ []byte, err error) error {
	if err != nil {
		return err
	}
	if c.Iss != s.config.Issuer {
		return fmt.Errorf("token of issuer %q", c.Iss)
	}
	if s.config.Clock.Now().Unix() >= c.Exp {
		return fosite.ErrTokenExpired
	}
	return nil
}

func (s *strategy) idToken(r fosite.Requester, access string) (string, error) {
	x, now := r.GetSession().(*Session), s.config.Clock.Now()
	half := sha256.Sum256([]byte(access))
	return s.keys.sign(idToken{Exp: now.Add(s.config.AccessTokenLifetime).Unix(), Iat: now.Unix(), AuthTime: x.AuthTime.Unix(), JTI: uuid(), Iss: s.config.Issuer,
		Aud: r.GetClient().GetID(), Sub: x.GetSubject(), Typ: "ID", Azp: r.GetClient().GetID(), Nonce: x.Nonce, SessionState: x.SID, AtHash: encode(half[:16]),
		ACR: x.ACR, SID: x.SID, AuthMode: x.AuthMode, PreferredUsername: x.NationalID, Name: x.GivenName + " " + x.FamilyName, GivenName: x.GivenName,
		FamilyName: x.FamilyName, SubjectNameID: x.NationalID})
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

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

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
