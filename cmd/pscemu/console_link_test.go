package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"pscemu.invalid/pscemu/internal/testkit"
)

var crossSite = map[string]string{
	"Sec-Fetch-Site": "cross-site",
	"Sec-Fetch-Mode": "no-cors",
	"Sec-Fetch-Dest": "image",
}

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
	if resp, _ := (testkit.Visit{
		Method: "GET",
		At:     s.APIURL + "/clock",
		Header: map[string]string{"Authorization": "Bearer " + mine[0].Value},
	}).Send(
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

// A page of another local port in the same browser, which has the console open.
func TestAttack42BrowserOtherLocalPort(t *testing.T) {
	s := boot(t, "--console-access", "link")
	ctx := chrome(t, s, "")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(
			w,
			`<!doctype html><title>other</title><body `+
				`data-testid="other"><a data-testid="link" href="`+s.ConsoleURL+`/identities">console</a>
<form method="post" action="`+s.ConsoleURL+`/identities/`+testkit.Nurse+`/delete">
<button data-testid="post">post</button></form>
<a data-testid="post-frame" href="/frame">frame</a><pre data-testid="out"></pre><script>
const at = "`+s.ConsoleURL+`", out = document.querySelector("[data-testid=out]");
const tries = { cors: {credentials: "include"},
  opaque: {credentials: "include", mode: "no-cors"},
  post: {credentials: "include", mode: "no-cors", method: "POST",
    body: new URLSearchParams({kit: "integration"})} };
(async () => {
  const said = [];
  const paths = ["/identities", "/api/v1/identities", "/cards/kit", "/demo/start", "/open?to=/identities"];
  for (const [name, how] of Object.entries(tries)) for (const path of paths) {
    try {
      const r = await fetch(at + path, how);
      said.push(name + " " + path + " " + r.type + " " + r.status + " " + (await r.text()).length);
    } catch (e) { said.push(name + " " + path + " failed"); }
  }
  for (const path of ["/identities", "/api/v1/state"]) await new Promise((done) => {
    const i = document.createElement("iframe"); 
    i.src = at + path; i.onload = i.onerror = done; document.body.append(i); });
  for (const path of ["/api/v1/identities", "/phone/state"]) await new Promise((done) => {
    const i = document.createElement("script"); 
    i.src = at + path; i.onload = i.onerror = done; document.body.append(i); });
  try {
    said.push("frame " + document.querySelector("iframe").contentDocument.body.textContent.length);
  } catch (e) { said.push("frame closed"); }
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
