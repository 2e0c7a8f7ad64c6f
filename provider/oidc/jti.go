package oidc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A grant is kept under the first half of its id, 60 random bits. The jti of
// its tokens is a UUID like any other to whoever lacks our key: its second
// half is random, its first is the grant's, masked by the second, enciphered. So
// a token leads to its grant, and nothing is kept for each token. A jti is only
// looked up after the token's signature was verified.

const halfUUID = len("00000000-0000-4000")

// grantKey is where a grant is kept.
func grantKey(id string) string { return id[:min(halfUUID, len(id))] }

// newJTI is the id of a new token of this grant.
func (k *keys) newJTI(grant string) string {
	random := uuid()[halfUUID:]
	return k.masked(grantKey(grant), random) + random
}

// grantOf is where the grant of a token is kept, "" for what is no jti made here.
func (k *keys) grantOf(jti string) string {
	if len(jti) != 2*halfUUID {
		return ""
	}
	return k.masked(jti[:halfUUID], jti[halfUUID:])
}

// masked hides, or shows, the first half of a UUID: the same step does both. The
// version digit stays.
func (k *keys) masked(half, by string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(half, "-", ""))
	var mask [aes.BlockSize]byte
	n, errBy := hex.Decode(mask[:], []byte(strings.ReplaceAll(by, "-", "")))
	if err != nil || errBy != nil || len(b) != 8 || n != 8 {
		return ""
	}
	k.mu.RLock()
	k.jti.Encrypt(mask[:], mask[:])
	k.mu.RUnlock()
	mask[6] &= 0x0f
	for i := range b {
		b[i] ^= mask[i]
	}
	t := hex.EncodeToString(b)
	return t[:8] + "-" + t[8:12] + "-" + t[12:]
}

// jtiCipher is made of the key of the refresh tokens.
func jtiCipher(secret []byte) (cipher.Block, error) {
	key := sha256.Sum256(append([]byte("jti"), secret...))
	return aes.NewCipher(key[:])
}
