package provider_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAnIndependentClientLogsInRefreshesAndLogsOut(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	tok := rp.Tokens(testkit.Doctor, "n-1")
	raw, _ := tok.Extra("id_token").(string)
	id, err := rp.Provider.Verifier(&oidc.Config{ClientID: "demo", Now: testkit.Now}).Verify(rp.Context, raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "n-1" || id.Subject != "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:"+testkit.Doctor {
		t.Fatalf("id token: nonce %q, sub %q", id.Nonce, id.Subject)
	}
	if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
		t.Fatal(err)
	}
	plain := testkit.NewRelyingParty(s, nil) // UserInfo works without a certificate
	info, err := plain.Provider.UserInfo(plain.Context, oauth2.StaticTokenSource(tok))
	if err != nil || info.Subject != id.Subject {
		t.Fatalf("UserInfo: %v %v", info, err)
	}
	fresh, err := rp.OAuth.TokenSource(rp.Context, &oauth2.Token{RefreshToken: tok.RefreshToken}).Token()
	if err != nil || fresh.RefreshToken == tok.RefreshToken {
		t.Fatalf("refresh: %v", err)
	}
	if a := s.Introspect(
		fresh.AccessToken,
	); a["active"] != true || a["username"] != testkit.Doctor ||
		a["scope"] != "openid scope_all" {
		t.Fatalf("introspection: %v", a)
	}
	resp, err := s.HTTP(nil).
		Get(s.Issuer + "/protocol/openid-connect/logout?" + url.Values{
			"id_token_hint": {raw}, "post_logout_redirect_uri": {"http://localhost:8080/"}, "state": {"bye"},
		}.Encode())
	if err != nil || resp.Header.Get("Location") != "http://localhost:8080/?state=bye" {
		t.Fatalf("logout: %v %v", resp, err)
	}
	if a := s.Introspect(fresh.AccessToken); len(a) != 1 || a["active"] != false {
		t.Fatalf("after logout: %v", a)
	}
	if _, err := rp.OAuth.TokenSource(rp.Context, &oauth2.Token{RefreshToken: fresh.RefreshToken}).
		Token(); err == nil ||
		!strings.Contains(err.Error(), "Session not active") {
		t.Fatalf("refresh after logout: %v", err)
	}
}

func TestTokensAndUserInfoHoldTheClaimsOfTheReference(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	for _, who := range []struct{ id, golden, hint string }{
		{testkit.Nurse, "nurse.json", ""}, {testkit.Staff, "staff.json", ";means=card"},
	} {
		t.Run(who.golden, func(t *testing.T) {
			tok := rp.Tokens(who.id+who.hint, "")
			req, _ := http.NewRequest(http.MethodPost, s.Issuer+"/protocol/openid-connect//userinfo", nil)
			req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
			resp, err := s.HTTP(nil).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, _ := io.ReadAll(resp.Body)
			want, err := os.ReadFile(filepath.Join("testdata", who.golden))
			if err != nil {
				t.Fatal(err)
			}
			if compact(t, got) != compact(t, want) {
				t.Errorf("UserInfo (key order counts)\n got %s\nwant %s", compact(t, got), compact(t, want))
			}
			idToken, _ := tok.Extra("id_token").(string)
			refresh := tok.RefreshToken
			for name, c := range map[string]struct{ token, header, keys string }{
				"access": {
					tok.AccessToken, `{"alg":"RS256","typ" : "JWT","kid" : "`,
					"exp iat auth_time jti iss sub typ azp nonce session_state acr scope sid authMode otherIds preferred_username",
				},
				"refresh": {
					refresh, `{"alg":"HS512","typ" : "JWT","kid" : "`,
					"exp iat jti iss aud sub typ azp nonce session_state scope sid",
				},
				"id": {
					idToken, `{"alg":"RS256","typ" : "JWT","kid" : "`,
					"exp iat auth_time jti iss aud sub typ azp nonce session_state at_hash acr " +
						"sid authMode preferred_username name given_name family_name SubjectNameID",
				},
			} {
				header, payload := testkit.JWTParts(t, c.token)
				if !strings.HasPrefix(header, c.header) {
					t.Errorf("%s token's header is %s", name, header)
				}
				if got := strings.Join(keysInOrder(t, payload), " "); got != c.keys {
					t.Errorf("%s token's claims\n got %s\nwant %s", name, got, c.keys)
				}
				if !strings.Contains(payload, `"nonce":""`) {
					t.Errorf("%s token has no empty nonce: %s", name, payload)
				}
			}
		})
	}
}

func TestTheTokenResponseHasKeycloaksOrder(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	q := rp.Login(testkit.Nurse)
	resp, err := s.HTTP(s.DemoCertificate()).
		PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
			"grant_type": {"authorization_code"}, "client_id": {"demo"}, "code": {q.Get("code")},
			"redirect_uri": {testkit.CallbackURL}, "scope": {"ignored"},
		})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	want := "access_token expires_in refresh_expires_in refresh_token token_type id_token " +
		"not-before-policy session_state scope"
	if got := strings.Join(keysInOrder(t, string(body)), " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for name, value := range map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer",
	} {
		if resp.Header.Get(name) != value {
			t.Errorf("%s: %q", name, resp.Header.Get(name))
		}
	}
}

func TestTheCallbackHasKeycloaksOrderAndTheStateUnchanged(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	u := rp.OAuth.AuthCodeURL("a|b.c é+", oauth2.SetAuthURLParam("login_hint", "auto:"+testkit.Nurse))
	for _, path := range []string{"/auth?", "/auth/?", "/auth/realms/esante-wallet/protocol/openid-connect/auth?"} {
		_, query, _ := strings.Cut(u, "?")
		resp, err := s.HTTP(nil).Get(s.BaseURL + path + query)
		if err != nil {
			t.Fatal(err)
		}
		location := resp.Header.Get("Location")
		var names []string
		_, params, _ := strings.Cut(location, "?")
		for _, p := range strings.Split(params, "&") {
			name, _, _ := strings.Cut(p, "=")
			names = append(names, name)
		}
		back, _ := url.Parse(location)
		if strings.Join(names, " ") != "state session_state iss code" || back.Query().Get("state") != "a|b.c é+" ||
			back.Query().Get("iss") != s.Issuer {
			t.Errorf("%s: %s", path, location)
		}
		if code := back.Query().
			Get("code"); len(strings.Split(code, ".")) != 3 ||
			strings.Split(code, ".")[1] != back.Query().Get("session_state") {
			t.Errorf("code %s", code)
		}
	}
}

func TestAttack1ACodeServesOnceAlsoInParallelAndAReplayRevokesItsTokens(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	code := rp.Login(testkit.Nurse).Get("code")
	form := url.Values{
		"grant_type":   {"authorization_code"},
		"client_id":    {"demo"},
		"code":         {code},
		"redirect_uri": {testkit.CallbackURL},
	}
	answers := make(chan map[string]any, 8)
	var wg sync.WaitGroup
	for range cap(answers) {
		wg.Go(func() { _, a := s.Post("token", form); answers <- a })
	}
	wg.Wait()
	close(answers)
	var good map[string]any
	for a := range answers {
		switch {
		case a["access_token"] != nil && good == nil:
			good = a
		case a["access_token"] != nil:
			t.Fatal("two uses of one code succeeded")
		case a["error"] != "invalid_grant" || !strings.HasPrefix(a["error_description"].(string), "Code not valid"):
			t.Fatalf("refused as %v", a)
		}
	}
	if good == nil {
		t.Fatal("no use succeeded")
	}
	if _, a := s.Post("token", form); a["error"] != "invalid_grant" {
		t.Fatalf("replay: %v", a)
	}
	if a := s.Introspect(good["access_token"].(string)); a["active"] != false {
		t.Fatalf("token lives on after the replay: %v", a)
	}
}

func TestAReusedRefreshTokenKillsItsFamily(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	first := rp.Tokens(testkit.Nurse, "").RefreshToken
	_, second := s.Post(
		"token",
		url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {first}},
	)
	if second["refresh_token"] == nil {
		t.Fatalf("%v", second)
	}
	if _, a := s.Post(
		"token",
		url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {first}},
	); a["error"] != "invalid_grant" {
		t.Fatalf("reuse: %v", a)
	}
	if _, a := s.Post(
		"token",
		url.Values{
			"grant_type":    {"refresh_token"},
			"client_id":     {"demo"},
			"refresh_token": {second["refresh_token"].(string)},
		},
	); a["error"] != "invalid_grant" {
		t.Fatalf("the family lives on: %v", a)
	}
}

func TestTheTokenEndpointAnswersAsKeycloakDoes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	strict := testkit.Start(t, "strict=true")
	for name, c := range map[string]struct {
		form        url.Values
		status      int
		err, prefix string
	}{
		"no grant_type": {
			url.Values{"client_id": {"demo"}}, 400, "invalid_request", "Missing form parameter: grant_type",
		},
		"unknown grant_type": {url.Values{"grant_type": {"magic"}}, 400, "unsupported_grant_type", "Unsupported grant_type"},
		"no code": {
			url.Values{"grant_type": {"authorization_code"}}, 400, "invalid_request", "Missing parameter: code",
		},
		"unknown code": {
			url.Values{"grant_type": {"authorization_code"}, "code": {"a.b.c"}}, 400, "invalid_grant", "Code not valid",
		},
		"no refresh token": {url.Values{"grant_type": {"refresh_token"}}, 400, "invalid_request", "No refresh token"},
		"garbage refresh": {
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 400, "invalid_grant",
			"Invalid refresh token",
		},
		"repeated parameter": {
			url.Values{"grant_type": {"refresh_token", "refresh_token"}}, 400, "invalid_request", "duplicated parameter",
		},
		"unknown client": {
			url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "client_id": {"nobody"}}, 401, "invalid_client",
			"Invalid client or Invalid client credentials",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if status, a := s.Post(
				"token",
				c.form,
			); status != c.status || a["error"] != c.err ||
				!strings.HasPrefix(a["error_description"].(string), c.prefix) {
				t.Errorf("got %d %v", status, a)
			}
			if _, a := strict.Post("token", c.form); a["error_description"] != c.prefix {
				t.Errorf("strict: got %q", a["error_description"])
			}
		})
	}
}

// keysInOrder lists the top-level keys of a JSON object as they stand.
func keysInOrder(t *testing.T, object string) (keys []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		j, _ := json.Marshal(tok)
		if delim, ok := tok.(json.Delim); ok {
			j = []byte(delim.String())
		}
		b.Write(j)
		b.WriteByte(' ')
	}
}
