package oidc

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

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
