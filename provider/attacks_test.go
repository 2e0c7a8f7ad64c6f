package provider_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack4NoRedirectLeavesTheRegisteredURIs(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddExactClient()
	if status, to := s.AuthorizeWith(nil); status != 302 || !strings.HasPrefix(to, "https://app.example/cb?x=1&") {
		t.Fatalf("the registered one: %d %s", status, to)
	}
	for _, uri := range []string{
		"", "https://APP.example/cb?x=1", "https://app.example/CB?x=1", "https://app.example/cb",
		"https://app.example/cb?x=1&y=2", "https://app.example/cb/?x=1", "https://app.example/cb/../evil",
		"https://app.example/%2e%2e/evil", "https://app.example//evil", `https://app.example\@evil.example`,
		"https://app.example@evil.example/cb?x=1", "https://app.example:444/cb?x=1", "https://app.example/cb?x=1#f",
		"https://аpp.example/cb?x=1", "http://2130706433/", "http://[::1]/", "https://app.example/cb?x=1\t",
		"https://app.example/cb?x=1\r\nX: y", "https://app.example/cb%3Fx=1", "javascript:alert(1)", "data:text/html,x",
		"//evil.example", "http://localhost:1/cb",
	} {
		if status, to := s.AuthorizeWith(url.Values{"redirect_uri": {uri}}); status != 400 || to != "" {
			t.Errorf("%q: %d to %q", uri, status, to)
		}
	}
	for _, name := range []string{"client_id", "redirect_uri", "state", "scope"} {
		if status, to := s.AuthorizeWith(url.Values{name: {"exact", "exact"}}); status != 400 || to != "" {
			t.Errorf("repeated %s: %d to %q", name, status, to)
		}
	}
	if status, to := s.AuthorizeWith(url.Values{"client_id": {"nobody"}}); status != 400 || to != "" {
		t.Errorf("unknown client: %d to %q", status, to)
	}
}

func TestTheLoopbackPolicyOfTheDemoClientStopsAtLoopback(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for uri, good := range map[string]bool{
		"http://localhost:1/x": true, "http://127.0.0.1/": true, "http://localhost.evil.example/": false,
		"http://localhost@evil.example/": false, "http://127.0.0.1.evil.example": false,
		"https://evil.example/?http://localhost/": false, "http://localhost:1/../x": false,
		"http://localhost:1/%2e%2e/x": false, "http://127.1/": false, "http://localhost:1/x#f": false,
		`http://localhost\.evil`: false,
	} {
		status, to := s.AuthorizeWith(url.Values{"client_id": {"demo"}, "redirect_uri": {uri}})
		if (status == 302) != good {
			t.Errorf("%s: %d %s", uri, status, to)
		}
	}
}

func TestTheAuthorizeEndpointRefusesAsKeycloakDoes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddExactClient()
	for name, c := range map[string]struct {
		params url.Values
		want   string
	}{
		"no response_type": {
			url.Values{"response_type": {""}},
			"error=invalid_request&error_description=Missing+parameter%3A+response_type&state=st&iss=",
		},
		"unknown response_type": {url.Values{"response_type": {"magic"}}, "error=unsupported_response_type&state=st&iss="},
		"implicit":              {url.Values{"response_type": {"token"}}, "?x=1#error=unauthorized_client"},
		"unknown scope": {
			url.Values{"scope": {"openid bogus"}},
			"error=invalid_scope&error_description=Invalid+scopes%3A+openid+bogus&state=st&iss=",
		},
		"unknown response_mode": {
			url.Values{"response_mode": {"pigeon"}},
			"error=invalid_request&error_description=Invalid+parameter%3A+response_mode&state=st&iss=",
		},
		"bad challenge": {
			url.Values{"code_challenge": {"short"}, "code_challenge_method": {"S256"}},
			"error=invalid_request&error_description=Invalid+parameter%3A+code_challenge&state=st&iss=",
		},
		"request object":  {url.Values{"request": {"x.y.z"}}, "error=request_not_supported"},
		"prompt=none":     {url.Values{"prompt": {"none"}, "login_hint": {""}}, "error=login_required&state=st&iss="},
		"refusing person": {url.Values{"login_hint": {"auto:899790100533"}}, "error=access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			c.params.Set("state", "st")
			if status, to := s.AuthorizeWith(
				c.params,
			); status != 302 || !strings.HasPrefix(strings.Replace(to, "#", "&", 1), "https://app.example/cb?x=1&") ||
				!strings.Contains(to, c.want) {
				t.Errorf("%d %s", status, to)
			}
		})
	}
}

func TestAttack2ACodeIsOfNoUseToAnotherClient(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddExactClient()
	_, to := s.AuthorizeWith(url.Values{"redirect_uri": {"https://app.example/plain"}})
	back, _ := url.Parse(to)
	status, a := s.Post(
		"token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {back.Query().Get("code")},
			"redirect_uri": {"https://app.example/plain"},
		},
	)
	if status != 400 || a["error"] != "invalid_grant" ||
		!strings.HasPrefix(a["error_description"].(string), "Auth error: Found different client_id") {
		t.Errorf("%d %v", status, a)
	}
}

func TestAttack3And5CodeExchangeChecks(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	verifier := oauth2.GenerateVerifier()
	exchange := func(code string, change url.Values) (int, map[string]any) {
		form := url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {code},
			"redirect_uri": {testkit.CallbackURL},
		}
		for k, v := range change {
			form[k] = v
		}
		return s.Post("token", form)
	}
	pkce := oauth2.S256ChallengeOption(verifier)
	for name, c := range map[string]struct {
		options []oauth2.AuthCodeOption
		change  url.Values
		text    string
	}{
		"other redirect_uri": {
			nil, url.Values{"redirect_uri": {"http://localhost:5555/other"}}, "Incorrect redirect_uri",
		},
		"missing redirect_uri": {nil, url.Values{"redirect_uri": {""}}, "Incorrect redirect_uri"},
		"verifier missing":     {[]oauth2.AuthCodeOption{pkce}, nil, "PKCE code verifier not specified"},
		"verifier wrong": {
			[]oauth2.AuthCodeOption{pkce}, url.Values{"code_verifier": {strings.Repeat("x", 43)}},
			"PKCE verification failed: Code mismatch",
		},
		"verifier of 42": {
			[]oauth2.AuthCodeOption{pkce}, url.Values{"code_verifier": {strings.Repeat("x", 42)}},
			"PKCE verification failed: Invalid code verifier",
		},
		"verifier of 129": {
			[]oauth2.AuthCodeOption{pkce}, url.Values{"code_verifier": {strings.Repeat("x", 129)}},
			"PKCE verification failed: Invalid code verifier",
		},
		"verifier without challenge": {
			nil, url.Values{"code_verifier": {verifier}},
			"PKCE code verifier specified but challenge not present in authorization",
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, a := exchange(rp.Login(testkit.Nurse, c.options...).Get("code"), c.change)
			if description, _ := a["error_description"].(string); status != 400 || a["error"] != "invalid_grant" ||
				!strings.HasPrefix(description, c.text) {
				t.Errorf("%d %v", status, a)
			}
		})
	}
	code := rp.Login(testkit.Nurse).Get("code")
	s.API("PUT", "/clock", `{"offset":"61s"}`, nil)
	if _, a := exchange(code, nil); !strings.HasPrefix(a["error_description"].(string), "Code is expired") {
		t.Errorf("late: %v", a)
	}
}

func TestAttack12ALoginBelongsToTheBrowserThatBeganIt(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	mine, other := s.Browser(), s.Browser()
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"demo"},
		"redirect_uri":  {testkit.CallbackURL},
		"scope":         {"openid"},
	}
	resp, err := mine.Get(s.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	page := resp.Request.URL.String()
	if !strings.Contains(page, "/login/") || resp.StatusCode != 200 {
		t.Fatalf("%s %s", page, resp.Status)
	}
	for _, path := range []string{"", "/wait", "/continue"} {
		resp, err := other.Get(page + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("another browser at %s: %s", path, resp.Status)
		}
	}
	// Attack 13: another site's form.
	req, _ := http.NewRequest(http.MethodPost, page+"/test", strings.NewReader("identity="+testkit.Nurse))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	resp, err = mine.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("another site's form: %s", resp.Status)
	}
}

func TestAttack18OnlyAnAccessTokenInForceOpensUserInfo(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	tok := rp.Tokens(testkit.Nurse, "")
	id, _ := tok.Extra("id_token").(string)
	parts := strings.Split(tok.AccessToken, ".")
	ask := func(token string) (int, string) {
		req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := s.HTTP(nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header.Get("WWW-Authenticate")
	}
	for name, token := range map[string]string{
		"none": "", "garbage": "x", "id token": id, "refresh token": tok.RefreshToken,
		"alg none": "eyJhbGciOiJub25lIn0." + parts[1] + ".", "tampered": parts[0] + "." + parts[1] + "x." + parts[2],
		"a megabyte": strings.Repeat("a", 60<<10),
	} {
		if status, header := ask(token); status != 401 || !strings.HasPrefix(header, `Bearer realm="`) {
			t.Errorf("%s: %d %s", name, status, header)
		}
	}
	s.API("PUT", "/clock", `{"offset":"119s"}`, nil)
	if status, _ := ask(tok.AccessToken); status != 200 {
		t.Errorf("a second before its end: %d", status)
	}
	s.API("PUT", "/clock", `{"offset":"121s"}`, nil)
	if status, _ := ask(tok.AccessToken); status != 401 {
		t.Errorf("a second after its end: %d", status)
	}
}

func TestAttack19IntrospectionAndRevocationWantTheClient(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	tok := rp.Tokens(testkit.Nurse, "")
	for endpoint, want := range map[string]string{
		"token/introspect": `"error":"invalid_request","error_description":"Authentication failed.`,
		"revoke":           `"error":"invalid_client"`,
	} {
		resp, err := s.HTTP(nil).
			PostForm(
				s.Issuer+"/protocol/openid-connect/"+endpoint, url.Values{"token": {tok.AccessToken}, "client_id": {"demo"}},
			)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 401 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", endpoint, resp.StatusCode, body)
		}
	}
	if status, a := s.Post("revoke", url.Values{"token": {"garbage"}}); status != 200 || a["error"] != "invalid_token" {
		t.Errorf("garbage: %d %v", status, a)
	}
	if status, a := s.Post("revoke", url.Values{"token": {tok.RefreshToken}}); status != 200 || len(a) != 0 {
		t.Errorf("revocation: %d %v", status, a)
	}
	if a := s.Introspect(tok.AccessToken); a["active"] != false {
		t.Errorf("after revocation: %v", a)
	}
}

func TestAttack22LogoutRedirectsOnlyWhereRegistered(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	id, _ := rp.Tokens(testkit.Nurse, "").Extra("id_token").(string)
	for name, q := range map[string]url.Values{
		"unregistered": {"id_token_hint": {id}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"decorated":    {"id_token_hint": {id}, "post_logout_redirect_uri": {"http://localhost:8080/@evil.example/.."}},
		"no hint":      {"post_logout_redirect_uri": {"https://evil.example/"}},
		"bad hint":     {"id_token_hint": {"x.y.z"}, "post_logout_redirect_uri": {"http://localhost:8080/"}},
		"other client_id": {
			"id_token_hint": {id}, "client_id": {"exact"}, "post_logout_redirect_uri": {"http://localhost:8080/"},
		},
	} {
		resp, err := s.HTTP(nil).Get(s.Issuer + "/protocol/openid-connect/logout?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.Header.Get("Location") != "" || name != "no hint" && resp.StatusCode != 400 {
			t.Errorf("%s: %s to %q", name, resp.Status, resp.Header.Get("Location"))
		}
	}
}

func TestAttack30TheControlAPIAnswersItsOwnPeopleOnly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ask := func(change func(*http.Request)) int {
		req, _ := http.NewRequest(
			http.MethodPost,
			s.APIURL+"/cards",
			strings.NewReader(`{"national_id":"`+testkit.Nurse+`","type":"CPS"}`),
		)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		change(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for name, c := range map[string]struct {
		status int
		change func(*http.Request)
	}{
		"right":           {201, func(*http.Request) {}},
		"no token":        {401, func(r *http.Request) { r.Header.Del("Authorization") }},
		"wrong token":     {401, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }},
		"foreign host":    {403, func(r *http.Request) { r.Host = "evil.example" }},
		"foreign origin":  {403, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }},
		"cross-site":      {403, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		"text/plain body": {400, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
	} {
		if got := ask(c.change); got != c.status {
			t.Errorf("%s: %d, want %d", name, got, c.status)
		}
	}
	resp, err := s.HTTP(nil).Get(s.BaseURL + "/api/v1/identities")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("the protocol listener serves the API: %s", resp.Status)
	}
}

func TestStrictClosesEveryDoor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "strict=true")
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"demo"},
		"redirect_uri":  {testkit.CallbackURL},
		"scope":         {"openid"},
		"login_hint":    {"auto:" + testkit.Nurse},
	}
	c := s.Browser()
	resp, err := c.Get(s.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(body), `data-testid="login-page"`) || strings.Contains(string(body), "tab-test") {
		t.Errorf("login_hint=auto went through, or the test tab is there: %s", body)
	}
	page := resp.Request.URL
	page.RawQuery = ""
	posted, err := c.PostForm(page.String()+"/test", url.Values{"identity": {testkit.Nurse}})
	if err != nil {
		t.Fatal(err)
	}
	posted.Body.Close()
	if posted.StatusCode != 422 {
		t.Errorf("test identity: %s", posted.Status)
	}
	posted, err = c.PostForm(page.String()+"/ecps", url.Values{"login": {testkit.Nurse}}) // her behaviour is approve
	if err != nil {
		t.Fatal(err)
	}
	body, _ = io.ReadAll(posted.Body)
	posted.Body.Close()
	if !strings.Contains(string(body), `data-testid="ecps-wait"`) {
		t.Errorf("a phone answered by itself: %s", body)
	}
	if status := s.API(
		"POST",
		"/logins",
		`{"authorize_url":"`+s.BaseURL+`/auth?x=1","identity":"`+testkit.Nurse+`"}`,
		nil,
	); status != 403 {
		t.Errorf("POST /logins: %d", status)
	}
	var doors struct{ Items []struct{ Open bool } }
	s.API("GET", "/doors", "", &doors)
	for _, d := range doors.Items {
		if d.Open {
			t.Error("a door is listed open")
		}
	}
}
