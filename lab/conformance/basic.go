package conformance

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// works is a login that must succeed with these parameters.
func works(more url.Values) func(*relyingParty) {
	return func(rp *relyingParty) { rp.tokens(more) }
}

// scope asks for a scope, and warns when UserInfo lacks its claims.
func scope(scopes string, claims ...string) func(*relyingParty) {
	return func(rp *relyingParty) {
		t, _ := rp.tokens(url.Values{"scope": {scopes}})
		info := rp.userinfo(t.text("access_token"))
		for _, c := range claims {
			_, there := info[c]
			rp.warn(there, "UserInfo holds no %s: PSC sends its own claims, whatever the scope", c)
		}
	}
}

var basic = plan{
	"oidcc-basic-certification-test-plan",
	[]check{
		{"oidcc-server", "", works(nil)},
		{"oidcc-response-type-missing", "", func(rp *relyingParty) {
			e := rp.look(rp.params(url.Values{"response_type": nil}))
			rp.check(
				e.page && e.status >= 400 ||
					slices.Contains([]string{"unsupported_response_type", "invalid_request"}, e.back.Get("error")),
				"got %d %v",
				e.status,
				e.back,
			)
		}},
		{"oidcc-idtoken-signature", "", works(nil)}, // verified: RS256, kid in the key set
		{"oidcc-idtoken-unsigned", "id tokens with alg none are not offered", nil},
		{"oidcc-userinfo-get", "", func(rp *relyingParty) {
			t, id := rp.tokens(nil)
			rp.check(
				rp.userinfo(t.text("access_token")).text("sub") == id.text("sub"),
				"sub differs from the id token's",
			)
		}},
		{"oidcc-userinfo-post-header", "", func(rp *relyingParty) {
			t, id := rp.tokens(nil)
			status, info := rp.post(rp.server, rp.endpoint("userinfo_endpoint"), nil, t.text("access_token"))
			rp.check(status == 200 && info.text("sub") == id.text("sub"), "%d %v", status, info)
		}},
		{"oidcc-userinfo-post-body", "", func(rp *relyingParty) {
			t, id := rp.tokens(nil)
			status, info := rp.post(
				rp.server,
				rp.endpoint("userinfo_endpoint"),
				url.Values{"access_token": {t.text("access_token")}},
				"",
			)
			rp.warn(status == 200 && info.text("sub") == id.text("sub"), "%d %v", status, info)
		}},
		{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", "", works(url.Values{"nonce": nil})},
		{"oidcc-scope-profile", "", scope("openid profile", "given_name", "family_name", "preferred_username")},
		{"oidcc-scope-email", "", scope("openid email", "email_verified")},
		{"oidcc-scope-address", "", scope("openid address")},
		{"oidcc-scope-phone", "", scope("openid phone")},
		{
			"oidcc-scope-all",
			"",
			scope("openid profile email address phone", "given_name", "family_name", "email_verified"),
		},
		{"oidcc-alternate-happy-flow", "", works(url.Values{"scope": {"email openid profile"}})},
		{"oidcc-ensure-other-scope-order-succeeds", "", works(url.Values{"scope": {"scope_all openid"}})},
		{"oidcc-display-page", "", works(url.Values{"display": {"page"}})},
		{"oidcc-display-popup", "", works(url.Values{"display": {"popup"}})},
		{"oidcc-prompt-login", "", func(rp *relyingParty) {
			_, first := rp.tokens(nil)
			rp.advance(5)
			e := rp.look(rp.params(url.Values{"prompt": {"login"}}))
			rp.check(e.login, "no second login was asked for: %v", e.back)
			_, second := rp.tokens(url.Values{"prompt": {"login"}})
			rp.check(
				second.number("auth_time") > first.number("auth_time"),
				"auth_time did not move: %v, %v",
				first["auth_time"],
				second["auth_time"],
			)
			rp.check(second.text("sub") == first.text("sub"), "sub changed")
		}},
		{"oidcc-prompt-none-not-logged-in", "", func(rp *relyingParty) {
			e := rp.look(rp.params(url.Values{"prompt": {"none"}}))
			rp.check(e.back.Get("error") == "login_required", "%d %v", e.status, e.back)
		}},
		{
			"oidcc-prompt-none-logged-in",
			"",
			func(rp *relyingParty) { silent(rp, func(string) url.Values { return url.Values{"prompt": {"none"}} }) },
		},
		{"oidcc-max-age-1", "", func(rp *relyingParty) {
			_, first := rp.tokens(nil)
			rp.advance(5)
			e := rp.look(rp.params(url.Values{"max_age": {"1"}}))
			rp.check(e.login, "no second login was asked for: %v", e.back)
			_, second := rp.tokens(url.Values{"max_age": {"1"}})
			rp.check(second.number("auth_time") > first.number("auth_time"), "auth_time is missing or did not move")
		}},
		{"oidcc-max-age-10000", "", func(rp *relyingParty) {
			silent(rp, func(string) url.Values { return url.Values{"max_age": {"10000"}} })
		}},
		{"oidcc-ensure-request-with-unknown-parameter-succeeds", "", works(url.Values{"extra": {"foobar"}})},
		{"oidcc-id-token-hint", "", func(rp *relyingParty) {
			silent(rp, func(id string) url.Values { return url.Values{"prompt": {"none"}, "id_token_hint": {id}} })
		}},
		{"oidcc-login-hint", "", func(rp *relyingParty) { rp.tokens(url.Values{"login_hint": {rp.Person}}) }},
		{"oidcc-ui-locales", "", works(url.Values{"ui_locales": {"se"}})},
		{"oidcc-claims-locales", "", works(url.Values{"claims_locales": {"se"}})},
		{"oidcc-ensure-request-with-acr-values-succeeds", "", func(rp *relyingParty) {
			_, id := rp.tokens(url.Values{"acr_values": {"eidas1 eidas2"}})
			rp.warn(slices.Contains([]string{"eidas1", "eidas2"}, id.text("acr")), "acr is %q", id.text("acr"))
		}},
		{"oidcc-codereuse", "", func(rp *relyingParty) { reuse(rp, 0) }},
		{"oidcc-codereuse-30seconds", "", func(rp *relyingParty) { reuse(rp, 30) }},
		{"oidcc-ensure-registered-redirect-uri", "", func(rp *relyingParty) {
			e := rp.look(rp.params(url.Values{"redirect_uri": {rp.client.RedirectURI + "/" + rand.Text()}}))
			rp.check(e.page && e.status >= 400, "%d, led to %s", e.status, e.url)
		}},
		{"oidcc-ensure-post-request-succeeds", "", func(rp *relyingParty) {
			q := rp.params(nil)
			resp, err := rp.browser.PostForm(rp.endpoint("authorization_endpoint"), q)
			rp.must(err)
			e := rp.travel(resp, true)
			rp.check(e.back.Get("code") != "" && e.back.Get("state") == q.Get("state"), "%d %v", e.status, e.back)
		}},
		{"oidcc-server-client-secret-post", "", func(rp *relyingParty) {
			rp.configure(map[string]any{"policies": map[string]string{"client-auth": "secret"}})
			code, _ := rp.code(nil)
			rp.server = rp.http(nil, nil)
			status, t := rp.exchange(code, url.Values{"client_secret": {rp.client.Secret}})
			rp.check(status == 200, "%d %v", status, t)
		}},
		{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", "", func(rp *relyingParty) {
			e := rp.look(rp.params(url.Values{"request_uri": {"https://rp.example/request.jwt"}}))
			rp.check(e.back.Get("error") == "request_uri_not_supported", "%d %v", e.status, e.back)
		}},
		{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", "", func(rp *relyingParty) {
			e := rp.look(
				rp.params(
					url.Values{
						"request": {unsignedObject(map[string]any{"client_id": rp.client.ID, "scope": "openid"})},
					},
				),
			)
			rp.check(e.back.Get("error") == "request_not_supported", "%d %v", e.status, e.back)
		}},
		{"oidcc-claims-essential", "", func(rp *relyingParty) {
			t, _ := rp.tokens(url.Values{"claims": {`{"userinfo":{"name":{"essential":true}}}`}})
			rp.check(rp.userinfo(t.text("access_token")).text("name") != "", "UserInfo holds no name")
		}},
		{"oidcc-ensure-request-object-with-redirect-uri", "", func(rp *relyingParty) {
			object := unsignedObject(map[string]any{"client_id": rp.client.ID, "redirect_uri": rp.client.RedirectURI})
			e := rp.look(rp.params(url.Values{"redirect_uri": {"https://rp.example/wrong"}, "request": {object}}))
			rp.check(e.page && e.status >= 400 || e.back.Get("error") != "", "%d led to %s", e.status, e.url)
		}},
		{"oidcc-refresh-token", "", func(rp *relyingParty) {
			t, id := rp.tokens(nil)
			refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.text("refresh_token")}}
			status, o := rp.other().
				token(url.Values{"grant_type": refresh["grant_type"], "refresh_token": refresh["refresh_token"]})
			rp.check(status == 400 && o.text("error") == "invalid_grant", "another client refreshed: %d %v", status, o)
			status, fresh := rp.token(refresh)
			rp.check(status == 200, "%d %v", status, fresh)
			again := rp.verified(fresh.text("id_token"))
			rp.check(
				again.text("sub") == id.text("sub") && again.number("auth_time") == id.number("auth_time"),
				"sub or auth_time changed",
			)
		}},
		{"oidcc-ensure-request-with-valid-pkce-succeeds", "", func(rp *relyingParty) {
			verifier, challenge := pkce()
			code, _ := rp.code(url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}})
			status, t := rp.exchange(code, url.Values{"code_verifier": {verifier}})
			rp.check(status == 200, "%d %v", status, t)
		}},
	},
}

// silent logs in, then goes on without a page: same person, same auth_time.
func silent(rp *relyingParty, more func(idToken string) url.Values) {
	t, first := rp.tokens(nil)
	e := rp.look(rp.params(more(t.text("id_token"))))
	rp.check(e.back.Get("code") != "", "no silent code: %d %v %s", e.status, e.back, e.url)
	status, again := rp.exchange(e.back.Get("code"), nil)
	rp.check(status == 200, "%d %v", status, again)
	second := rp.verified(again.text("id_token"))
	rp.check(
		second.text("sub") == first.text("sub") && second.number("auth_time") == first.number("auth_time"),
		"sub or auth_time changed",
	)
}

// reuse uses a code twice: the second is refused, the first's token revoked.
func reuse(rp *relyingParty, seconds int) {
	code, _ := rp.code(nil)
	status, t := rp.exchange(code, nil)
	rp.check(status == 200, "%d %v", status, t)
	if seconds > 0 {
		rp.advance(seconds)
	}
	status, again := rp.exchange(code, nil)
	rp.check(status == 400 && again.text("error") == "invalid_grant", "%d %v", status, again)
	status, _ = rp.get(rp.server, rp.endpoint("userinfo_endpoint"), t.text("access_token"))
	rp.warn(status == http.StatusUnauthorized, "the first access token still opens UserInfo")
}

func pkce() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

func unsignedObject(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	return strings.Join(
		[]string{
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)),
			base64.RawURLEncoding.EncodeToString(payload),
			"",
		},
		".",
	)
}

var config = plan{
	"oidcc-config-certification-test-plan",
	[]check{{"oidcc-discovery-endpoint-verification", "", func(rp *relyingParty) {
		d := rp.discovery()
		rp.check(d.text("issuer") == rp.Issuer, "issuer is %q", d.text("issuer"))
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
			rp.check(strings.HasPrefix(d.text(name), "https://"), "%s is %q", name, d.text(name))
		}
		for name, value := range map[string]string{
			"response_types_supported":              "code",
			"subject_types_supported":               "public",
			"id_token_signing_alg_values_supported": "RS256",
			"scopes_supported":                      "openid",
			"grant_types_supported":                 "authorization_code",
			"claims_supported":                      "sub",
		} {
			rp.check(holds(d, name, value), "%s lacks %s", name, value)
		}
		for _, k := range rp.jwks().Keys {
			rp.check(k.Valid() && k.IsPublic(), "key %s is not a good public key", k.KeyID)
		}
	}}},
}

func holds(d object, list, value string) bool {
	l, _ := d[list].([]any)
	return slices.Contains(l, any(value))
}
