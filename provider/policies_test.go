package provider_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/testkit"
)

// Each policy, set for the emulator, for one client and for one person, has
// the effect it names.
func TestEachPolicyTakesEffectForTheEmulatorAClientAndAPerson(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddExactClient()
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	claims := func() string {
		_, payload := testkit.JWTParts(t, rp.Tokens(testkit.Nurse+";means=card", "").AccessToken)
		return payload
	}
	lifetime := func() string {
		q := rp.Login(testkit.Nurse)
		_, a := s.Post(
			"token",
			url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"demo"},
				"code":         {q.Get("code")},
				"redirect_uri": {testkit.CallbackURL},
			},
		)
		out, _ := json.Marshal(map[string]any{"access": a["expires_in"], "refresh": a["refresh_expires_in"]})
		return string(out)
	}
	authorize := func() string {
		_, to := s.AuthorizeWith(url.Values{"client_id": {"demo"}, "redirect_uri": {testkit.CallbackURL}})
		return to
	}
	userinfo := func() string {
		req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
		req.Header.Set("Authorization", "Bearer "+rp.Tokens(testkit.Nurse, "").AccessToken)
		resp, err := s.HTTP(nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.Header.Get("Content-Type") == "application/jwt" {
			_, payload := testkit.JWTParts(t, string(body))
			return "jwt " + payload
		}
		return resp.Status + " " + string(body)
	}
	reused := func() string {
		token := rp.Tokens(testkit.Nurse, "").RefreshToken
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {token}}
		s.Post("token", form)
		if _, a := s.Post("token", form); a["access_token"] != nil {
			return "serves again"
		}
		return "refused"
	}
	noCertificate := func() string {
		resp, err := s.HTTP(nil).
			PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"demo"},
				"client_secret": {s.DemoClient.ClientSecret},
			})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	lateCode := func() string {
		code := rp.Login(testkit.Nurse).Get("code")
		s.API("PUT", "/clock", `{"offset":"90s"}`, nil)
		defer s.API("DELETE", "/clock", "", nil)
		_, a := s.Post(
			"token",
			url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"demo"},
				"code":         {code},
				"redirect_uri": {testkit.CallbackURL},
			},
		)
		out, _ := json.Marshal(a)
		return string(out)
	}
	longSession := func() string {
		c := s.Browser()
		ask := func(more string) string {
			resp, err := c.Get(
				s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
					testkit.CallbackURL,
				) + more,
			)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.Header.Get("Location")
		}
		ask("&login_hint=auto:" + testkit.Nurse)
		s.API("PUT", "/clock", `{"offset":"5h"}`, nil)
		defer s.API("DELETE", "/clock", "", nil)
		return ask("&prompt=none")
	}
	message := func() string {
		_, a := s.Backchannel(url.Values{"binding_message": {"with a space"}, "login_hint": {testkit.Nurse}})
		out, _ := json.Marshal(a)
		return string(out)
	}
	discovery := func() string {
		resp, err := s.HTTP(nil).Get(s.Discovery)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	demo := map[string]any{}
	s.API("GET", "/clients/demo", "", &demo)
	person := map[string]any{}
	s.API("GET", "/identities/"+testkit.Nurse, "", &person)
	rule := func(base map[string]any, policies map[string]string) string {
		base["policies"] = policies
		b, _ := json.Marshal(base)
		return string(b)
	}
	for _, c := range []struct {
		name, value string
		observe     func() string
		with        string
	}{
		{"acr", "eidas3", claims, `"acr":"eidas3"`},
		{"acr", "card=eidas2,mobile=requested", claims, `"acr":"eidas2"`},
		{"auth-level-claim", "true", claims, `"auth_level":"1"`},
		{"access-token-lifetime", "5m", lifetime, `"access":300`},
		{"refresh-token-lifetime", "10m", lifetime, `"refresh":600`},
		{"code-lifetime", "2m", lateCode, `"access_token"`},
		{"session-lifetime", "6h", longSession, "code="},
		{"bind-access-tokens", "true", claims, `"cnf":{"x5t#S256":"`},
		{"bind-access-tokens", "true", userinfo, "401 Unauthorized"},
		{"require-pkce", "true", authorize, "Missing+parameter%3A+code_challenge_method"},
		{"require-scope-all", "true", authorize, "error=invalid_scope"},
		{"door-login-hint", "false", authorize, "/login/"},
		{"userinfo-format", "jwt", userinfo, `jwt {"Secteur_Activite"`},
		{"refresh-rotation", "false", reused, "serves again"},
		{"client-auth", "either", noCertificate, "invalid_grant"},
		{"binding-message", "plain", message, "invalid_binding_message"},
		{"discovery", "truth", discovery, `"request_uri_parameter_supported":false`},
	} {
		var setting config.Setting
		for _, row := range config.Names() {
			if row.Name == c.name {
				setting = row
			}
		}
		value, _ := json.Marshal(map[string]string{c.name: c.value})
		back, _ := json.Marshal(map[string]string{c.name: setting.Default})
		scopes := map[string]func(bool){"emulator": func(on bool) {
			if on {
				s.API("PATCH", "/settings", string(value), nil)
			} else {
				s.API("PATCH", "/settings", string(back), nil)
			}
		}}
		for _, scope := range setting.For {
			path, base := "/clients/demo", demo
			if scope == "identity" {
				path, base = "/identities/"+testkit.Nurse, person
			}
			scopes[scope] = func(on bool) {
				policies := map[string]string{}
				if on {
					policies[c.name] = c.value
				}
				if status := s.API("PUT", path, rule(base, policies), nil); status != 200 {
					t.Errorf("%s of a %s: %d", c.name, scope, status)
				}
			}
		}
		for scope, set := range scopes {
			t.Run(c.name+" "+c.value+" "+scope, func(t *testing.T) {
				if got := c.observe(); strings.Contains(got, c.with) {
					t.Fatalf("before: %s", got)
				}
				set(true)
				defer set(false)
				if got := c.observe(); !strings.Contains(got, c.with) {
					t.Errorf("got %s, want %s", got, c.with)
				}
			})
		}
	}
}

func TestAttack11ACertificateBoundTokenServesWithItsCertificateOnly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "bind-access-tokens=true")
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	tok := rp.Tokens(testkit.Nurse, "")
	other := s.Issued("demo")
	ask := func(c *http.Client) (int, string) {
		req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
		req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("WWW-Authenticate")
	}
	if status, _ := ask(s.HTTP(s.DemoCertificate())); status != 200 {
		t.Errorf("its own certificate: %d", status)
	}
	for name, c := range map[string]*http.Client{"none": s.HTTP(nil), "another of the same client": s.HTTP(other)} {
		if status, header := ask(
			c,
		); status != 401 ||
			!strings.Contains(header, "Client certificate missing, or its thumbprint") {
			t.Errorf("%s: %d %s", name, status, header)
		}
	}
	resp, err := s.HTTP(other).
		PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
			"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {tok.RefreshToken},
		})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(
		resp.Body,
	); resp.StatusCode != 401 ||
		!strings.Contains(string(body), "unauthorized_client") {
		t.Errorf("refresh with another certificate: %d %s", resp.StatusCode, body)
	}
}

func TestWhatCannotBeAPolicyIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for name, c := range map[string]struct{ method, path, body, code string }{
		"unknown":           {"PATCH", "/settings", `{"acrr":"x"}`, "policy-unknown"},
		"not while it runs": {"PATCH", "/settings", `{"listen":"127.0.0.1:1"}`, "setting-fixed"},
		"a bad value":       {"PATCH", "/settings", `{"acr":"eidas 1"}`, "setting-invalid"},
		"all or none": {
			"PATCH", "/settings", `{"userinfo-format":"jwt","client-auth":"tls"}`, "setting-invalid",
		},
		"not of a client": {
			"PUT", "/clients/demo",
			`{"client_id":"demo","redirect_uris":["https://a.example/"],"policies":{"discovery":"truth"}}`, "policy-unknown",
		},
		"a bad value of a client": {
			"PUT", "/clients/demo",
			`{"client_id":"demo","redirect_uris":["https://a.example/"],"policies":{"access-token-lifetime":"soon"}}`,
			"setting-invalid",
		},
		"not of a person": {
			"PUT", "/identities/" + testkit.Nurse,
			`{"national_id":"` + testkit.Nurse + `","family_name":"A","given_name":"B","policies":{"client-auth":"secret"}}`,
			"policy-unknown",
		},
		"a door that is no door": {"PATCH", "/doors", `{"back":true}`, "policy-unknown"},
		"an unknown response type": {
			"PUT", "/clients/demo", `{"client_id":"demo","redirect_uris":["https://a.example/"],"response_types":["magic"]}`,
			"response-type-invalid",
		},
		"ping without an endpoint": {
			"PUT", "/clients/demo",
			`{"client_id":"demo","redirect_uris":["https://a.example/"],"backchannel_token_delivery_mode":"ping"}`,
			"notification-endpoint-missing",
		},
	} {
		var p struct{ Code string }
		if status := s.API(c.method, c.path, c.body, &p); status != 400 || p.Code != c.code {
			t.Errorf("%s: %d %s, want %s", name, status, p.Code, c.code)
		}
	}
	var table struct{ Items []config.Setting }
	s.API("GET", "/settings", "", &table)
	for _, row := range table.Items {
		if row.Name == "userinfo-format" && row.Value != "json" {
			t.Error("a patch that was refused changed something")
		}
	}
}

func TestADoorIsClosedAloneAndStrictKeepsThemAllClosed(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	if status := s.API("PATCH", "/doors", `{"api-logins":false}`, nil); status != 200 {
		t.Fatal(status)
	}
	if status := s.API(
		"POST",
		"/logins",
		`{"authorize_url":"`+s.BaseURL+`/auth","identity":"`+testkit.Nurse+`"}`,
		nil,
	); status != 403 {
		t.Errorf("the closed door: %d", status)
	}
	if to := testkit.NewRelyingParty(s, s.DemoCertificate()).Login(testkit.Nurse); to.Get("code") == "" {
		t.Errorf("the other door: %v", to)
	}
	if status := testkit.Start(t, "strict=true").API("PATCH", "/doors", `{"api-logins":true}`, nil); status != 409 {
		t.Errorf("strict opened a door: %d", status)
	}
}

func TestOneMessageForUnknownIdsUnlessThePolicySaysOtherwise(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API("POST", "/identities/"+testkit.Asked+"/ecps", "{}", nil)
	s.API("DELETE", "/identities/"+testkit.Asked+"/ecps", "", nil)
	page := func(id string) string {
		c := s.Browser()
		resp, err := c.Get(
			s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
				testkit.CallbackURL,
			),
		)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		resp, err = c.PostForm(s.BaseURL+resp.Request.URL.Path+"/ecps", url.Values{"login": {id}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		_, text, _ := strings.Cut(string(b), `role="alert"`)
		text, _, _ = strings.Cut(text, "</div>")
		login := strings.TrimPrefix(resp.Request.URL.Path, "/login/")
		return strings.ReplaceAll(strings.ReplaceAll(text, id, "ID"), strings.TrimSuffix(login, "/ecps"), "LOGIN")
	}
	if a, b := page(testkit.Asked), page("899700000000"); a != b || !strings.Contains(a, "Aucune e-CPS active") {
		t.Errorf("they differ:\n%s\n%s", a, b)
	}
	s.API("PATCH", "/settings", `{"hide-unknown-ids":false}`, nil)
	if a, b := page(testkit.Asked), page("899700000000"); a == b {
		t.Errorf("they are still the same: %s", a)
	}
}

func TestTheSessionFrameAnswersTheClientsOwnOriginsOnly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddExactClient()
	frame := s.Issuer + "/protocol/openid-connect/login-status-iframe.html"
	resp, err := s.HTTP(nil).Get(frame)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("X-Frame-Options") != "" ||
		strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors") {
		t.Errorf("the frame cannot be framed: %v", resp.Header)
	}
	for q, want := range map[string]int{
		"client_id=exact&origin=https://app.example": 204, "client_id=demo&origin=http://localhost:3000": 204,
		"client_id=exact&origin=https://evil.example": 403, "client_id=exact&origin=https://app.example.evil": 403,
		"client_id=exact&origin=": 403, "client_id=nobody&origin=https://app.example": 403,
		"client_id=demo&origin=http://localhost@evil": 403,
	} {
		resp, err := s.HTTP(nil).Get(frame + "/init?" + q)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", q, resp.StatusCode, want)
		}
	}
}
