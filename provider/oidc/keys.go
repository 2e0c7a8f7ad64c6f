package oidc

import (
	"context"
	"crypto"
	"crypto/cipher"
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
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// KeyState is where a signing key stands in a rotation.
type KeyState string

// The states. A drill goes publish → use → retire, each step when the clients
// have had time to fetch the key set again.
const (
	KeyPublished KeyState = "published" // in the key set, signs nothing yet
	KeyActive    KeyState = "active"    // signs; there is exactly one
	KeyPassive   KeyState = "passive"   // signed before; what it signed is still good
)

// KeyInfo describes a signing key without its secret.
type KeyInfo struct {
	KID       string    `json:"kid"`
	State     KeyState  `json:"state"`
	CreatedAt time.Time `json:"created_at"`
}

// keys sign the tokens: RS256 for access and id tokens, HS512 for refresh
// tokens, whose key is not published.
type keys struct {
	mu      sync.RWMutex
	signing []signingKey // the active one first, then as they were made

	minted minted

	refresh     []byte
	refreshKID  string
	refreshHead string // JWS header, encoded, in Keycloak's order
	jti         cipher.Block
}

type signingKey struct {
	publicKey
	KeyInfo
}

type publicKey struct {
	kid  string
	key  *rsa.PrivateKey
	cert []byte // self-signed, for x5c
}

type keyRecord struct {
	KID       string    `json:"kid"`
	Key       []byte    `json:"key"`
	Cert      []byte    `json:"cert,omitempty"`
	State     KeyState  `json:"state,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

var (
	keyRecords  = store.Collection[keyRecord]("keys")         // encryption, refresh
	signingKeys = store.Collection[keyRecord]("signing-keys") // by kid
)

func loadKeys(ctx context.Context, s store.Store, now time.Time) (*keys, error) {
	k := &keys{}
	if err := k.loadSigning(ctx, s, now); err != nil {
		return nil, err
	}
	rec, err := loadKey(ctx, s, "refresh", func() (keyRecord, error) {
		secret := make([]byte, 64)
		_, err := rand.Read(secret)
		return keyRecord{KID: uuid(), Key: secret}, err
	})
	k.refresh, k.refreshKID = rec.Key, rec.KID
	k.refreshHead = header("HS512", "JWT", k.refreshKID)
	if err == nil {
		k.jti, err = jtiCipher(k.refresh)
	}
	return k, err
}

func header(alg, typ, kid string) string {
	return encode([]byte(`{"alg":"` + alg + `","typ" : "` + typ + `","kid" : "` + kid + `"}`))
}

func (k *keys) loadSigning(ctx context.Context, s store.Store, now time.Time) error {
	all, err := signingKeys.Page(ctx, s, "", maxSigning)
	if err == nil && len(all) == 0 {
		all, err = firstSigning(ctx, s, now)
	}
	if err != nil {
		return err
	}
	return k.set(all)
}

// maxSigning is how many signing keys there may be.
const maxSigning = 100

// firstSigning makes the first signing key, unless another process was faster.
// Data folders from before the rotation hold the one key elsewhere.
func firstSigning(ctx context.Context, s store.Store, now time.Time) (all []keyRecord, err error) {
	first, err := loadKey(ctx, s, "signing", func() (keyRecord, error) { return newRSA(now) })
	if err != nil {
		return nil, err
	}
	first.State = KeyActive
	err = s.Update(ctx, func(tx store.Tx) error {
		if all, err = signingKeys.List(tx, "", maxSigning); err != nil || len(all) > 0 {
			return err
		}
		all = []keyRecord{first}
		return signingKeys.Put(tx, first.KID, first, store.Forever)
	})
	return all, err
}

// set takes the records over, the active one first.
func (k *keys) set(all []keyRecord) error {
	var out []signingKey
	for _, rec := range all {
		key, err := x509.ParsePKCS1PrivateKey(rec.Key)
		if err != nil {
			return err
		}
		out = append(out, signingKey{publicKey{rec.KID, key, rec.Cert}, KeyInfo{rec.KID, rec.State, rec.CreatedAt}})
	}
	slices.SortFunc(out, func(a, b signingKey) int {
		if (a.State == KeyActive) != (b.State == KeyActive) {
			if a.State == KeyActive {
				return -1
			}
			return 1
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signing = out
	return nil
}

func (k *keys) all() []signingKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.signing
}

// Reload reads the keys from the store again.
func (p *Provider) Reload(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	fresh, err := loadKeys(ctx, p.storage.store, p.config.Clock.Now())
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.enc = nil
	p.mu.Unlock()
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.signing, p.keys.refresh, p.keys.refreshKID, p.keys.refreshHead, p.keys.jti = fresh.signing, fresh.refresh, fresh.refreshKID, fresh.refreshHead, fresh.jti
	return nil
}

// Keys lists the signing keys, the active one first.
func (p *Provider) Keys() []KeyInfo {
	out := []KeyInfo{}
	for _, k := range p.keys.all() {
		out = append(out, k.KeyInfo)
	}
	return out
}

// PublishKey makes a signing key and adds it to the key set, unused so far.
func (p *Provider) PublishKey(ctx context.Context) (*KeyInfo, error) {
	now := p.config.Clock.Now()
	rec, err := newRSA(now)
	if err != nil {
		return nil, err
	}
	rec.State, rec.CreatedAt = KeyPublished, now
	return &KeyInfo{rec.KID, rec.State, rec.CreatedAt}, p.changeKeys(ctx, func(tx store.Tx, all []keyRecord) error {
		if len(all) >= maxSigning {
			return problem.KeysFull.With("count", len(all)).With("most", maxSigning)
		}
		return signingKeys.Put(tx, rec.KID, rec, store.Forever)
	})
}

// UseKey makes a published key the signing one; the former stays in the set.
func (p *Provider) UseKey(ctx context.Context, kid string) error {
	return p.changeKeys(ctx, func(tx store.Tx, all []keyRecord) error {
		if err := known(all, kid); err != nil {
			return err
		}
		for _, rec := range all {
			switch {
			case rec.KID == kid:
				rec.State = KeyActive
			case rec.State == KeyActive:
				rec.State = KeyPassive
			}
			if err := signingKeys.Put(tx, rec.KID, rec, store.Forever); err != nil {
				return err
			}
		}
		return nil
	})
}

// RetireKey takes a key out of the set: what it signed verifies no more.
func (p *Provider) RetireKey(ctx context.Context, kid string) error {
	return p.changeKeys(ctx, func(tx store.Tx, all []keyRecord) error {
		if err := known(all, kid); err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(r keyRecord) bool { return r.KID == kid }); all[i].State == KeyActive {
			return problem.KeyActive.Got(kid)
		}
		return signingKeys.Delete(tx, kid)
	})
}

func known(all []keyRecord, kid string) error {
	if !slices.ContainsFunc(all, func(r keyRecord) bool { return r.KID == kid }) {
		return problem.KeyUnknown.Got(kid)
	}
	return nil
}

func (p *Provider) changeKeys(ctx context.Context, fn func(store.Tx, []keyRecord) error) error {
	p.changing.Lock() // so that what is held follows the commits in their order
	defer p.changing.Unlock()
	var after []keyRecord
	err := p.storage.store.Update(ctx, func(tx store.Tx) error {
		all, err := signingKeys.List(tx, "", maxSigning)
		if err == nil {
			err = fn(tx, all)
		}
		if err == nil {
			after, err = signingKeys.List(tx, "", maxSigning)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.keys.set(after)
}

// loadKey loads a key, or makes it; when two make it at once, the one that was
// kept first is the key.
func loadKey(ctx context.Context, s store.Store, id string, make func() (keyRecord, error)) (keyRecord, error) {
	rec, err := keyRecords.Load(ctx, s, id)
	if !errors.Is(err, store.ErrNotFound) {
		return rec, err
	}
	made, err := make()
	if err != nil {
		return made, err
	}
	err = s.Update(ctx, func(tx store.Tx) error {
		if rec, err = keyRecords.Get(tx, id); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		rec = made
		return keyRecords.Put(tx, id, made, store.Forever)
	})
	return rec, err
}

func newRSA(now time.Time) (keyRecord, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keyRecord{}, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixMilli()),
		Subject:      pkix.Name{CommonName: "esante-wallet"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(20, 0, 0),
	}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return keyRecord{}, err
	}
	thumb := sha256.Sum256(cert)
	return keyRecord{KID: encode(thumb[:]), Key: x509.MarshalPKCS1PrivateKey(key), Cert: cert, CreatedAt: now}, nil
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
	return jwk{
		KID:     k.kid,
		KTY:     "RSA",
		Alg:     alg,
		Use:     use,
		X5C:     []string{base64.StdEncoding.EncodeToString(k.cert)},
		X5T:     encode(t1[:]),
		X5TS256: encode(t256[:]),
		N:       encode(k.key.N.Bytes()),
		E:       encode(big.NewInt(int64(k.key.E)).Bytes()),
	}
}

// JWKS is the published key set.
func (p *Provider) JWKS(ctx context.Context) (any, error) {
	enc, err := p.encryptionKey(ctx)
	if err != nil {
		return nil, err
	}
	set := struct {
		Keys []jwk `json:"keys"`
	}{}
	for _, k := range p.keys.all() {
		set.Keys = append(set.Keys, k.jwk("RS256", "sig"))
	}
	set.Keys = append(set.Keys, enc.jwk("RSA-OAEP", "enc"))
	return set, nil
}

// encryptionKey is published, as Keycloak does, and otherwise unused: it is
// made when first asked for, which keeps it off the start.
func (p *Provider) encryptionKey(ctx context.Context) (publicKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.enc == nil {
		rec, err := loadKey(
			ctx,
			p.storage.store,
			"encryption",
			func() (keyRecord, error) { return newRSA(p.config.Clock.Now()) },
		)
		if err != nil {
			return publicKey{}, err
		}
		key, err := x509.ParsePKCS1PrivateKey(rec.Key)
		if err != nil {
			return publicKey{}, err
		}
		p.enc = &publicKey{rec.KID, key, rec.Cert}
	}
	return *p.enc, nil
}

// sign makes a JWS of the active key; typ is the header's, "JWT" for tokens.
func (k *keys) sign(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	active := k.all()[0]
	input := header("RS256", typ, active.kid) + "." + encode(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, active.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	token := input + "." + encode(sig)
	k.minted.add(token, active.kid)
	return token, nil
}

func (k *keys) mac(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	k.mu.RLock()
	head, secret := k.refreshHead, k.refresh
	k.mu.RUnlock()
	input := head + "." + encode(payload)
	h := hmac.New(sha512.New, secret)
	h.Write([]byte(input))
	return input + "." + encode(h.Sum(nil)), nil
}

const maxToken = 1 << 14

// verify checks a token's signature with the algorithm its type demands —
// never the one its header asks for, nor a key its header brings — and returns
// its payload.
func (k *keys) verify(token, typ string) (c claims, payload []byte, err error) {
	if len(token) > maxToken {
		return c, nil, errors.New("token longer than 16 KiB")
	}
	if payload, err = k.signed(token, typ); err != nil {
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

// signed returns the payload of a token whose signature is good.
func (k *keys) signed(token, typ string) ([]byte, error) {
	alg := jose.HS512
	if typ != typRefresh {
		alg = jose.RS256
		if payload, kid, ok := k.minted.payload(token); ok {
			_, err := k.find(kid, typ) // the key may have been retired since
			return payload, err
		}
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return nil, err
	}
	key, err := k.find(jws.Signatures[0].Header.KeyID, typ)
	if err != nil {
		return nil, err
	}
	return jws.Verify(key)
}

func (k *keys) find(kid, typ string) (any, error) {
	if typ == typRefresh {
		k.mu.RLock()
		defer k.mu.RUnlock()
		if kid == k.refreshKID {
			return k.refresh, nil
		}
		return nil, fmt.Errorf("key id %q is not ours", kid)
	}
	for _, s := range k.all() {
		if s.kid == kid {
			return s.key.Public(), nil
		}
	}
	return nil, fmt.Errorf("key id %q is not ours", kid)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
