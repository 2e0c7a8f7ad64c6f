package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
)

// minted remembers what was signed lately, by hash, with the key id: those
// tokens come back within seconds, and need no second look at their signature.
type minted struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte]string
}

// maxMinted bounds it; the tokens forgotten are verified as any other.
const maxMinted = 2048

func (m *minted) add(token, kid string) {
	id := sha256.Sum256([]byte(token))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= maxMinted {
		m.kept = map[[sha256.Size]byte]string{}
	}
	m.kept[id] = kid
}

// payload is the claims of a token signed here, and the key that signed it.
func (m *minted) payload(token string) (payload []byte, kid string, ok bool) {
	id := sha256.Sum256([]byte(token))
	m.mu.Lock()
	kid, ok = m.kept[id]
	m.mu.Unlock()
	if !ok {
		return nil, "", false
	}
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return payload, kid, err == nil
}
