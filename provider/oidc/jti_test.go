package oidc

import (
	"regexp"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestAJTILeadsToItsGrantAndTellsNobodyElse(t *testing.T) {
	block, err := jtiCipher([]byte("secret of this emulator"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := jtiCipher([]byte("secret of another"))
	if err != nil {
		t.Fatal(err)
	}
	k, foreign := &keys{jti: block}, &keys{jti: other}
	v4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	grant, seen := uuid(), map[string]bool{}
	for range 100 {
		jti := k.newJTI(grant)
		if !v4.MatchString(jti) || seen[jti[:halfUUID]] {
			t.Fatalf("%s is no version 4 UUID, or its first half came before", jti)
		}
		seen[jti[:halfUUID]] = true
		if got := k.grantOf(jti); got != grantKey(grant) {
			t.Fatalf("%s leads to %s, not to %s", jti, got, grantKey(grant))
		}
		if foreign.grantOf(jti) == grantKey(grant) {
			t.Fatal("another emulator finds the grant")
		}
	}
	for _, bad := range []string{
		"", "invalid", "00000000-0000-4000-8000-00000000000", "zzzzzzzz-0000-4000-8000-000000000000",
		"00000000-0000-4000-zzzz-000000000000",
	} {
		if got := k.grantOf(bad); got != "" {
			t.Errorf("%q leads to %q", bad, got)
		}
	}
}

func TestATokenJustSignedIsGoodUntilItsKeyIsRetired(t *testing.T) {
	rec, err := newRSA(now)
	if err != nil {
		t.Fatal(err)
	}
	next, err := newRSA(now)
	if err != nil {
		t.Fatal(err)
	}
	k := &keys{}
	rec.State, next.State = KeyActive, KeyPublished
	if err := k.set([]keyRecord{rec, next}); err != nil {
		t.Fatal(err)
	}
	token, err := k.sign("JWT", claims{Typ: typAccess, JTI: "x"})
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *keys { return &keys{signing: k.signing} } // remembers nothing
	for name, k := range map[string]*keys{"remembered": k, "not remembered": fresh()} {
		if c, _, err := k.verify(token, typAccess); err != nil || c.JTI != "x" {
			t.Errorf("%s: %+v %v", name, c, err)
		}
		if _, _, err := k.verify(token, typID); err == nil {
			t.Errorf("%s: an access token passes for an id token", name)
		}
		if _, _, err := k.verify(token[:len(token)-4]+"AAAA", typAccess); err == nil {
			t.Errorf("%s: another signature passes", name)
		}
	}
	next.State = KeyActive
	if err := k.set([]keyRecord{next}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.verify(token, typAccess); err == nil {
		t.Error("a token of a retired key is good")
	}
}
