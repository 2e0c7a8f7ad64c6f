package oidc

import (
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
)

type publicKey struct {
	kid  string
	key  *rsa.PrivateKey
	cert []byte // self-signed, for x5c
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
