package oidc

import (
	"strings"
	"testing"
)

// testKeys are the keys of an emulator.
func testKeys(t testing.TB) *keys {
	t.Helper()
	rec, err := newRSA(now)
	if err != nil {
		t.Fatal(err)
	}
	rec.State = KeyActive
	k := &keys{refresh: []byte(strings.Repeat("k", 64)), refreshKID: "refresh"}
	k.refreshHead = header("HS512", "JWT", k.refreshKID)
	if k.jti, err = jtiCipher(k.refresh); err != nil {
		t.Fatal(err)
	}
	if err := k.set([]keyRecord{rec}); err != nil {
		t.Fatal(err)
	}
	return k
}

func aToken(k *keys) token {
	return token{
		Typ: typAccess,
		JTI: k.newJTI(uuid()),
		Iss: "https://localhost:9443/auth/realms/esante-wallet",
		Sub: "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:899790011177",
		SID: uuid(),
	}
}

// BenchmarkSign is an access token; two of these are most of a login.
func BenchmarkSign(b *testing.B) {
	k := testKeys(b)
	for b.Loop() {
		if _, err := k.sign("JWT", aToken(k)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefreshToken(b *testing.B) {
	k := testKeys(b)
	for b.Loop() {
		if _, err := k.mac(aToken(k)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is UserInfo's look at a token: signed a moment ago, or longer.
func BenchmarkVerify(b *testing.B) {
	k := testKeys(b)
	signed, err := k.sign("JWT", aToken(k))
	if err != nil {
		b.Fatal(err)
	}
	for name, k := range map[string]*keys{"remembered": k, "not-remembered": {signing: k.signing}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := k.verify(signed, typAccess); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJTI(b *testing.B) {
	k, grant := testKeys(b), uuid()
	for b.Loop() {
		if k.grantOf(k.newJTI(grant)) == "" {
			b.Fatal("no grant")
		}
	}
}
