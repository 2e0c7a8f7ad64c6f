package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"pscemu.invalid/pscemu/internal/testkit"
)

// chrome starts a real Chromium with an empty profile that trusts the
// emulator's server CA, and holds a card's certificate when one is given.
func chrome(t *testing.T, s *server, p12 string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	if testing.Short() && os.Getenv("TEST_BROWSER") != "required" {
		t.Skip("-short: no browser")
	}
	for _, tool := range []string{"chromium", "certutil", "pk12util"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing; make deps installs it", tool)
		}
	}
	home := t.TempDir()
	db := "sql:" + filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(filepath.Join(home, ".pki", "nssdb"), 0o700); err != nil {
		t.Fatal(err)
	}
	tool := func(name string, args ...string) {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	tool("certutil", "-N", "-d", db, "--empty-password")
	tool("certutil", "-A", "-d", db, "-n", "pscemu", "-t", "C,,", "-i", s.CAFile)
	if p12 != "" {
		tool("pk12util", "-i", p12, "-d", db, "-W", "pscemu", "-K", "")
	}
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox,
		chromedp.Env("HOME="+home),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.WindowSize(900, 1000),
		chromedp.Flag(
			"disable-quic",
			true,
		),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("lang", "fr"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // asks the browser to close, and waits
		cancel()
		chromedp.FromContext(ctx).Allocator.Wait()
	})
	// The first Run starts the browser; a time-out belongs to later contexts.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	limited, timeout := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(timeout)
	return limited
}

func hook(id string) string { return `[data-testid="` + id + `"]` }

// do runs actions in the browser and shows the page's text when one fails.
func do(t *testing.T, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var text, where string
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		_ = chromedp.Run(last, chromedp.Location(&where), chromedp.Text("body", &text, chromedp.ByQuery))
		t.Fatalf("%v\nat %s\n%s", err, where, text)
	}
}

func visible(id string) chromedp.Action { return chromedp.WaitVisible(hook(id), chromedp.ByQuery) }
func click(id string) chromedp.Action   { return chromedp.Click(hook(id), chromedp.ByQuery) }
func typed(id, text string) chromedp.Action {
	return chromedp.SendKeys(hook(id), text, chromedp.ByQuery)
}

// shot keeps a screenshot when SCREENS names a folder.
func shot(name string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		dir := os.Getenv("SCREENS")
		if dir == "" {
			return nil
		}
		png, err := page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	})
}

func toLoginPage(s *server) chromedp.Action { return chromedp.Navigate(s.ConsoleURL + "/demo/start") }

func TestBrowserECPSLoginWithThePhoneInASecondWindow(t *testing.T) {
	s := boot(t)
	loginWithPhone(t, chrome(t, s, ""), s)
}

// The same in a space, whose phone can be installed too.
func TestBrowserECPSLoginWithThePhoneInASpace(t *testing.T) {
	a := boot(t).space("browser")
	ctx := chrome(t, a, "")
	loginWithPhone(t, ctx, a)
	var scope string
	do(
		t,
		ctx,
		chromedp.Navigate(a.ConsoleURL+"/phone/"+testkit.Asked),
		visible("phone"),
		chromedp.Evaluate(`navigator.serviceWorker.ready.then((r) => r.scope)`, &scope, awaited),
	)
	if scope != a.ConsoleURL+"/phone" {
		t.Errorf("the worker serves %s", scope)
	}
}

func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func loginWithPhone(t *testing.T, ctx context.Context, s *server) {
	t.Helper()
	var number string
	do(
		t,
		ctx,
		toLoginPage(s),
		visible("login-page"),
		visible("emulator-band"),
		shot("login"),
		typed("national-id", testkit.Asked),
		click("remember-id"),
		click("submit-ecps"),
		visible("ecps-wait"),
		shot("ecps-wait"),
		chromedp.Text(hook("ecps-number"), &number, chromedp.ByQuery),
	)
	phone, closePhone := chromedp.NewContext(ctx)
	defer closePhone()
	do(
		t,
		phone,
		chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Asked),
		visible("phone-request"),
		shot("phone"),
		typed("phone-code", "1234"),
		chromedp.Click(
			`//label[@data-testid="phone-number"][contains(., "`+strings.TrimSpace(number)+`")]`,
			chromedp.BySearch,
		),
		click("phone-approve"),
		chromedp.WaitNotPresent(hook("phone-request"), chromedp.ByQuery),
	)
	var info, remembered string
	do(t, ctx, visible("demo-logged-in"), chromedp.Text(hook("demo-userinfo"), &info, chromedp.ByQuery), shot("demo"))
	if !strings.Contains(info, `"SubjectNameID": "`+testkit.Asked+`"`) || !strings.Contains(info, `"authMode": "MOBILE"`) {
		t.Fatalf("UserInfo: %s", info)
	}
	// A silent second login, then a logout, then the page again, remembering.
	do(
		t,
		ctx,
		click("demo-start"),
		visible("demo-logged-in"),
		click("demo-logout"),
		chromedp.WaitNotPresent(hook("demo-logged-in"), chromedp.ByQuery),
		visible("demo-start"),
		click("demo-start"),
		visible("login-page"),
		chromedp.Value(hook("national-id"), &remembered, chromedp.ByQuery),
	)
	if remembered != testkit.Asked {
		t.Errorf("remembered %q", remembered)
	}
}

func TestBrowserRefusalAndWrongNumberOfferAnotherTry(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	var why, number string
	do(
		t,
		ctx,
		toLoginPage(s),
		visible("login-page"),
		typed("national-id", "899790100533"),
		click("submit-ecps"),
		visible("retry"),
		chromedp.Text(hook("error"), &why, chromedp.ByQuery),
		shot("refused"),
	)
	if !strings.Contains(why, "refusé") {
		t.Errorf("refusal says %q", why)
	}
	do(
		t,
		ctx,
		click("retry"),
		visible("login-page"),
		typed("national-id", "899790067029"),
		click("submit-ecps"),
		visible("error"),
		chromedp.Text(hook("error"), &why, chromedp.ByQuery),
	)
	if !strings.Contains(why, "Aucune e-CPS") {
		t.Errorf("unknown id says %q", why)
	}
	do(
		t,
		ctx,
		chromedp.SetValue(hook("national-id"), testkit.Asked, chromedp.ByQuery),
		click("submit-ecps"),
		visible("ecps-wait"),
		chromedp.Text(hook("ecps-number"), &number, chromedp.ByQuery),
	)
	phone, closePhone := chromedp.NewContext(ctx)
	defer closePhone()
	do(
		t,
		phone,
		chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Asked),
		visible("phone-request"),
		typed("phone-code", "1234"),
		chromedp.Click(
			`//label[@data-testid="phone-number"][not(contains(., "`+strings.TrimSpace(number)+`"))]`,
			chromedp.BySearch,
		),
		click("phone-approve"),
		chromedp.WaitNotPresent(hook("phone-request"), chromedp.ByQuery),
	)
	do(t, ctx, visible("retry"), chromedp.Text(hook("error"), &why, chromedp.ByQuery))
	if !strings.Contains(why, "nombre") {
		t.Errorf("wrong number says %q", why)
	}
	var code string
	do(t, ctx, click("cancel"), visible("demo-start"), chromedp.Text(hook("demo-error"), &code, chromedp.ByQuery))
	if code != "access_denied" {
		t.Errorf("the service heard %q", code)
	}
}

func TestBrowserVirtualReaderWithAWrongThenARightCode(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	choose := chromedp.Click(
		`//label[@data-testid="card-choice"][contains(., "`+testkit.Nurse+`")]//input`,
		chromedp.BySearch,
	)
	var why, info string
	do(
		t,
		ctx,
		toLoginPage(s),
		visible("login-page"),
		click("tab-card"),
		visible("card-reader"),
		shot("card"),
		choose,
		chromedp.SendKeys("#pin", "9999", chromedp.ByQuery),
		click("submit-card"),
		visible(
			"error",
		),
		chromedp.Text(hook("error"), &why, chromedp.ByQuery),
		choose,
		chromedp.SendKeys("#pin", "1234", chromedp.ByQuery),
		click("submit-card"),
		visible("demo-logged-in"),
		chromedp.Text(hook("demo-userinfo"), &info, chromedp.ByQuery),
	)
	if !strings.Contains(why, "reste 2 essai") {
		t.Errorf("wrong code says %q", why)
	}
	if !strings.Contains(info, `"authMode": "CARD"`) || !strings.Contains(info, testkit.Nurse) {
		t.Errorf("UserInfo: %s", info)
	}
}

func TestBrowserTestIdentity(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	var info string
	do(
		t,
		ctx,
		toLoginPage(s),
		visible("login-page"),
		click("tab-test"),
		visible("identity-search"),
		typed("identity-search", "HERITIER\r"),
		visible("identity-choice"),
		shot("test-identity"),
		chromedp.Click(
			hook("identity-choice")+" input",
			chromedp.ByQuery,
		),
		click("submit-test"),
		visible("demo-logged-in"),
		chromedp.Text(hook("demo-userinfo"), &info, chromedp.ByQuery),
	)
	if !strings.Contains(info, testkit.Staff) {
		t.Errorf("UserInfo: %s", info)
	}
}

func TestBrowserCardCertificateFromTheBrowsersStore(t *testing.T) {
	s := boot(t)
	var cards struct{ Items []struct{ Serial string } }
	s.API("GET", "/cards?national_id="+url.QueryEscape(testkit.Doctor), "", &cards)
	p12 := filepath.Join(t.TempDir(), "card.p12")
	s.cli("cards", "export", cards.Items[0].Serial, "--p12", p12)
	// Chromium chooses by policy, as a managed workstation does.
	policies := "/etc/chromium/policies/managed"
	if err := os.MkdirAll(policies, 0o755); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(policies, "pscemu-test.json")
	if err := os.WriteFile(
		policy,
		[]byte(`{"AutoSelectCertificateForUrls":["{\"pattern\":\"https://localhost:*\",\"filter\":{}}"]}`),
		0o644,
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(policy) })
	ctx := chrome(t, s, p12)
	var info string
	do(
		t,
		ctx,
		toLoginPage(s),
		visible("login-page"),
		click("tab-card"),
		visible("card-browser"),
		click("card-browser"),
		visible("demo-logged-in"),
		chromedp.Text(hook("demo-userinfo"), &info, chromedp.ByQuery),
	)
	if !strings.Contains(info, `"authMode": "CARD"`) ||
		!strings.Contains(info, "550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:"+testkit.Doctor) {
		t.Errorf("UserInfo: %s", info)
	}
}

func TestBrowserConsolePages(t *testing.T) {
	s := boot(t)
	s.cli("login", "--identity", testkit.Nurse)
	ctx := chrome(t, s, "")
	var claims, logins string
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/"),
		visible("emulator-band"),
		shot("console"),
		chromedp.Navigate(s.ConsoleURL+"/identities"),
		visible("emulator-band"),
		shot("identities"),
		chromedp.Navigate(
			s.ConsoleURL+"/identities/"+url.PathEscape(testkit.Staff),
		),
		chromedp.Text(hook("claims"), &claims, chromedp.ByQuery),
		shot("identity"),
		chromedp.Navigate(
			s.ConsoleURL+"/cards",
		),
		visible("emulator-band"),
		shot("cards"),
		chromedp.Navigate(s.ConsoleURL+"/clients"),
		visible("emulator-band"),
		chromedp.Navigate(s.ConsoleURL+"/logins"),
		chromedp.Text("main", &logins, chromedp.ByQuery),
		shot("logins"),
	)
	if !strings.Contains(claims, testkit.Staff) {
		t.Errorf("claims: %s", claims)
	}
	if !strings.Contains(logins, testkit.Nurse) {
		t.Errorf("logins: %s", logins)
	}
}

// On a phone's width, without JavaScript, with the keyboard alone.
func TestBrowserNarrowWithoutScriptByKeyboard(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	narrow := func(page string) chromedp.Action {
		return chromedp.ActionFunc(func(ctx context.Context) error {
			var width int
			if err := chromedp.Evaluate(`document.documentElement.scrollWidth`, &width).Do(ctx); err != nil {
				return err
			}
			if width > 360 {
				t.Errorf("the %s page is %d pixels wide", page, width)
			}
			return nil
		})
	}
	var info string
	do(
		t,
		ctx,
		chromedp.EmulateViewport(360, 740),
		emulation.SetScriptExecutionDisabled(true),
		toLoginPage(s),
		visible("login-page"),
		narrow("login"),
		shot("login-narrow"),
		chromedp.KeyEvent(testkit.Asked+kb.Enter),
		visible("ecps-wait"),
		narrow("waiting"),
	)
	var waiting struct {
		Items []struct{ ID string }
	}
	s.API("GET", "/ecps/requests?national_id="+testkit.Asked, "", &waiting)
	if len(waiting.Items) != 1 {
		t.Fatalf("requests on the phone: %v", waiting)
	}
	s.API("POST", "/ecps/requests/"+waiting.Items[0].ID+"/approve", "", nil)
	do(t, ctx, visible("demo-logged-in"), chromedp.Text(hook("demo-userinfo"), &info, chromedp.ByQuery))
	if !strings.Contains(info, testkit.Asked) {
		t.Errorf("UserInfo: %s", info)
	}
}

// A relying party's page asks the session frame; then the person logs out, and
// the page, in a frame of the logout page, hears of it. Both are of one site:
// browsers give the frame no cookie on another's page.
func TestBrowserSessionFrameAndFrontChannelLogout(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "", chromedp.IgnoreCertErrors) // of the application, not of the emulator
	told := make(chan url.Values, 4)
	mux := http.NewServeMux()
	mux.HandleFunc("/cb", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(
			w,
			`<!doctype html><iframe id="op" src="`+s.Issuer+`/protocol/openid-connect/login-status-iframe.html"></iframe>
<p data-testid="known"></p><p data-testid="other"></p><script>
const state = new URLSearchParams(location.search).get("session_state");
const op = document.getElementById("op"), asked = ["known", "other"];
addEventListener("message", (e) => {
  document.querySelector("[data-testid=" + asked.shift() + "]").textContent = e.data;
  if (asked.length) ask("not-it"); });
const ask = (s) => op.contentWindow.postMessage("demo " + s, "`+s.BaseURL+`");
op.addEventListener("load", () => ask(state));
</script>`,
		)
	})
	mux.HandleFunc("/frontchannel", func(_ http.ResponseWriter, r *http.Request) { told <- r.URL.Query() })
	mux.HandleFunc(
		"/bye",
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `<p data-testid="bye">bye</p>`) },
	)
	app := httptest.NewTLSServer(mux)
	defer app.Close()
	base := strings.Replace(app.URL, "127.0.0.1", "localhost", 1)
	s.Register(
		"demo",
		map[string]any{
			"redirect_uris":             []string{base + "/cb"},
			"post_logout_redirect_uris": []string{base + "/bye"},
			"redirect_uri_policy":       "loopback",
			"frontchannel_logout_uri":   base + "/frontchannel",
		},
	)
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"demo"},
		"redirect_uri":  {base + "/cb"},
		"scope":         {"openid"},
		"login_hint":    {"auto:" + testkit.Nurse},
	}
	var known, other, where string
	full := func(id string) chromedp.Action {
		return chromedp.Poll(`document.querySelector("[data-testid=`+id+`]").textContent !== ""`, nil)
	}
	do(
		t,
		ctx,
		chromedp.Navigate(s.BaseURL+"/auth?"+q.Encode()),
		full("known"),
		full("other"),
		chromedp.Text(hook("known"), &known, chromedp.ByQuery),
		chromedp.Text(hook("other"), &other, chromedp.ByQuery),
		chromedp.Location(&where),
	)
	if known != "unchanged" || other != "changed" {
		t.Errorf("the frame says %q of the session, %q of another", known, other)
	}
	back, _ := url.Parse(where)
	_, tokens := s.Post(
		"token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {back.Query().Get("code")},
			"redirect_uri": {base + "/cb"},
		},
	)
	id, _ := tokens["id_token"].(string)
	do(
		t,
		ctx,
		chromedp.Navigate(
			s.Issuer+"/protocol/openid-connect/logout?"+url.Values{
				"id_token_hint":            {id},
				"post_logout_redirect_uri": {base + "/bye"},
			}.Encode(),
		),
		visible("bye"),
	)
	select {
	case got := <-told:
		if got.Get("iss") != s.Issuer || got.Get("sid") != back.Query().Get("session_state") {
			t.Errorf("the front channel was told %v", got)
		}
	default:
		t.Error("the front channel was not called")
	}
}

func TestBrowserCIBAByThePhoneAndByTheReader(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	var card struct{ Serial string }
	s.API("POST", "/cards", `{"national_id":"`+testkit.Asked+`","type":"CPS","pin":"4321"}`, &card)
	_, byPhone := s.Backchannel(nil)
	_, byCard := s.Backchannel(url.Values{"channel": {"CARD"}})
	var message string
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Asked),
		visible("phone-request"),
		chromedp.Text(hook("phone-message"), &message, chromedp.ByQuery),
		shot("phone-ciba"),
		typed(
			"phone-code",
			"1234",
		),
		click("phone-approve"),
		chromedp.WaitNotPresent(hook("phone-request"), chromedp.ByQuery),
		chromedp.Navigate(
			s.ConsoleURL+"/reader",
		),
		visible("reader-request"),
		shot("reader"),
		chromedp.Click(`input[name=card][value="`+card.Serial+`"]`, chromedp.ByQuery),
		chromedp.SendKeys("input[name=pin]", "4321", chromedp.ByQuery),
		click(
			"reader-approve",
		),
		chromedp.WaitNotPresent(hook("reader-request"), chromedp.ByQuery),
		chromedp.Navigate(s.ConsoleURL+"/fidelity"),
		visible("ledger"),
	)
	if message != "Ordonnance 42" {
		t.Errorf("the phone shows %q", message)
	}
	for name, o := range map[string]map[string]any{"phone": byPhone, "card": byCard} {
		if a := s.Poll(o["auth_req_id"]); a["access_token"] == nil {
			t.Errorf("%s: %v", name, a)
		}
	}
}

// From the blank form to a login as that person.
func TestBrowserEditPageFromBlankFormToLogin(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	var id, claims, info, problem string
	text := func(contains string) chromedp.Action {
		return chromedp.Poll(
			`document.querySelector("[data-testid=claims]").textContent.includes(`+strconv.Quote(contains)+`)`,
			nil,
		)
	}
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/identities"),
		click("new-identity"),
		visible("edit"),
		chromedp.SetValue(hook("edit-profession"), "40", chromedp.ByQuery),
		click("edit-begin"),
		chromedp.WaitReady(`option[value="SCD01"]`, chromedp.ByQuery),
		text(
			`40^1.2.250.1.213.1.1.5.5`,
		),
		chromedp.Clear(hook("edit-family-name"), chromedp.ByQuery),
		typed("edit-family-name", "D'ARTOIS-LÉGER"),
		text("D'ARTOIS-LÉGER"),
		shot("edit"),
		chromedp.Value(hook("edit-national-id"), &id, chromedp.ByQuery),
	)
	do(
		t,
		ctx,
		chromedp.SetValue(hook("edit-national-id"), "12", chromedp.ByQuery),
		click("edit-save"),
		visible("error"),
		chromedp.Text(hook("error"), &problem, chromedp.ByQuery),
		chromedp.SetValue(
			hook("edit-national-id"),
			id,
			chromedp.ByQuery,
		),
		click("edit-save"),
		visible("activate-ecps"),
		click("activate-ecps"),
		visible("means-ecps"),
		click("create-card"),
		visible(
			"means-card",
		),
		chromedp.Text(hook("claims"), &claims, chromedp.ByQuery),
		toLoginPage(s),
		visible("login-page"),
		typed("national-id", id),
		click("submit-ecps"),
		visible("demo-logged-in"),
		chromedp.Text(hook("demo-userinfo"), &info, chromedp.ByQuery),
	)
	if !strings.Contains(problem, "identifiant national") {
		t.Errorf("the wrong id says %q", problem)
	}
	if !strings.Contains(claims, "D'ARTOIS-LÉGER") || !strings.Contains(info, "D'ARTOIS-LÉGER") ||
		!strings.Contains(info, id) ||
		!strings.Contains(info, `"40^`) {
		t.Errorf("claims %s\nUserInfo %s", claims, info)
	}
	if out := s.cli("login", "--identity", id, "--means", "card"); !strings.Contains(out, `"authMode": "CARD"`) {
		t.Errorf("by card: %s", out)
	}
}

// settled waits until the page is there and its script is not at work.
func settled(ctx context.Context) error {
	for {
		var done bool
		err := chromedp.Evaluate(
			`!window.left && document.readyState === "complete" && !document.querySelector("[aria-busy=true]")`,
			&done,
		).
			Do(ctx)
		if ctx.Err() != nil || err == nil && done { // a page that is being left answers with an error
			return ctx.Err()
		}
	}
}

// choose picks an option of the n-th select with this hook, as a person would:
// the choices below it follow.
func choose(id string, n int, value string) chromedp.Action {
	js := fmt.Sprintf(
		`(() => { const s = document.querySelectorAll("[data-testid=%s]")[%d]; s.value = %q; s.dispatchEvent(new `+
			`Event("input", {bubbles: true})); return s.value === %q })()`,
		id,
		n,
		value,
		value,
	)
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var ok bool
		if err := chromedp.Evaluate(js, &ok).Do(ctx); err != nil || !ok {
			return fmt.Errorf("%s %d has no %s: %w", id, n, value, err)
		}
		return settled(ctx)
	})
}

// press clicks what leads to another page, and waits for that page.
func press(id string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if err := chromedp.Run(ctx, chromedp.Evaluate(`window.left = true`, nil), click(id)); err != nil {
			return err
		}
		return settled(ctx)
	})
}

// Two professions, several places, choices that follow one another, a change
// afterwards, and the login that shows it all.
func TestBrowserEditSeveralExercisesAndActivities(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	there := func(js string) chromedp.Action { return chromedp.Poll(js, nil) }
	count := func(id string, n int) chromedp.Action {
		return there(fmt.Sprintf(`document.querySelectorAll("[data-testid=%s]").length === %d`, id, n))
	}
	var id, claims string
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/identities/new"),
		visible("edit"),
		choose("edit-know-how-type", 0, "CAPA"),
		there(`!!document.querySelector('option[value="CAPA05"]') && !document.querySelector('option[value="SM26"]')`),
		choose(
			"edit-know-how",
			0,
			"CAPA05",
		),
		there(`document.querySelector("[data-testid=claims]").textContent.includes('"codeSavoirFaire": "CAPA05"')`),
		choose(
			"edit-exercise-profession",
			0,
			"21",
		),
		there(
			`!!document.querySelector('[name="e0.a0.codeSectionPharmacien"]') && `+
				`!document.querySelector('option[value="CAPA05"]')`,
		),
		choose(
			"edit-mode",
			0,
			"L",
		),
		choose("edit-sector", 0, "SA33"),
		there(
			`[...document.querySelectorAll("[data-testid=edit-structure] option")].some(o => `+
				`o.textContent.startsWith("PHARMACIE FICTIVE"))`,
		),
		choose(
			"edit-structure",
			0,
			"3",
		),
		there(`document.querySelector('[name="e0.a0.numeroFinessSite"]').value.startsWith("0B")`),
		press("edit-add-activity"),
		there(`document.querySelectorAll("[data-testid=edit-activity]").length > 1`),
		chromedp.SetValue(
			hook("edit-add-profession"),
			"60",
			chromedp.ByQuery,
		),
		press("edit-add-exercise"),
		count("edit-exercise", 2),
		shot("edit-several"),
		chromedp.Clear(
			hook("edit-family-name"),
			chromedp.ByQuery,
		),
		typed("edit-family-name", "DEUX MÉTIERS"),
		chromedp.SetValue(hook("edit-tags"), "suite-a", chromedp.ByQuery),
		chromedp.Value(hook("edit-national-id"), &id, chromedp.ByQuery),
		press("edit-save"),
		visible("activate-ecps"),
	)
	do(
		t,
		ctx,
		press("edit-person"),
		visible("edit"),
		count("edit-exercise", 2),
		press("edit-remove-activity"),
		press("edit-save"),
		visible("activate-ecps"),
		click("activate-ecps"),
		visible("means-ecps"),
		chromedp.Text(hook("claims"), &claims, chromedp.ByQuery),
	)
	for _, want := range []string{`"codeProfession": "21"`, `"codeProfession": "60"`, "DEUX MÉTIERS"} {
		if !strings.Contains(claims, want) {
			t.Errorf("no %s in %s", want, claims)
		}
	}
	if out := s.cli("login", "--identity", id); !strings.Contains(out, `"codeProfession": "60"`) {
		t.Errorf("the login: %s", out)
	}
	var p struct{ Code string }
	if s.API(
		"PUT",
		"/identities/"+id,
		`{"national_id":"`+id+`","family_name":"A","given_name":"B","exercices":[{"codeProfession":"21",`+
			`"activities":[{"codeSectionPharmacien":"H","codeSecteurDactivite":"SA33"}]}]}`,
		&p,
	); p.Code != "section-of-other-sector" {
		t.Errorf("%+v", p)
	}
}

// Search, filter, and one thing done to many; a delete of many is undone.
func TestBrowserManyPeopleAtOnce(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	s.cli("identities", "generate", "--count", "250", "--seed", "3", "--means", "card", "--mix", "60=1,10=1")
	var said, page string
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/identities?tag=generated&profession=60"),
		visible("bulk-all"),
		shot("identities"),
		chromedp.Text("table", &page, chromedp.ByQuery),
		chromedp.SendKeys(hook("bulk-tag"), "lot-1", chromedp.ByQuery),
		click("bulk-all"),
		press("bulk-tag-add"),
		visible("bulk-done"),
	)
	if strings.Contains(page, testkit.Nurse) {
		t.Error("the filter shows a persona")
	}
	var tagged struct {
		Items []struct {
			Exercices []struct{ CodeProfession string }
		}
	}
	if s.API(
		"GET",
		"/identities?tag=lot-1&limit=1000",
		"",
		&tagged,
	); len(tagged.Items) < 80 ||
		len(tagged.Items) > 170 {
		t.Errorf("%d nurses among 250 of two professions", len(tagged.Items))
	}
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/identities?tag=lot-1"),
		visible("bulk-all"),
		click("bulk-all"),
		press("bulk-ecps"),
		visible("bulk-done"),
		chromedp.Text(hook("bulk-done"), &said, chromedp.ByQuery),
	)
	if want := fmt.Sprintf("%d sur %d", len(tagged.Items), len(tagged.Items)); !strings.Contains(said, want) {
		t.Errorf("%q, want %s", said, want)
	}
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/identities?tag=lot-1"),
		visible("bulk-all"),
		chromedp.Click("input[name=id]", chromedp.ByQuery),
		press("bulk-delete"),
		visible("bulk-done"),
	)
	var left struct{ Items []any }
	if s.API("GET", "/identities?tag=lot-1&limit=1000", "", &left); len(left.Items) != len(tagged.Items)-1 {
		t.Errorf("%d of %d are left", len(left.Items), len(tagged.Items))
	}
	do(
		t,
		ctx,
		chromedp.Evaluate(`document.querySelector("details").open = true`, nil),
		press("bulk-restore"),
		visible("bulk-done"),
	)
	if s.API("GET", "/identities?tag=lot-1&limit=1000", "", &left); len(left.Items) != len(tagged.Items) {
		t.Errorf("%d of %d are back", len(left.Items), len(tagged.Items))
	}
}

// window opens another window of the same browser.
func window(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	w, done := chromedp.NewContext(ctx)
	t.Cleanup(done)
	return w
}

// narrow makes a window as wide as a phone.
func narrow() chromedp.Action { return chromedp.EmulateViewport(360, 740) }

// textOf reads a hook's text without the space around it.
func textOf(t *testing.T, ctx context.Context, id string) (text string) {
	t.Helper()
	do(t, ctx, visible(id), chromedp.Text(hook(id), &text, chromedp.ByQuery))
	return strings.TrimSpace(text)
}

// pickNumber picks the number on a phone that shows exactly one request.
func pickNumber(number string) chromedp.Action {
	return chromedp.Click(`//label[@data-testid="phone-number"][contains(., "`+number+`")]`, chromedp.BySearch)
}

// The whole way: a card on the portal, the QR code read by a phone in another
// window, a login that this phone alone can approve, the phone lost.
func TestBrowserActivationByCardAndALoginThatOnlyThisPhoneApproves(t *testing.T) {
	s := boot(t)
	pc := chrome(t, s, "")
	card := chromedp.Click(
		`//label[@data-testid="card-choice"][contains(., "`+testkit.Asked+`")]//input`,
		chromedp.BySearch,
	)
	do(
		t,
		pc,
		chromedp.Navigate(s.BaseURL+"/wallet"),
		visible("wallet"),
		shot("wallet"),
		press("wallet-activate-card"),
		visible("card-reader"),
		card,
		chromedp.SendKeys("#pin", "1234", chromedp.ByQuery),
		press("submit-card"),
		visible("activation-qr"),
		shot("activation-qr"),
	)
	qr := ""
	do(t, pc, chromedp.AttributeValue(hook("activation-qr"), "alt", &qr, nil, chromedp.ByQuery))
	phone := window(t, pc)
	do(
		t,
		phone,
		narrow(),
		chromedp.Navigate(s.ConsoleURL+"/phone"),
		visible("phone-home"),
		shot("phone-home"),
		typed("phone-qr", qr),
		press("phone-scan"),
		visible("new-code"),
		shot("phone-activate"),
		typed("new-code", "2468"),
		typed("new-code-again", "2469"),
		click("activate"),
		visible("error"),
	)
	if got := textOf(t, phone, "error"); !strings.Contains(got, "différents") {
		t.Errorf("two different codes: %s", got)
	}
	do(
		t,
		phone,
		chromedp.SetValue(hook("new-code-again"), "2468", chromedp.ByQuery),
		press("activate"),
		visible("phone"),
	)
	do(
		t,
		pc,
		chromedp.WaitVisible(`[data-testid=activation][data-state=done]`, chromedp.ByQuery),
		shot("activation-done"),
	)
	// The request appears by itself; another browser cannot answer it.
	do(
		t,
		pc,
		toLoginPage(s),
		visible("login-page"),
		typed("national-id", testkit.Asked),
		press("submit-ecps"),
		visible("ecps-wait"),
	)
	number := textOf(t, pc, "ecps-number")
	do(t, phone, visible("phone-request"), shot("phone-request"))
	thief := chrome(t, s, "")
	do(
		t,
		thief,
		chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Asked),
		visible("phone-request"),
		typed("phone-code", "2468"),
		pickNumber(number),
		press("phone-approve"),
		visible("error"),
	)
	if got := textOf(t, thief, "error"); !strings.Contains(got, "ecps-signature-wrong") {
		t.Errorf("another browser: %s", got)
	}
	do(
		t,
		phone,
		typed("phone-code", "2468"),
		pickNumber(number),
		press("phone-approve"),
		chromedp.WaitNotPresent(hook("phone-request"), chromedp.ByQuery),
	)
	do(t, pc, visible("demo-logged-in"))
	// Lost: the phone is no more, and the portal says so.
	do(
		t,
		pc,
		chromedp.Navigate(s.BaseURL+"/wallet/devices"),
		visible("device"),
		shot("devices"),
		press("device-lost"),
		visible("no-device"),
	)
	if got := textOf(t, pc, "devices"); !strings.Contains(got, "perdu") || !strings.Contains(got, "remplacé") {
		t.Errorf("the devices: %s", got)
	}
	do(t, pc, chromedp.Navigate(s.ConsoleURL+"/demo/start?"), visible("demo-logged-in")) // the session lasts
}

func TestBrowserActivationByMailAndSMSThenTestThenReplaced(t *testing.T) {
	s := boot(t)
	pc := chrome(t, s, "")
	do(
		t,
		pc,
		chromedp.Navigate(s.BaseURL+"/wallet"),
		visible("wallet"),
		press("wallet-activate-contact"),
		typed("national-id", testkit.Asked),
		press("submit-contact"),
		visible("wallet-sent"),
	)
	phone := window(t, pc)
	do(t, phone, chromedp.Navigate(s.ConsoleURL+"/outbox"), visible("message-mail"), shot("outbox"))
	sms := textOf(t, phone, "message-code")
	do(
		t,
		phone,
		press("message-link"),
		visible("activation-sms"),
		typed("activation-sms", "1"),
		typed("new-code", "1357"),
		typed("new-code-again", "1357"),
		click("activate"),
		visible("error"),
	)
	if got := textOf(t, phone, "error"); !strings.Contains(got, "SMS") {
		t.Errorf("a wrong SMS code: %s", got)
	}
	do(t, phone, chromedp.SetValue(hook("activation-sms"), sms, chromedp.ByQuery), press("activate"), visible("phone"))
	// Test my e-CPS.
	do(
		t,
		pc,
		chromedp.Navigate(s.BaseURL+"/wallet"),
		press("wallet-test"),
		visible("login-page"),
		typed("national-id", testkit.Asked),
		press("submit-ecps"),
		visible("ecps-wait"),
	)
	number := textOf(t, pc, "ecps-number")
	do(
		t,
		phone,
		visible("phone-request"),
		typed("phone-code", "1357"),
		pickNumber(number),
		press("phone-approve"),
		chromedp.WaitNotPresent(hook("phone-request"), chromedp.ByQuery),
	)
	do(t, pc, visible("bravo"), shot("bravo"))
	// A new activation replaces the phone, whose page notices at the next request.
	s.cli("ecps", "activate", testkit.Asked, "--code", "9999")
	do(
		t,
		pc,
		toLoginPage(s),
		visible("login-page"),
		typed("national-id", testkit.Asked),
		press("submit-ecps"),
		visible("ecps-wait"),
	)
	number = textOf(t, pc, "ecps-number")
	do(
		t,
		phone,
		visible("phone-request"),
		typed("phone-code", "1357"),
		pickNumber(number),
		press("phone-approve"),
		visible("error"),
	)
	if got := textOf(t, phone, "error"); !strings.Contains(got, "ecps-code-wrong") {
		t.Errorf("the replaced phone: %s", got)
	}
	// Nobody answers in time.
	s.API("PUT", "/clock", `{"offset":"121s"}`, nil)
	do(t, pc, visible("retry"))
	if got := textOf(t, pc, "error"); !strings.Contains(got, "ecps-expired") {
		t.Errorf("out of time: %s", got)
	}
}

// One person in two browsers; the portal ends both sessions.
func TestBrowserLogOutOfAllSessions(t *testing.T) {
	s := boot(t)
	one, two := chrome(t, s, ""), chrome(t, s, "")
	for _, ctx := range []context.Context{one, two} {
		do(
			t,
			ctx,
			toLoginPage(s),
			visible("login-page"),
			typed("national-id", testkit.Nurse),
			press("submit-ecps"),
			visible("demo-logged-in"),
		)
	}
	do(t, one, chromedp.Navigate(s.BaseURL+"/wallet/sessions"), visible("sessions"), shot("sessions"))
	var shown int
	do(
		t,
		one,
		chromedp.Evaluate(`document.querySelectorAll("[data-testid=session]").length`, &shown),
		press("end-sessions"),
	)
	if shown != 2 {
		t.Errorf("%d sessions are shown", shown)
	}
	for _, ctx := range []context.Context{one, two} {
		do(t, ctx, toLoginPage(s), visible("login-page")) // no silent login any more
	}
}

func TestBrowserSeveralPhonesSideBySideInEnglishAndOffline(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	other := "899790067021"
	s.API("PUT", "/identities/"+testkit.Nurse+"/ecps/behaviour", `{"action":"ask"}`, nil)
	do(t, ctx, chromedp.Navigate(s.ConsoleURL+"/phone/side?id="+testkit.Nurse+"&id="+other), visible("phone"))
	s.AtPhone(testkit.Nurse)
	do(t, ctx, chromedp.WaitVisible(`[data-person="`+testkit.Nurse+`"] `+hook("phone-request"), chromedp.ByQuery))
	// A code being typed is not disturbed by another person's request.
	do(t, ctx, chromedp.SendKeys(`[data-person="`+testkit.Nurse+`"] [name=code]`, "12", chromedp.ByQuery))
	s.AtPhone(other)
	var typedCode string
	do(
		t,
		ctx,
		chromedp.WaitVisible(`[data-person="`+other+`"] `+hook("phone-request"), chromedp.ByQuery),
		chromedp.Value(`[data-person="`+testkit.Nurse+`"] [name=code]`, &typedCode, chromedp.ByQuery),
		shot("phones-side"),
	)
	if typedCode != "12" {
		t.Errorf("the code typed is %q", typedCode)
	}
	for lang, want := range map[string]string{"fr": "demande votre identité", "en": "asks who you are"} {
		do(
			t,
			ctx,
			narrow(),
			chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Nurse+"?lang="+lang),
			visible("phone-request"),
			shot("phone-360-"+lang),
		)
		if got := textOf(t, ctx, "phone-request"); !strings.Contains(got, want) {
			t.Errorf("%s: %s", lang, got)
		}
	}
	// Installable: the manifest is found and the worker is at work; without a
	// network the page shows its last state.
	do(
		t,
		ctx,
		chromedp.Poll(`navigator.serviceWorker.ready.then(() => true)`, nil),
		chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Nurse),
		visible("phone-request"),
		chromedp.Poll(
			`caches.keys().then(async (k) => k.length > 0 && !!(await (await caches.open(k[0])).match(location.href)))`,
			nil,
		),
	)
	s.stop(syscall.SIGTERM)
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/phone/"+testkit.Nurse),
		visible("phone-request"),
		shot("phone-offline"),
		chromedp.Poll(`document.querySelector("[data-note]").textContent !== ""`, nil),
	)
}

func TestBrowserLoginAndWaitingPagesIn360PixelsFrenchAndEnglish(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	for locales, want := range map[string][2]string{
		"":   {"SE CONNECTER AVEC E-CPS", "Validez"},
		"en": {"LOG IN WITH E-CPS", "Approve"},
		"de": {"LOG IN WITH E-CPS", "Approve"},
	} {
		q := url.Values{
			"response_type": {"code"},
			"client_id":     {"demo"},
			"redirect_uri":  {testkit.CallbackURL},
			"scope":         {"openid"},
			"ui_locales":    {locales},
		}
		if locales == "" {
			q.Del("ui_locales")
		}
		var wide bool
		var button, wait string
		do(t, ctx, narrow(), chromedp.Navigate(s.BaseURL+"/auth?"+q.Encode()))
		if locales == "de" { // unknown: as chosen before
			do(t, ctx, chromedp.Navigate(s.BaseURL+"/wallet?lang=en"), chromedp.Navigate(s.BaseURL+"/auth?"+q.Encode()))
		}
		do(
			t,
			ctx,
			visible("submit-ecps"),
			chromedp.Text(hook("submit-ecps"), &button, chromedp.ByQuery),
			shot("login-360-"+locales),
			typed("national-id", testkit.Asked),
			press("submit-ecps"),
			visible("ecps-wait"),
			chromedp.Text("h1", &wait, chromedp.ByQuery),
			shot("wait-360-"+locales),
			chromedp.Evaluate(`document.documentElement.scrollWidth > 360`, &wide),
			press("cancel"),
		)
		if button != want[0] || !strings.HasPrefix(wait, want[1]) || wide {
			t.Errorf("%q: %q %q, wider than the screen: %v", locales, button, wait, wide)
		}
		do(t, ctx, chromedp.Navigate(s.BaseURL+"/wallet?lang=fr"), visible("wallet"))
	}
}

func TestBrowserTheListOfLoginsIsLive(t *testing.T) {
	s := boot(t)
	a := s.space("live")
	ctx := chrome(t, s, "")
	for name, at := range map[string]*server{"the server's own": s, "a space's": a} {
		row := `//table[@data-testid="logins"]//td[text()="` + testkit.Doctor + `"]`
		do(
			t,
			ctx,
			chromedp.Navigate(at.ConsoleURL+"/logins"),
			visible("logins"),
			chromedp.WaitNotPresent(row, chromedp.BySearch),
		)
		testkit.NewRelyingParty(at.Server, at.DemoCertificate()).Tokens(testkit.Doctor, "n")
		do(t, ctx, chromedp.WaitVisible(row, chromedp.BySearch))
		var list struct{ Items []struct{ ID string } }
		at.API("GET", "/logins", "", &list)
		var drawn string
		do(
			t,
			ctx,
			chromedp.Navigate(at.ConsoleURL+"/logins/"+list.Items[0].ID),
			visible("sequence"),
			chromedp.TextContent(hook("sequence"), &drawn, chromedp.ByQuery),
			shot("login-story"),
		)
		if !strings.Contains(drawn, "1. authorize") || !strings.Contains(drawn, "4. token") {
			t.Errorf("%s: the diagram says %q", name, drawn)
		}
	}
}
