package drift

import (
	"encoding/base64"
	"fmt"
	"testing"
)

func jwt(payload string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString(
		[]byte(`{"alg":"RS256","kid":"k"}`),
	) + "." + e.EncodeToString(
		[]byte(payload),
	) + "." + e.EncodeToString(
		[]byte("sig"),
	)
}

func TestCompareFindsEachInjectedDifferenceAndNothingElse(t *testing.T) {
	token := func(payload string) string { return fmt.Sprintf(`{"access_token":%q,"expires_in":120}`, jwt(payload)) }
	for name, c := range map[string]struct {
		document, recorded, ours string
		other                    bool // another person
		want                     []string
	}{
		"equal": {
			"userinfo.json",
			`{"a":"1","b":[{"c":2}]}`,
			`{"a":"1","b":[{"c":2}]}`,
			false,
			nil,
		},
		"a value": {"userinfo.json", `{"a":"1"}`, `{"a":"2"}`, false, []string{"a value"}},
		"a value of another person": {
			"userinfo.json",
			`{"family_name":"A","UITVersion":"1.0"}`,
			`{"family_name":"B","UITVersion":"2.0"}`,
			true,
			[]string{"UITVersion value"},
		},
		"a field missing here": {
			"userinfo.json",
			`{"a":"1","b":"2"}`,
			`{"a":"1"}`,
			false,
			[]string{"b missing here"},
		},
		"a field only here": {
			"userinfo.json",
			`{"a":"1"}`,
			`{"a":"1","b":"2"}`,
			false,
			[]string{"b only here"},
		},
		"the order": {
			"userinfo.json",
			`{"a":"1","b":"2"}`,
			`{"b":"2","a":"1"}`,
			false,
			[]string{" order"},
		},
		"a type": {
			"userinfo.json",
			`{"otherIds":[{"qualite":1}]}`,
			`{"otherIds":[{"qualite":"1"}]}`,
			false,
			[]string{"otherIds[0].qualite type"},
		},
		"null is not empty": {"userinfo.json", `{"a":null}`, `{"a":""}`, false, []string{"a type"}},
		"hosts do not count": {
			"discovery.json",
			`{"issuer":"https://auth.bas.psc.esante.gouv.fr/auth/x"}`,
			`{"issuer":"https://localhost:9443/auth/x"}`,
			false,
			nil,
		},
		"paths do": {
			"discovery.json",
			`{"issuer":"https://a/auth/x"}`,
			`{"issuer":"https://b/auth/y"}`,
			false,
			[]string{"issuer value"},
		},
		"the moment does not count": {
			"token.json",
			token(`{"exp":1,"jti":"a"}`),
			token(`{"exp":2,"jti":"b"}`),
			false,
			nil,
		},
		"a claim inside a token": {
			"token.json",
			token(`{"acr":"eidas1"}`),
			token(`{"acr":"eidas3"}`),
			false,
			[]string{"access_token.payload.acr value"},
		},
		"a nonce that should be empty": {
			"token.json",
			token(`{"nonce":""}`),
			token(`{"nonce":"x"}`),
			false,
			[]string{"access_token.payload.nonce value"},
		},
		"how many keys does not count": {
			"jwks.json",
			`{"keys":[{"kid":"a","use":"sig"}]}`,
			`{"keys":[{"kid":"b","use":"sig"},{"kid":"c","use":"sig"}]}`,
			false,
			nil,
		},
		"the shape of a key": {
			"jwks.json",
			`{"keys":[{"kid":"a","use":"sig","alg":"RS256"}]}`,
			`{"keys":[{"kid":"b","use":"sig"}]}`,
			false,
			[]string{"sig.alg missing here"},
		},
		"one activity more, same person": {
			"userinfo.json",
			`{"activities":[{"a":"1"},{"a":"2"}]}`,
			`{"activities":[{"a":"1"}]}`,
			false,
			[]string{"activities length"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compare(c.document, []byte(c.recorded), []byte(c.ours), !c.other)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%v %+v", err, got)
			}
			for i, d := range got {
				if d.Field+" "+d.Kind != c.want[i] {
					t.Errorf("%s %s, want %s", d.Field, d.Kind, c.want[i])
				}
			}
		})
	}
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	if _, err := Compare("token.json", []byte(`{"a":`), []byte(`{}`), true); err == nil {
		t.Error("accepted")
	}
}

func TestAFilesNameTellsWhatItHolds(t *testing.T) {
	for file, want := range map[string]string{
		"discovery.json":            "discovery.json",
		"openid-configuration.json": "discovery.json",
		"certs.json":                "jwks.json",
		"token-response.json":       "token.json",
		"token-introspection.json":  "introspection.json",
		"UserInfo.json":             "userinfo.json",
		"notes.json":                "",
	} {
		if got := DocumentOf(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}
