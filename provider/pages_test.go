package provider_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// pagesOf are addresses of pages, of every kind.
func pagesOf(s *testkit.Server) []string {
	authorize := s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
		testkit.CallbackURL,
	)
	out := []string{
		authorize,
		s.BaseURL + "/auth?client_id=nobody",
		s.BaseURL + "/home",
		s.BaseURL + "/wallet",
		s.BaseURL + "/nowhere",
		s.Issuer + "/protocol/openid-connect/logout",
		s.CardURL + "/card",
	}
	for _, path := range []string{
		"/", "/identities", "/identities/new", "/identities/" + testkit.Doctor, "/cards", "/clients", "/clients/demo",
		"/logins", "/why", "/why/code-used", "/scenario", "/doctor", "/orders", "/certificates", "/phone",
		"/phone/" + testkit.Doctor, "/outbox", "/reader", "/deliveries", "/fidelity", "/demo", "/desk", "/nowhere",
	} {
		out = append(out, s.ConsoleURL+path)
	}
	return out
}

func TestAttack23And24NoPageIsFramedOrRunsInlineScript(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := s.Browser()
	for _, at := range pagesOf(s) {
		req, _ := http.NewRequest("GET", at, nil)
		req.Header.Set("Accept", "text/html")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		page := testkit.Text(t, resp)
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s is no page: %s", at, resp.Header.Get("Content-Type"))
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") ||
			!strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", at, csp)
		}
		for _, inline := range []string{"<script>", " onclick=", " onload=", "javascript:", " style="} {
			if strings.Contains(page, inline) {
				t.Errorf("%s holds %s", at, inline)
			}
		}
	}
}

const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`

func TestAttack24NothingStoredOrReflectedBecomesHTML(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API(
		"POST",
		"/identities",
		testkit.Encoded(
			t,
			map[string]any{
				"national_id":   "ANS20260101000009",
				"family_name":   hostile,
				"given_name":    hostile,
				"notes":         hostile,
				"exercices":     []any{},
				"behaviour":     "ask",
				"allow_invalid": hostile,
			},
		),
		nil,
	)
	s.API("POST", "/identities/ANS20260101000009/ecps", "{}", nil)
	s.API("POST", "/cards", `{"national_id":"ANS20260101000009","type":"CPE"}`, nil)
	s.Register("hostile", map[string]any{"name": hostile, "redirect_uris": []string{testkit.CallbackURL}})
	c := s.Browser()
	q := url.QueryEscape(hostile)
	login := s.BaseURL + "/auth?response_type=code&client_id=hostile&scope=openid&redirect_uri=" + url.QueryEscape(
		testkit.CallbackURL,
	) + "&state=" + q + "&login_hint=" + q
	resp, err := c.Get(login)
	if err != nil {
		t.Fatal(err)
	}
	at := resp.Request.URL.String()
	pages := []string{testkit.Text(t, resp)}
	get := func(at string) {
		t.Helper()
		req, _ := http.NewRequest("GET", at, nil)
		req.Header.Set("Accept", "text/html")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, testkit.Text(t, resp))
	}
	for _, to := range []string{
		at + "?tab=test&q=" + q, at + "?tab=test&q=script", at + "?tab=card&q=" + q, at + "?lang=" + q,
		s.BaseURL + "/auth?client_id=" + q, s.BaseURL + "/auth?client_id=hostile&redirect_uri=" + q,
		s.BaseURL + "/login/" + url.PathEscape(hostile), s.BaseURL + "/wallet?x=" + q,
	} {
		get(to)
	}
	resp, err = c.PostForm(at+"/ecps", url.Values{"login": {"ANS20260101000009"}})
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, testkit.Text(t, resp))
	for _, path := range []string{
		"/identities?q=script", "/identities/ANS20260101000009", "/identities/ANS20260101000009/edit",
		"/cards?national_id=ANS20260101000009", "/clients", "/clients/hostile", "/logins", "/logins?client=" + q,
		"/phone/ANS20260101000009", "/why/" + url.PathEscape(hostile), "/doctor", "/scenario", "/scenario?load=" + q,
		"/reader", "/orders?actor=" + q,
	} {
		get(s.ConsoleURL + path)
	}
	var list struct{ Items []struct{ ID string } }
	s.API("GET", "/logins", "", &list)
	for _, l := range list.Items {
		get(s.ConsoleURL + "/logins/" + l.ID)
	}
	seen := 0
	for n, page := range pages {
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img src=x") {
			t.Errorf("page %d holds it as it came", n)
		}
		if strings.Contains(page, "&lt;script&gt;alert") {
			seen++
		}
	}
	if seen < 8 {
		t.Errorf("only %d pages show it at all: the test looks at the wrong ones", seen)
	}
}

func TestAttack25HeadersAndExportsCarryNoOrders(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	state := "a\r\nSet-Cookie: evil=1\r\n\r\n<html>"
	resp, err := s.Browser().
		Get(s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" +
			url.QueryEscape(testkit.CallbackURL) + "&state=" + url.QueryEscape(state) + "&login_hint=auto:" + testkit.Doctor)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil || back.Query().Get("state") != state ||
		strings.Contains(strings.Join(resp.Header["Set-Cookie"], ";"), "evil") {
		t.Errorf("callback %v, cookies %v", back, resp.Header["Set-Cookie"])
	}
	for n, cell := range []string{`=cmd|'/c calc'!A1`, "+1", "-1", "@SUM(A1)", "\t=1"} {
		s.API(
			"POST",
			"/identities",
			testkit.Encoded(
				t,
				map[string]any{
					"national_id":   fmt.Sprintf("ANS202601010000%02d", n),
					"family_name":   cell,
					"given_name":    cell,
					"notes":         cell,
					"exercices":     []any{},
					"allow_invalid": "formulas",
				},
			),
			nil,
		)
	}
	csv := string(testkit.Fetched(t, s.Ready, "/identities/export?format=csv"))
	if !strings.Contains(csv, "cmd|") {
		t.Fatal("the export lacks the people")
	}
	for _, cell := range strings.FieldsFunc(csv, func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
		if cell = strings.Trim(
			cell,
			`"`,
		); cell != "" && strings.ContainsAny(cell[:1], "=+@\t") ||
			strings.HasPrefix(cell, "-1") {
			t.Errorf("a cell begins with an order: %q", cell)
		}
	}
}

func TestAttack26RepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	good := "response_type=code&client_id=demo&scope=openid&state=s&redirect_uri=" + url.QueryEscape(testkit.CallbackURL)
	for _, again := range []string{
		"client_id=other", "state=t", "redirect_uri=https://evil.example/", "scope=x", "nonce=a&nonce=b",
		"response_type=token",
	} {
		for name, send := range map[string]func() (*http.Response, error){
			"in the query": func() (*http.Response, error) { return s.Browser().Get(s.BaseURL + "/auth?" + good + "&" + again) },
			"in the body against the query": func() (*http.Response, error) {
				return s.Browser().Post(s.BaseURL+"/auth?"+good, "application/x-www-form-urlencoded", strings.NewReader(again))
			},
		} {
			if name != "in the query" && strings.HasPrefix(again, "nonce") {
				continue
			}
			resp, err := send()
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 400 || resp.Header.Get("Location") != "" {
				t.Errorf("%s %s: %s to %q", again, name, resp.Status, resp.Header.Get("Location"))
			}
		}
	}
	for _, body := range []string{
		"grant_type=authorization_code&grant_type=refresh_token&code=x", "grant_type=authorization_code&code=x&code=y",
		"grant_type=authorization_code&code=x&client_id=demo&client_id=other",
	} {
		resp, err := s.HTTP(s.DemoCertificate()).
			Post(s.Issuer+"/protocol/openid-connect/token", "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if answer := testkit.Text(t, resp); resp.StatusCode != 400 || !strings.Contains(answer, "duplicated parameter") {
			t.Errorf("%s: %s", body, answer)
		}
	}
}

func TestAttack27CookiesAreBoundToTheHostAndDifferBetweenEmulators(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for n := range 2 {
		s := testkit.Start(t)
		for _, at := range []string{
			s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" +
				url.QueryEscape(testkit.CallbackURL),
			s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&login_hint=auto:" +
				testkit.Doctor + "&redirect_uri=" + url.QueryEscape(testkit.CallbackURL),
		} {
			resp, err := s.HTTP(nil).Get(at)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if len(resp.Cookies()) == 0 {
				t.Errorf("%s set no cookie", at)
			}
			for _, c := range resp.Cookies() {
				readable := strings.HasPrefix(c.Name, "pscemu-state-") // a hash, for the session frame
				if !c.Secure || c.HttpOnly == readable || c.SameSite == http.SameSiteDefaultMode ||
					!readable && !strings.HasPrefix(c.Name, "__Host-") {
					t.Errorf("%s", c.Raw)
				}
				if n == 1 && names[c.Name] {
					t.Errorf("two emulators share %s", c.Name)
				}
				names[c.Name] = true
			}
		}
	}
}

func TestAttack28And29AnswersAreNotKeptReferredOrSharedWithOtherSites(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := s.Browser()
	resp, err := c.Get(
		s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" +
			url.QueryEscape(testkit.CallbackURL),
	)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if h := resp.Header; h.Get("Referrer-Policy") != "no-referrer" ||
		!strings.Contains(h.Get("Cache-Control"), "no-store") {
		t.Errorf("the login page: %v", h)
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err = c.PostForm(resp.Request.URL.String()+"/test", url.Values{"identity": {testkit.Doctor}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || !strings.Contains(resp.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("after the form: %s %v", resp.Status, resp.Header)
	}
	for _, at := range []string{
		s.Issuer + "/protocol/openid-connect/userinfo", s.Issuer + "/protocol/openid-connect/certs", s.Discovery,
		s.APIURL + "/identities", s.ConsoleURL + "/",
	} {
		req, _ := http.NewRequest("GET", at, nil)
		req.Header.Set("Origin", "https://evil.example")
		resp, err := s.HTTP(nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if allow := resp.Header.Get(
			"Access-Control-Allow-Origin",
		); (allow == "*" || allow == "https://evil.example") &&
			resp.Header.Get("Access-Control-Allow-Credentials") == "true" {
			t.Errorf("%s may be read by another site with credentials", at)
		}
	}
}

func TestAttack31LargeRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	large := "x=" + strings.Repeat("y", 1<<20)
	for name, c := range map[string]struct{ at, kind string }{
		"token": {
			s.Issuer + "/protocol/openid-connect/token", "application/x-www-form-urlencoded",
		}, "authorize": {s.BaseURL + "/auth", "application/x-www-form-urlencoded"}, "PAR": {
			s.Issuer + "/protocol/openid-connect/ext/par/request", "application/x-www-form-urlencoded",
		},
		"the control API": {s.APIURL + "/identities", "application/json"},
	} {
		req, _ := http.NewRequest("POST", c.at, strings.NewReader(large))
		req.Header.Set("Content-Type", c.kind)
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		req.Header.Set("Expect", "100-continue") // the answer comes before the body, which the server would not read
		client := s.HTTP(nil)
		client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	req, _ := http.NewRequest("GET", s.BaseURL+"/home", nil)
	for n := range 2000 {
		req.Header.Set(fmt.Sprintf("X-Filler-%d", n), strings.Repeat("z", 100))
	}
	resp, err := s.HTTP(nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers: %s", resp.Status)
	}
	// Whoever begins a request and never ends it is let go.
	conn, err := tls.Dial("tcp", s.Listen, &tls.Config{RootCAs: s.Roots(), Time: testkit.Now, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1<<10)); err == nil {
		if _, err = conn.Read(make([]byte, 1)); err == nil {
			t.Error("the slow client is still served")
		}
	}
	if got := s.CodeOf("GET", "/clock", ""); got != "" {
		t.Errorf("afterwards: %s", got)
	}
}
