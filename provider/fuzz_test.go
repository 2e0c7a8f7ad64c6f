package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/provider/clients"
)

// FuzzAuthorizeParameters: whatever the query and the body hold, no parameter
// counts twice, and what passes the judges is what a client may ask.
func FuzzAuthorizeParameters(f *testing.F) {
	f.Add("response_type=code&client_id=demo&scope=openid&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F", "")
	f.Add(
		"response_type=code%20id_token&nonce=n&max_age=1"+
			"&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22values%22%3A%5B%22eidas1%22%5D%7D%7D%7D",
		"prompt=none",
	)
	f.Add(
		"scope=openid&code_challenge=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&code_challenge_method=S256",
		"scope=openid",
	)
	f.Add("response_mode=fragment.jwt&response_type=token&%zz=1;a=b", "claims={")
	policy := config.NewLive(&config.Loaded{}).Policies(nil, nil)
	client := &clients.Client{ID: "demo", ResponseTypes: clients.ResponseTypes}
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest(http.MethodPost, "/auth", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, err := readForm(r)
		if err != nil {
			return
		}
		for name, values := range form {
			if len(values) > 1 {
				t.Errorf("%s counts %d times", name, len(values))
			}
		}
		if judged(client, form, policy) != nil {
			return
		}
		if asked := responseType(form); !slices.Contains(clients.ResponseTypes, asked) {
			t.Errorf("response_type %q passes", asked)
		}
		if _, _, err := claimsParameter(form); err != nil {
			t.Errorf("claims %q pass", form.Get("claims"))
		}
	})
}

// FuzzRedirectURI: a redirect URI is accepted only where it is registered byte
// by byte, or really is of this machine.
func FuzzRedirectURI(f *testing.F) {
	exact := &clients.Client{RedirectURIs: []string{"https://app.example/cb"}}
	loopback := &clients.Client{RedirectURIPolicy: clients.Loopback}
	for _, u := range []string{
		"https://app.example/cb", "http://localhost:1/x", "http://localhost.evil.example/", "http://127.0.0.1@evil/",
		"http://localhost\\@evil/", "http:localhost", "http://LOCALHOST/", "http://localhost:1#x", "http://[::1]/",
		"http://127.0.0.1:99999999/",
	} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if exact.AllowsRedirect(uri) && uri != exact.RedirectURIs[0] {
			t.Errorf("%q passes", uri)
		}
		if !loopback.AllowsRedirect(uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" ||
			u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			t.Errorf("%q passes as loopback", uri)
		}
	})
}

// FuzzRequestObject: what a client signs may hold anything; what is taken of it
// is text, of this client, and never what the object says about itself.
func FuzzRequestObject(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		f.Fatal(err)
	}
	client := &clients.Client{
		ID:   "exact",
		JWKS: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}},
	}
	o := objects{&clock.Adjustable{}}
	for _, c := range []string{
		`{"client_id":"exact","scope":"openid","max_age":60,"claims":{"id_token":{"acr":null}}}`,
		`{"client_id":"demo"}`, `{"aud":["https://i"],"exp":4e9,"nbf":1e400}`,
		`{"a":1,"a":2}`, `[]`, `null`, `{"request":"x"}`, "{",
	} {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		jws, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		object, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		form, err := o.read(client, object, "https://i")
		if err != nil {
			return
		}
		for _, name := range []string{"iss", "aud", "exp", "nbf", "iat", "jti"} {
			if form.Has(name) {
				t.Errorf("%s is taken for a parameter of %s", name, payload)
			}
		}
		if id := form.Get("client_id"); id != "" && id != client.ID || form.Has("request") || form.Has("request_uri") {
			t.Errorf("%v is taken of %s", form, payload)
		}
	})
}
