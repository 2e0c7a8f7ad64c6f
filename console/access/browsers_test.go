package access_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/testkit"
)

// What a browser says of a request that another page made.
var (
	crossSite = map[string]string{
		"Sec-Fetch-Site": "cross-site",
		"Sec-Fetch-Mode": "no-cors",
		"Sec-Fetch-Dest": "image",
	}
	otherPort = map[string]string{
		"Sec-Fetch-Site": "same-site",
		"Sec-Fetch-Mode": "no-cors",
		"Sec-Fetch-Dest": "script",
	}
	framed = map[string]string{
		"Sec-Fetch-Site": "same-site",
		"Sec-Fetch-Mode": "navigate",
		"Sec-Fetch-Dest": "iframe",
	}
	linked = map[string]string{
		"Sec-Fetch-Site": "cross-site",
		"Sec-Fetch-Mode": "navigate",
		"Sec-Fetch-Dest": "document",
		"Accept":         "text/html",
	}
	oldBrowser = map[string]string{"Referer": "http://127.0.0.1:3000/page"}
)

func reopened(s *testkit.Server) string {
	s.T.Helper()
	raw, err := os.ReadFile(filepath.Join(s.Data, "ready.json"))
	if err != nil {
		s.T.Fatal(err)
	}
	var r emulator.Ready
	if err := testkit.Decode(strings.NewReader(string(raw)), &r); err != nil {
		s.T.Fatal(err)
	}
	return r.OpenURL
}

func TestAttack42NoRefusalSetsACookie(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"open", "link"} {
		s := testkit.Start(t, "console-access="+mode)
		at := func(path string) string { return s.ConsoleURL + path }
		with := func(h map[string]string, name, value string) map[string]string {
			out := map[string]string{name: value, "Accept": "text/html"}
			for k, v := range h {
				out[k] = v
			}
			return out
		}
		for name, c := range map[string]struct {
			testkit.Visit
			status int
		}{
			"a foreign host": {
				testkit.Visit{Method: "GET", At: at("/"), Header: with(nil, "Host", "evil.example")},
				403,
			},
			"a foreign origin": {
				testkit.Visit{Method: "GET", At: at("/"), Header: with(nil, "Origin", "http://127.0.0.1:3000")},
				403,
			},
			"no origin of its own": {
				testkit.Visit{Method: "POST", At: at("/sign"), Body: "x=1", Header: with(nil, "Origin", "null")},
				403,
			},
			"a form without a session": {
				testkit.Visit{
					Method: "POST",
					At:     at("/cards/kit"),
					Body:   "kit=integration",
					Header: with(nil, "Accept", "text/html"),
				},
				403,
			},
			"an unknown page": {
				testkit.Visit{Method: "GET", At: at("/nowhere"), Header: with(nil, "Accept", "text/html")},
				404,
			},
			"an unknown page, posted to": {
				testkit.Visit{Method: "POST", At: at("/nowhere"), Body: "x=1", Header: with(nil, "Accept", "text/html")},
				404,
			},
			"an unknown operation": {testkit.Visit{Method: "POST", At: at("/api/v1/nothing"), Body: "x=1"}, 404},
			"a wrong method": {
				testkit.Visit{Method: "DELETE", At: at("/identities"), Header: with(nil, "Accept", "text/html")},
				405,
			},
			"a wrong method of an operation": {testkit.Visit{Method: "DELETE", At: at("/api/v1/clients")}, 405},
			"the API without its token":      {testkit.Visit{Method: "GET", At: at("/api/v1/identities")}, 401},
			"a wrong token": {
				testkit.Visit{Method: "POST", At: at("/open"), Body: "token=x", Header: with(nil, "Accept", "text/html")},
				403,
			},
			"another site's link":          {testkit.Visit{Method: "GET", At: at("/identities"), Header: linked}, 403},
			"another port's script":        {testkit.Visit{Method: "GET", At: at("/identities"), Header: otherPort}, 403},
			"a language from another site": {testkit.Visit{Method: "GET", At: at("/why?lang=en"), Header: crossSite}, 200},
		} {
			resp, body := c.Send(t)
			if resp.StatusCode != c.status || len(resp.Cookies()) > 0 {
				t.Errorf(
					"%s: %s: %s, cookies %v, want %d and none\n%.300s",
					mode,
					name,
					resp.Status,
					resp.Cookies(),
					c.status,
					body,
				)
			}
			if strings.Contains(body, s.APIToken) || strings.Contains(fmt.Sprint(resp.Header), s.APIToken) {
				t.Errorf("%s: %s tells the API token", mode, name)
			}
		}
		if mode == "link" {
			for name, c := range map[string]struct {
				testkit.Visit
				status int
			}{
				"a page": {
					testkit.Visit{Method: "GET", At: at("/identities"), Header: map[string]string{"Accept": "text/html"}},
					401,
				},
				"a stream":       {testkit.Visit{Method: "GET", At: at("/phone/stream")}, 401},
				"a used link":    {testkit.Visit{Method: "GET", At: at("/open?link=AAAAAAAAAAAAAAAAAAAAAAAAAA")}, 403},
				"the token page": {testkit.Visit{Method: "GET", At: at("/open")}, 200},
			} {
				resp, body := c.Send(t)
				if resp.StatusCode != c.status || len(resp.Cookies()) > 0 || strings.Contains(body, testkit.Nurse) {
					t.Errorf("closed: %s: %s, cookies %v", name, resp.Status, resp.Cookies())
				}
			}
		}
		large := testkit.Visit{Method: "POST", At: at("/open"), Body: strings.Repeat("x", 1<<20+1)}
		if resp, _ := large.Send(t); resp.StatusCode != 413 || len(resp.Cookies()) > 0 {
			t.Errorf("%s: a large body: %s %v", mode, resp.Status, resp.Cookies())
		}
	}
}

func TestAttack42AnotherSiteOrPortReadsAndCausesNothing(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	got, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/"}.Send(t)
	cookies := got.Cookies()
	if len(cookies) != 1 || cookies[0].Value == s.APIToken || !cookies[0].HttpOnly ||
		cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the console's cookie: %v", cookies)
	}
	// Browsers send the cookie along with what another port's page asks for.
	for _, path := range []string{"/",
		"/identities",
		"/identities/" + testkit.Nurse,
		"/cards",
		"/clients/demo",
		"/logins",
		"/outbox",
		"/phone/" + testkit.Nurse,
		"/phone/state",
		"/phone/stream",
		"/logins/stream",
		"/scenario",
		"/desk",
		"/demo",
		"/demo/start",
		"/desk/start",
		"/doctor?app=http://127.0.0.1:1/",
		"/api/v1/identities",
		"/api/v1/state",
		"/api/v1/ready",
		"/api/v1/ecps/requests/stream",
		"/debug/pprof/",
		"/reader",
		"/orders",
		"/certificates"} {
		for name, says := range map[string]map[string]string{
			"cross-site":     crossSite,
			"another port":   otherPort,
			"a frame":        framed,
			"an old browser": oldBrowser,
		} {
			resp, body := testkit.Visit{Method: "GET", At: s.ConsoleURL + path, Header: says, Cookies: cookies}.Send(t)
			if path == "/debug/pprof/" && resp.StatusCode == 404 {
				continue // not served
			}
			if resp.StatusCode != 403 || len(resp.Cookies()) > 0 || strings.Contains(body, testkit.Nurse) {
				t.Errorf("%s from %s: %s\n%.200s", path, name, resp.Status, body)
			}
		}
	}
	for _, path := range []string{
		"/cards/kit",
		"/identities/" + testkit.Nurse + "/delete",
		"/scenario",
		"/open",
		"/desk/leave",
	} {
		for name, says := range map[string]map[string]string{
			"cross-site":            crossSite,
			"another port":          otherPort,
			"a frame":               framed,
			"no origin":             {"Origin": "null"},
			"another port's origin": {"Origin": "http://127.0.0.1:3000"},
			"an old browser":        oldBrowser,
		} {
			if resp, _ := (testkit.Visit{
				Method:  "POST",
				At:      s.ConsoleURL + path,
				Body:    "kit=integration&token=" + s.APIToken,
				Header:  says,
				Cookies: cookies,
			}).Send(
				t,
			); resp.StatusCode != 403 ||
				len(resp.Cookies()) > 0 {
				t.Errorf("POST %s from %s: %s", path, name, resp.Status)
			}
		}
	}
	// What is public stays so.
	for _, path := range []string{
		"/why",
		"/why/code-used",
		"/static/style.css",
		"/healthz",
		"/metrics",
		"/fhir/Practitioner?identifier=" + testkit.Nurse,
		"/api/v1/openapi.json",
	} {
		if resp, _ := (testkit.Visit{Method: "GET", At: s.ConsoleURL + path, Header: crossSite}).Send(
			t,
		); resp.StatusCode != 200 ||
			len(resp.Cookies()) > 0 {
			t.Errorf("%s: %s %v", path, resp.Status, resp.Cookies())
		}
	}
	if status := s.API("GET", "/identities/"+testkit.Nurse, "", nil); status != 200 {
		t.Errorf("the nurse: %d", status)
	}
}

// The address of a page in a report or on an error page ends on a page for a
// person, who goes on from there.
func TestAttack42ALinkFromElsewhereEndsOnAPageThatGoesOn(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	testkit.NewRelyingParty(s, s.DemoCertificate()).UserInfo(testkit.Nurse)
	resp, body := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/identities/" + testkit.Nurse, Header: linked}.Send(t)
	if resp.StatusCode != 403 || !strings.Contains(body, `data-testid="console-continue"`) ||
		!strings.Contains(body, `href="/identities/`+testkit.Nurse+`"`) {
		t.Fatalf("%s\n%s", resp.Status, body)
	}
	own := map[string]string{
		"Sec-Fetch-Site": "same-origin",
		"Sec-Fetch-Mode": "navigate",
		"Sec-Fetch-Dest": "document",
		"Accept":         "text/html",
	}
	resp, body = testkit.Visit{Method: "GET", At: s.ConsoleURL + "/identities/" + testkit.Nurse, Header: own}.Send(t)
	if resp.StatusCode != 200 || !strings.Contains(body, testkit.Nurse) || len(resp.Cookies()) != 1 {
		t.Errorf("going on: %s %v", resp.Status, resp.Cookies())
	}
	// A refusal's page shows the catalogue to anybody, the login to who goes on.
	s.Post("token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"demo"}, "code": {"never-issued"}})
	var list struct {
		Items []struct{ ID string }
	}
	s.API("GET", "/logins?event=token", "", &list)
	why := s.ConsoleURL + "/why/code-unknown?login=" + list.Items[0].ID
	resp, body = testkit.Visit{Method: "GET", At: why, Header: linked}.Send(t)
	if resp.StatusCode != 200 || strings.Contains(body, "/logins/"+list.Items[0].ID) ||
		!strings.Contains(body, `data-testid="why-login"`) {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	resp, body = testkit.Visit{Method: "GET", At: why, Header: own}.Send(t)
	if resp.StatusCode != 200 || !strings.Contains(body, "/logins/"+list.Items[0].ID) {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	for _, to := range []string{
		"https://evil.example/",
		"//evil.example/",
		`/\evil.example`,
		"/%0d%0aSet-Cookie:x=1",
		"javascript:alert(1)",
	} {
		resp, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/open?to=" + url.QueryEscape(to)}.Send(t)
		if at := resp.Header.Get(
			"Location",
		); strings.Contains(at, "evil") || strings.Contains(at, ":") && !strings.HasPrefix(at, "/%0d") ||
			!strings.HasPrefix(at, "/") {
			t.Errorf("%s leads to %q", to, at)
		}
	}
}

func TestAttack42TheTokenOpensTheConsoleOnAPageWithBoundedTries(t *testing.T) {
	t.Parallel()
	s := testkit.StartIn(t, t.TempDir(), "console-access=link")
	paste := func(token, to string) *http.Response {
		resp, _ := testkit.Visit{
			Method: "POST",
			At:     s.ConsoleURL + "/open",
			Body:   url.Values{"token": {token}, "to": {to}}.Encode(),
		}.Send(
			t,
		)
		return resp
	}
	resp := paste(s.APIToken, "/clients")
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/clients" || len(resp.Cookies()) != 1 ||
		strings.Contains(resp.Header.Get("Set-Cookie"), s.APIToken) {
		t.Fatalf("the right token: %s %v", resp.Status, resp.Header)
	}
	limited := false
	for n := range 15 {
		switch resp := paste(fmt.Sprintf("wrong-%d", n), ""); {
		case resp.StatusCode == 429 && resp.Header.Get("Retry-After") != "":
			limited = true
		case resp.StatusCode != 403:
			t.Errorf("try %d: %s", n, resp.Status)
		}
	}
	if !limited {
		t.Error("fifteen wrong tokens in a row")
	}
	// Whoever holds the link is not locked out by it, nor is who works already.
	if resp, _ := (testkit.Visit{Method: "GET", At: reopened(s)}).Send(t); resp.StatusCode != 303 {
		t.Errorf("the link: %s", resp.Status)
	}
	if got, _ := (testkit.Visit{Method: "GET", At: s.ConsoleURL + "/clients", Cookies: resp.Cookies()}).Send(
		t,
	); got.StatusCode != 200 {
		t.Errorf("the page: %s", got.Status)
	}
}

// Whoever is let in without the API token never sees one.
func TestAttack42ASessionNeverSeesAnAPIToken(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	space := s.Space("seen")
	got, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/"}.Send(t)
	for _, path := range []string{
		"/",
		"/clients/demo",
		"/api/v1/ready",
		"/api/v1/spaces",
		"/api/v1/spaces/seen",
		"/api/v1/state",
		"/api/v1/settings",
		"/api/v1/clients/demo",
		"/scenario",
		"/doctor",
		"/demo",
		"/api/v1/openapi.json",
		"/metrics",
	} {
		resp, body := testkit.Visit{Method: "GET", At: s.ConsoleURL + path, Cookies: got.Cookies()}.Send(t)
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
		for name, secret := range map[string]string{
			"the API token":         s.APIToken,
			"the space's API token": space.APIToken,
			"the link":              s.OpenURL,
			"the space's link":      space.OpenURL,
		} {
			if strings.Contains(body, secret) || secret == "" {
				t.Errorf("%s shows %s", path, name)
			}
		}
	}
	made, _ := http.NewRequest("POST", s.APIURL+"/spaces", strings.NewReader(`{"name":"by-session"}`))
	made.Header.Set("Content-Type", "application/json")
	made.AddCookie(got.Cookies()[0])
	resp, err := http.DefaultClient.Do(made)
	if err != nil {
		t.Fatal(err)
	}
	if body := testkit.Text(t, resp); resp.StatusCode != 201 || !strings.Contains(body, `"api_token":""`) {
		t.Errorf("making a space: %s %s", resp.Status, body)
	}
}
