package oidc

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"sync"
	"time"

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

// loadKey loads a key, or makes it; when two make it at once, the one that was
// kept first is the key.
func loadKey(ctx context.Context, s store.Store, id string, generate func() (keyRecord, error)) (keyRecord, error) {
	rec, err := keyRecords.Load(ctx, s, id)
	if !errors.Is(err, store.ErrNotFound) {
		return rec, err
	}
	made, err := generate()
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
