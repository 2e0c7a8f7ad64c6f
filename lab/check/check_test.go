package check_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/lab/check"
	"pscemu.invalid/pscemu/lab/check/sample"
	"pscemu.invalid/pscemu/pscemutest"
)

// target is an application at an emulator.
func target(t *testing.T, e *pscemutest.Emulator, app string) *check.Target {
	t.Helper()
	c, err := api.Open(e.APIURL, e.APIToken, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &check.Target{
		Start:      app + "/login",
		Logout:     app + "/logout",
		Page:       app + "/",
		LoggedIn:   check.Sign{Kind: "text", Value: "Bienvenue"},
		Base:       e.BaseURL,
		ConsoleURL: e.ConsoleURL,
		API:        c,
		NewBrowser: check.HTTPBrowsers(e.BaseURL, check.Roots([]byte(e.CA))),
	}
}

// application runs the sample application, with faults planted, and returns its
// address.
func application(t *testing.T, e *pscemutest.Emulator, planted ...string) string {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // its address goes into the registration
	app := strings.Replace("http://"+web.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	client := e.NewClient(app + "/callback")
	var registered map[string]any
	e.Call("GET", "/clients/"+client.ID, nil, &registered)
	registered["post_logout_redirect_uris"] = []string{app + "/"}
	e.Call("PUT", "/clients/"+client.ID, registered, nil)
	a, err := sample.New(t.Context(), sample.Config{
		Issuer:      e.Issuer,
		ClientID:    client.ID,
		Certificate: client.Certificate,
		Roots:       e.Roots(),
		URL:         app,
		Planted:     planted,
	})
	if err != nil {
		t.Fatal(err)
	}
	web.Config.Handler = a
	web.Start()
	t.Cleanup(web.Close)
	return app
}

// quiet hears of findings.
func quiet(int, int, check.Finding) {}

func failures(all []check.Finding) (out []string) {
	for _, f := range all {
		if f.Verdict == check.Failed {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return out
}

// mayNotApply are the scenarios that an application with cached keys, on plain
// HTTP, never meets.
var mayNotApply = []string{"cookie-secure", "jwks-slow", "jwks-status", "jwks-malformed", "jwks-cut"}

func TestTheGoodApplicationPassesAndEverythingIsTakenBack(t *testing.T) {
	t.Parallel()
	e := pscemutest.Start(t)
	done := 0
	all, err := check.Run(t.Context(), target(t, e, application(t, e)), func(n, of int, _ check.Finding) {
		if done++; n != done || of < 90 {
			t.Errorf("finding %d of %d is told as %d", done, of, n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Verdict == check.Failed || f.Verdict == check.NotApplicable && !slices.Contains(mayNotApply, f.ID) {
			t.Errorf("%s: %s: %s", f.ID, f.Verdict, f.What)
		}
		if f.Title == "" || f.Source == "" || f.Fix == "" || f.Severity == "" {
			t.Errorf("%+v says too little", f)
		}
	}
	var left struct {
		Items []struct{ Value, Name string }
	}
	if e.Call("GET", "/faults", nil, &left); len(left.Items) > 0 {
		t.Errorf("faults are left: %v", left.Items)
	}
	e.Call("GET", "/settings", nil, &left)
	for _, s := range left.Items {
		if s.Name == "access-token-lifetime" && s.Value != "2m0s" && s.Value != "120s" && s.Value != "2m" {
			t.Errorf("the life of access tokens is left at %s", s.Value)
		}
	}
}

// planted are faults of the sample application, and the scenarios in which each
// shows.
var planted = map[string][]string{
	"state-wrong":        {"state-wrong", "state-missing"}, // PKCE still binds the code to its browser
	"iss-wrong":          {"iss-wrong", "iss-missing"},
	"nonce-wrong":        {"nonce-wrong", "nonce-missing-in-token"},
	"aud-wrong":          {"aud-wrong"},
	"expired":            {"expired", "exp-missing", "issued-long-ago", "not-yet-valid"},
	"signature-wrong":    {"signature-wrong", "alg-none", "alg-hs256", "key-foreign", "kid-unknown", "key-in-header"},
	"iss-in-token-wrong": {"iss-in-token-wrong"},
	"azp-wrong":          {"azp-wrong"},
	"acr-changed":        {"acr-changed"},
	"at-hash-wrong":      {"at-hash-wrong"},
	"other-person":       {"other-person", "sub-missing-in-userinfo"},
	"claims-html":        {"claims-html"},
	"token-not-shown":    {"token-not-shown"},
	"cookie-httponly":    {"cookie-httponly"},
	"session-renewed":    {"session-renewed"},
	"values-fresh":       {"values-fresh"},
	"acr-asked":          {"acr-asked"},
	"pkce-used":          {"pkce-used"},
	"refresh-rotates":    {"refresh-rotates"},
	"logout-closes":      {"logout-closes"},
	"logout-at-psc":      {"logout-at-psc"},
	"callback-reloaded":  {"callback-reloaded"},
}

// The checks mostly wait, so they run side by side.
func TestEachPlantedFaultIsFoundAndNoOther(t *testing.T) {
	t.Parallel()
	var all errgroup.Group
	all.SetLimit(8)
	for name, want := range planted {
		slices.Sort(want)
		e := pscemutest.Start(t)
		at := target(t, e, application(t, e, name))
		all.Go(func() error {
			found, err := check.Run(context.Background(), at, quiet)
			if got := failures(found); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: found %v, want %v: %v", name, got, want, err)
			}
			return nil
		})
	}
	_ = all.Wait() // it never fails
}

func TestACheckSaysWhyItCannotBegin(t *testing.T) {
	t.Parallel()
	e := pscemutest.Start(t)
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	for app, code := range map[string]problem.Code{
		nothing.URL:          problem.CheckNoLogin,
		"http://127.0.0.1:1": problem.CheckUnreachable,
	} {
		if _, err := check.Run(t.Context(), target(t, e, app), quiet); !problem.Is(err, code) {
			t.Errorf("%s: %v, want %s", app, err, code)
		}
	}
	at := target(t, e, application(t, e))
	at.LoggedIn = check.Sign{Kind: "selector", Value: "#welcome"}
	if all, err := check.Run(
		t.Context(),
		at,
		quiet,
	); err != nil ||
		!strings.Contains(all[0].What, "a selector needs a browser") {
		t.Errorf("a selector without a browser: %v %+v", err, all[0])
	}
}

func TestACheckThatIsStoppedTakesBackItsPerson(t *testing.T) {
	t.Parallel()
	e := pscemutest.Start(t)
	var before, after struct{ Items []any }
	e.Call("GET", "/identities?limit=1000", nil, &before)
	ctx, stop := context.WithCancel(t.Context())
	all, err := check.Run(ctx, target(t, e, application(t, e)), func(int, int, check.Finding) { stop() })
	if err == nil || len(all) != 1 {
		t.Errorf("stopped after the first scenario: %d findings, %v", len(all), err)
	}
	if e.Call("GET", "/identities?limit=1000", nil, &after); len(after.Items) != len(before.Items) {
		t.Errorf("%d people are left, %d were there", len(after.Items), len(before.Items))
	}
}

func TestASignIsReadAndAnUnknownOneRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]check.Sign{
		"text=Bienvenue = bon": {Kind: "text", Value: "Bienvenue = bon"},
		"selector=#user":       {Kind: "selector", Value: "#user"},
		"status=http://a/me":   {Kind: "status", Value: "http://a/me"},
	} {
		if got, err := check.ParseSign(text); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "text=", "words=x", "Bienvenue"} {
		if _, err := check.ParseSign(text); !problem.Is(err, problem.CheckSign) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// report is one with a finding of each verdict.
func report() *check.Report {
	finding := func(id string, v check.Verdict, severity string) check.Finding {
		return check.Finding{ID: id, Title: "a <duty>", Source: "RFC 1", Severity: severity, Verdict: v, What: "it was so",
			Fix: "do so", Journal: "http://console/logins/" + id}
	}
	return &check.Report{Application: "http://app/login", At: time.Unix(0, 0), Version: "1", Findings: []check.Finding{
		finding("good", check.Passed, "critical"),
		finding("bad", check.Failed, "medium"),
		finding("none", check.NotApplicable, "low"),
	}}
}

func TestAReportIsAsGraveAsItsGravestFailure(t *testing.T) {
	t.Parallel()
	r := report()
	for level, want := range map[string]bool{"low": true, "medium": true, "high": false, "critical": false} {
		if got := r.Worse(level); got != want {
			t.Errorf("%s: %v", level, got)
		}
	}
	if r.Count(check.Passed) != 1 || len(r.Failed()) != 1 || r.Failed()[0].ID != "bad" {
		t.Errorf("%+v", r.Failed())
	}
}

func TestReportsAreWhatTheirReadersExpect(t *testing.T) {
	t.Parallel()
	written := map[string][]byte{}
	for _, file := range []string{"v.html", "v.xml", "v.sarif", "v.json"} {
		write, err := check.FormatOf(file)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := write(&b, report()); err != nil {
			t.Fatal(err)
		}
		written[file] = b.Bytes()
	}
	if page := string(
		written["v.html"],
	); !strings.Contains(page, "a &lt;duty&gt;") ||
		!strings.Contains(page, "/logins/bad") {
		t.Errorf("the page: %s", page)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	if err := xml.Unmarshal(written["v.xml"], &suite); err != nil || suite.Tests != 3 || suite.Failures != 1 {
		t.Errorf("JUnit: %v %+v", err, suite)
	}
	var sarif struct {
		Runs []struct {
			Results []struct{ RuleID, Level string }
			Tool    struct{ Driver struct{ Rules []any } }
		}
	}
	if err := json.Unmarshal(written["v.sarif"], &sarif); err != nil || len(sarif.Runs[0].Results) != 1 ||
		sarif.Runs[0].Results[0].Level != "warning" || len(sarif.Runs[0].Tool.Driver.Rules) != 3 {
		t.Errorf("SARIF: %v %+v", err, sarif)
	}
	var again check.Report
	if err := json.Unmarshal(written["v.json"], &again); err != nil || len(again.Findings) != 3 {
		t.Errorf("JSON: %v %+v", err, again)
	}
	if _, err := check.FormatOf("v.pdf"); err == nil {
		t.Error("a form that is none was taken")
	}
	var b bytes.Buffer
	check.Print(&b, report())
	if text := b.String(); !strings.Contains(text, "✗ medium   bad") || strings.Contains(text, "good —") ||
		!strings.Contains(text, "3 scenarios: 1 passed, 1 failed, 1 not applicable") {
		t.Errorf("on a terminal: %s", text)
	}
}

func TestABrowserStopsWhereTheLoginBegins(t *testing.T) {
	t.Parallel()
	login := "https://psc.test/auth?client_id=app"
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", HttpOnly: true})
			http.Redirect(w, r, login, http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/leave":
			http.SetCookie(w, &http.Cookie{Name: "session", MaxAge: -1})
		}
	}))
	defer app.Close()
	b, err := check.HTTPBrowsers("https://psc.test", nil)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	page, err := b.Open(t.Context(), app.URL+"/login")
	if err != nil || page.Login != login || len(page.Cookies) != 1 || !page.Cookies[0].HttpOnly {
		t.Errorf("%v %+v", err, page)
	}
	if page, err = b.Open(t.Context(), app.URL+"/loop"); err != nil || page.Status != http.StatusLoopDetected {
		t.Errorf("redirects without end: %v %+v", err, page)
	}
	if page, err = b.Open(t.Context(), app.URL+"/leave"); err != nil || len(page.Cookies) != 0 || page.Status != 200 {
		t.Errorf("a cookie that was taken away: %v %+v", err, page)
	}
}
