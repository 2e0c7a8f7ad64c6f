package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
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

func (s *server) reopened() string {
	s.T.Helper()
	raw, err := os.ReadFile(filepath.Join(s.data, "ready.json"))
	if err != nil {
		s.T.Fatal(err)
	}
	var r Ready
	if err := testkit.Decode(strings.NewReader(string(raw)), &r); err != nil {
		s.T.Fatal(err)
	}
	return r.OpenURL
}

func TestAttack42NoRefusalSetsACookie(t *testing.T) {
	for _, mode := range []string{"open", "link"} {
		s := boot(t, "--console-access", mode)
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
			"a foreign host":                 {testkit.Visit{Method: "GET", At: at("/"), Header: with(nil, "Host", "evil.example")}, 403},
			"a foreign origin":               {testkit.Visit{Method: "GET", At: at("/"), Header: with(nil, "Origin", "http://127.0.0.1:3000")}, 403},
			"no origin of its own":           {testkit.Visit{Method: "POST", At: at("/sign"), Body: "x=1", Header: with(nil, "Origin", "null")}, 403},
			"a form without a session":       {testkit.Visit{Method: "POST", At: at("/cards/kit"), Body: "kit=integration", Header: with(nil, "Accept", "text/html")}, 403},
			"an unknown page":                {testkit.Visit{Method: "GET", At: at("/nowhere"), Header: with(nil, "Accept", "text/html")}, 404},
			"an unknown page, posted to":     {testkit.Visit{Method: "POST", At: at("/nowhere"), Body: "x=1", Header: with(nil, "Accept", "text/html")}, 404},
			"an unknown operation":           {testkit.Visit{Method: "POST", At: at("/api/v1/nothing"), Body: "x=1"}, 404},
			"a wrong method":                 {testkit.Visit{Method: "DELETE", At: at("/identities"), Header: with(nil, "Accept", "text/html")}, 405},
			"a wrong method of an operation": {testkit.Visit{Method: "DELETE", At: at("/api/v1/clients")}, 405},
			"the API without its token":      {testkit.Visit{Method: "GET", At: at("/api/v1/identities")}, 401},
			"a wrong token":                  {testkit.Visit{Method: "POST", At: at("/open"), Body: "token=x", Header: with(nil, "Accept", "text/html")}, 403},
			"another site's link":            {testkit.Visit{Method: "GET", At: at("/identities"), Header: linked}, 403},
			"another port's script":          {testkit.Visit{Method: "GET", At: at("/identities"), Header: otherPort}, 403},
			"a language from another site":   {testkit.Visit{Method: "GET", At: at("/why?lang=en"), Header: crossSite}, 200},
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
				"a page":         {testkit.Visit{Method: "GET", At: at("/identities"), Header: map[string]string{"Accept": "text/html"}}, 401},
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
	s := boot(t)
	got, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/"}.Send(t)
	cookies := got.Cookies()
	if len(cookies) != 1 || cookies[0].Value == s.APIToken || !cookies[0].HttpOnly ||
		cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the console's cookie: %v", cookies)
	}
	// Browsers send the cookie along with what another port's page asks for.
	for _, path := range []string{"/", "/identities", "/identities/" + testkit.Nurse, "/cards", "/clients/demo", "/logins", "/outbox", "/phone/" + testkit.Nurse, "/phone/state", "/phone/stream", "/logins/stream", "/scenario", "/desk", "/demo", "/demo/start", "/desk/start", "/doctor?app=http://127.0.0.1:1/",
		"/api/v1/identities", "/api/v1/state", "/api/v1/ready", "/api/v1/ecps/requests/stream", "/debug/pprof/", "/reader", "/orders", "/certificates"} {
		for name, says := range map[string]map[string]string{"cross-site": crossSite, "another port": otherPort, "a frame": framed, "an old browser": oldBrowser} {
			resp, body := testkit.Visit{Method: "GET", At: s.ConsoleURL + path, Header: says, Cookies: cookies}.Send(t)
			if path == "/debug/pprof/" && resp.StatusCode == 404 {
				continue // not served
			}
			if resp.StatusCode != 403 || len(resp.Cookies()) > 0 || strings.Contains(body, testkit.Nurse) {
				t.Errorf("%s from %s: %s\n%.200s", path, name, resp.Status, body)
			}
		}
	}
	for _, path := range []string{"/cards/kit", "/identities/" + testkit.Nurse + "/delete", "/scenario", "/open", "/desk/leave"} {
		for name, says := range map[string]map[string]string{"cross-site": crossSite, "another port": otherPort, "a frame": framed, "no origin": {"Origin": "null"}, "another port's origin": {"Origin": "http://127.0.0.1:3000"}, "an old browser": oldBrowser} {
			if resp, _ := (testkit.Visit{Method: "POST", At: s.ConsoleURL + path, Body: "kit=integration&token=" + s.APIToken, Header: says, Cookies: cookies}).Send(
				t,
			); resp.StatusCode != 403 ||
				len(resp.Cookies()) > 0 {
				t.Errorf("POST %s from %s: %s", path, name, resp.Status)
			}
		}
	}
	// What is public stays so.
	for _, path := range []string{"/why", "/why/code-used", "/static/style.css", "/healthz", "/metrics", "/fhir/Practitioner?identifier=" + testkit.Nurse, "/api/v1/openapi.json"} {
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
	s := boot(t)
	testkit.NewRelyingParty(s.Server, s.DemoCertificate()).UserInfo(testkit.Nurse)
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
	for _, to := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/%0d%0aSet-Cookie:x=1", "javascript:alert(1)"} {
		resp, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/open?to=" + url.QueryEscape(to)}.Send(t)
		if at := resp.Header.Get(
			"Location",
		); strings.Contains(at, "evil") || strings.Contains(at, ":") && !strings.HasPrefix(at, "/%0d") ||
			!strings.HasPrefix(at, "/") {
			t.Errorf("%s leads to %q", to, at)
		}
	}
}

func TestAttack42TheLinkServesOnceAndTheCookieIsOfNoUseElsewhere(t *testing.T) {
	s, other := boot(t, "--console-access", "link"), boot(t, "--console-access", "link")
	space := s.space("guest")
	if !strings.HasPrefix(s.OpenURL, s.ConsoleURL+"/open?") || strings.Contains(s.OpenURL, s.APIToken) {
		t.Fatalf("open_url is %s", s.OpenURL)
	}
	early := testkit.Visit{Method: "GET", At: s.OpenURL, Header: map[string]string{"Sec-Purpose": "prefetch"}}
	if resp, _ := early.Send(t); resp.StatusCode == 303 || len(resp.Cookies()) > 0 {
		t.Errorf("a prefetch: %s", resp.Status)
	}
	opened, refused := 0, 0
	var mine []*http.Cookie
	answers := make(chan *http.Response)
	for range 20 {
		go func() {
			client := &http.Client{
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			resp, err := client.Get(s.OpenURL)
			if err == nil {
				resp.Body.Close()
			}
			answers <- resp
		}()
	}
	for range 20 {
		switch resp := <-answers; {
		case resp != nil && resp.StatusCode == 303 && resp.Header.Get("Location") == "/" && len(resp.Cookies()) == 1:
			opened, mine = opened+1, resp.Cookies()
		case resp != nil && resp.StatusCode == 403 && len(resp.Cookies()) == 0:
			refused++
		}
	}
	if opened != 1 || refused != 19 {
		t.Fatalf("the link opened %d times and was refused %d times", opened, refused)
	}
	page := func(s *server, cookies []*http.Cookie) int {
		resp, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/identities", Cookies: cookies}.Send(t)
		return resp.StatusCode
	}
	if got := page(s, mine); got != 200 {
		t.Errorf("the page: %d", got)
	}
	if resp, _ := (testkit.Visit{Method: "GET", At: s.APIURL + "/clock", Cookies: mine}).Send(t); resp.StatusCode != 200 {
		t.Errorf("the API for its own page: %s", resp.Status)
	}
	if resp, _ := (testkit.Visit{Method: "GET", At: s.APIURL + "/clock", Header: map[string]string{"Authorization": "Bearer " + mine[0].Value}}).Send(
		t,
	); resp.StatusCode != 401 {
		t.Errorf("the cookie as a token: %s", resp.Status)
	}
	// Under whatever name another console expects it.
	for name, world := range map[string]*server{"another emulator": other, "a space": space} {
		resp, _ := testkit.Visit{Method: "GET", At: world.reopenURL()}.Send(t)
		theirs := resp.Cookies()
		if len(theirs) != 1 || theirs[0].Name == mine[0].Name {
			t.Fatalf("%s: %v", name, theirs)
		}
		stolen := *theirs[0]
		stolen.Value = mine[0].Value
		if got := page(world, []*http.Cookie{&stolen}); got != 401 {
			t.Errorf("%s takes the cookie: %d", name, got)
		}
		if got := page(world, theirs); got != 200 {
			t.Errorf("%s and its own: %d", name, got)
		}
	}
	// ready.json holds the next link, and it serves.
	next := s.reopened()
	if next == s.OpenURL || next == "" {
		t.Fatalf("the next link is %s", next)
	}
	if resp, _ := (testkit.Visit{Method: "GET", At: next, Header: crossSite}).Send(
		t,
	); resp.StatusCode != 303 ||
		len(resp.Cookies()) != 1 {
		t.Errorf("the next link: %s", resp.Status)
	}
	s.stop(syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(s.data, "ready.json")); !os.IsNotExist(err) {
		t.Errorf("ready.json after the end: %v", err)
	}
}

// reopenURL is the link that opens this world's console now.
func (s *server) reopenURL() string {
	s.T.Helper()
	var r Ready
	if s.API("GET", "/ready", "", &r); r.OpenURL == "" {
		s.T.Fatal("no open_url")
	}
	return r.OpenURL
}

func TestAttack42TheTokenOpensTheConsoleOnAPageWithBoundedTries(t *testing.T) {
	s := boot(t, "--console-access", "link")
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
	if resp, _ := (testkit.Visit{Method: "GET", At: s.reopened()}).Send(t); resp.StatusCode != 303 {
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
	s := boot(t)
	space := s.space("seen")
	got, _ := testkit.Visit{Method: "GET", At: s.ConsoleURL + "/"}.Send(t)
	for _, path := range []string{"/", "/clients/demo", "/api/v1/ready", "/api/v1/spaces", "/api/v1/spaces/seen", "/api/v1/state", "/api/v1/settings", "/api/v1/clients/demo", "/scenario", "/doctor", "/demo", "/api/v1/openapi.json", "/metrics"} {
		resp, body := testkit.Visit{Method: "GET", At: s.ConsoleURL + path, Cookies: got.Cookies()}.Send(t)
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
		for name, secret := range map[string]string{"the API token": s.APIToken, "the space's API token": space.APIToken, "the link": s.OpenURL, "the space's link": space.OpenURL} {
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

// A page of another local port in the same browser, which has the console open.
func TestAttack42BrowserOtherLocalPort(t *testing.T) {
	s := boot(t, "--console-access", "link")
	ctx := chrome(t, s, "")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(
			w,
			`<!doctype html><title>other</title><body data-testid="other"><a data-testid="link" href="`+s.ConsoleURL+`/identities">console</a>
<form method="post" action="`+s.ConsoleURL+`/identities/`+testkit.Nurse+`/delete"><button data-testid="post">post</button></form>
<a data-testid="post-frame" href="/frame">frame</a><pre data-testid="out"></pre><script>
const at = "`+s.ConsoleURL+`", out = document.querySelector("[data-testid=out]");
const tries = { cors: {credentials: "include"}, opaque: {credentials: "include", mode: "no-cors"}, post: {credentials: "include", mode: "no-cors", method: "POST", body: new URLSearchParams({kit: "integration"})} };
(async () => {
  const said = [];
  for (const [name, how] of Object.entries(tries)) for (const path of ["/identities", "/api/v1/identities", "/cards/kit", "/demo/start", "/open?to=/identities"]) {
    try { const r = await fetch(at + path, how); said.push(name + " " + path + " " + r.type + " " + r.status + " " + (await r.text()).length); } catch (e) { said.push(name + " " + path + " failed"); }
  }
  for (const path of ["/identities", "/api/v1/state"]) await new Promise((done) => { const i = document.createElement("iframe"); i.src = at + path; i.onload = i.onerror = done; document.body.append(i); });
  for (const path of ["/api/v1/identities", "/phone/state"]) await new Promise((done) => { const i = document.createElement("script"); i.src = at + path; i.onload = i.onerror = done; document.body.append(i); });
  try { said.push("frame " + document.querySelector("iframe").contentDocument.body.textContent.length); } catch (e) { said.push("frame closed"); }
  out.textContent = said.join("\n") + "\ndone";
})();
</script>`,
		)
	})
	app := httptest.NewServer(mux)
	defer app.Close()
	var out string
	do(
		t,
		ctx,
		chromedp.Navigate(s.OpenURL),
		visible("emulator-band"),
		chromedp.Navigate(s.ConsoleURL+"/identities"),
		visible("people-find"),
		chromedp.Navigate(
			app.URL,
		),
		chromedp.Poll(`document.querySelector("[data-testid=out]").textContent.endsWith("done")`, nil),
		chromedp.Text(hook("out"), &out, chromedp.ByQuery),
	)
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if line != "done" && !strings.HasSuffix(line, " failed") && !strings.HasSuffix(line, " opaque 0 0") &&
			line != "frame closed" &&
			line != "frame 0" {
			t.Errorf("another port's page read something: %s", line)
		}
	}
	var kits struct{ Items []any }
	if s.API("GET", "/identities?tag=integration", "", &kits); len(kits.Items) != 0 {
		t.Errorf("it had %d people made", len(kits.Items))
	}
	var logins struct{ Items []any }
	if s.API("GET", "/logins", "", &logins); len(logins.Items) != 0 {
		t.Errorf("it began a login: %v", logins.Items)
	}
	do(t, ctx, click("post"), visible("error"))
	if status := s.API("GET", "/identities/"+testkit.Nurse, "", nil); status != 200 {
		t.Errorf("its form deleted the nurse: %d", status)
	}
	// A person who follows a link from there goes on by themselves.
	do(
		t,
		ctx,
		chromedp.Navigate(app.URL),
		visible("link"),
		click("link"),
		visible("console-continue"),
		shot("console-continue"),
		click("console-continue"),
		visible("people-find"),
	)
}

func TestAttack42BrowserOpensByTheLinkOnceOrByTheToken(t *testing.T) {
	s := boot(t, "--console-access", "link")
	ctx := chrome(t, s, "")
	var where string
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/clients"),
		visible("console-token"),
		shot("console-open"),
		chromedp.Navigate(s.OpenURL),
		visible("emulator-band"),
		chromedp.Location(&where),
		chromedp.Navigate(s.ConsoleURL+"/clients"),
		chromedp.WaitVisible(`a[href="/clients/demo"]`, chromedp.ByQuery),
	)
	if where != s.ConsoleURL+"/" {
		t.Errorf("the link ends at %s", where)
	}
	// Logins of the applications come back from another site all the same.
	for at, there := range map[string]string{"/demo": "demo-logged-in", "/desk": "desk-by"} {
		do(
			t,
			ctx,
			chromedp.Navigate(s.ConsoleURL+at+"/start"),
			visible("login-page"),
			click("tab-card"),
			visible("card-choice"),
			chromedp.Click(`//label[@data-testid="card-choice"][contains(., "`+testkit.Nurse+`")]//input`, chromedp.BySearch),
			chromedp.SendKeys("#pin", "1234", chromedp.ByQuery),
			press("submit-card"),
			visible(there),
		)
		s.API("DELETE", "/state", "", nil) // the session ends, so that the next login shows its page
	}
	if out := s.cli("identities", "list"); !strings.Contains(out, testkit.Nurse) {
		t.Errorf("the commands, which have the token: %s", out)
	}
	again := chrome(t, s, "")
	do(
		t,
		again,
		chromedp.Navigate(s.OpenURL),
		visible("error"),
		visible("console-token"),
		typed("console-token", "wrong"),
		press("console-enter"),
		visible("error"),
		typed(
			"console-token",
			s.APIToken,
		),
		press("console-enter"),
		chromedp.WaitNotPresent(hook("console-token"), chromedp.ByQuery),
		chromedp.Navigate(s.ConsoleURL+"/clients"),
		chromedp.WaitVisible(`a[href="/clients/demo"]`, chromedp.ByQuery),
	)
}
