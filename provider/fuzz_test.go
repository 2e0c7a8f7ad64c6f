package provider

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pscemu/config"
	"pscemu/provider/clients"
)

// FuzzAuthorizeParameters: whatever the query and the body hold, no parameter
// counts twice, and what passes the judges is what a client may ask.
func FuzzAuthorizeParameters(f *testing.F) {
	f.Add("response_type=code&client_id=demo&scope=openid&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F", "")
	f.Add("response_type=code%20id_token&nonce=n&max_age=1&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22values%22%3A%5B%22eidas1%22%5D%7D%7D%7D", "prompt=none")
	f.Add("scope=openid&code_challenge=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&code_challenge_method=S256", "scope=openid")
	f.Add("response_mode=fragment.jwt&response_type=token&%zz=1;a=b", "claims={")
	s := &Server{settings: config.NewLive(&config.Loaded{})}
	client := &clients.Client{ID: "demo", ResponseTypes: clients.ResponseTypes}
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest(http.MethodPost, "/auth", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, err := authorizeForm(r)
		if err != nil {
			return
		}
		for name, values := range form {
			if len(values) > 1 {
				t.Errorf("%s counts %d times", name, len(values))
			}
		}
		if s.judge(&asking{client: client, form: form}) != nil {
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
	for _, u := range []string{"https://app.example/cb", "http://localhost:1/x", "http://localhost.evil.example/", "http://127.0.0.1@evil/", "http://localhost\\@evil/", "http:localhost", "http://LOCALHOST/", "http://localhost:1#x", "http://[::1]/", "http://127.0.0.1:99999999/"} {
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
		if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			t.Errorf("%q passes as loopback", uri)
		}
	})
}
