package oidc

import (
	"strings"
	"testing"
)

// FuzzVerify: whatever comes, only what was signed here passes, and only as the
// kind of token it is.
func FuzzVerify(f *testing.F) {
	k := testKeys(f)
	ours := map[string]string{}
	for _, typ := range []string{typAccess, typID} {
		token, err := k.sign("JWT", claims{Typ: typ, JTI: "j", Sub: "s"})
		if err != nil {
			f.Fatal(err)
		}
		ours[token] = typ
	}
	refresh, err := k.mac(claims{Typ: typRefresh, JTI: "r"})
	if err != nil {
		f.Fatal(err)
	}
	ours[refresh] = typRefresh
	for token := range ours {
		f.Add(token)
		f.Add(token[:len(token)-3])
		parts := strings.Split(token, ".")
		f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
		f.Add(parts[0] + ".e30." + parts[2])
	}
	for _, s := range []string{"", ".", "..", "a.b.c", `{"payload":"e30"}`, strings.Repeat("a.", 9000)} {
		f.Add(s)
	}
	fresh := &keys{signing: k.signing, refresh: k.refresh, refreshKID: k.refreshKID} // remembers no token
	f.Fuzz(func(t *testing.T, token string) {
		for _, typ := range []string{typAccess, typRefresh, typID} {
			for _, k := range []*keys{k, fresh} {
				_, _, err := k.verify(token, typ)
				if err == nil && ours[token] != typ {
					t.Errorf("%q passes as %s", token, typ)
				}
				if err != nil && ours[token] == typ {
					t.Errorf("our own %s is refused: %v", typ, err)
				}
			}
		}
	})
}

func FuzzJTI(f *testing.F) {
	k := testKeys(f)
	f.Add(k.newJTI(uuid()))
	f.Add("00000000-0000-4000-8000-000000000000")
	f.Fuzz(func(t *testing.T, jti string) {
		if got := k.grantOf(jti); got != "" && len(got) != halfUUID {
			t.Errorf("%q leads to %q", jti, got)
		}
	})
}
