package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/lab/check"
	"pscemu.invalid/pscemu/lab/check/sample"
)

// application runs the sample application against the server, with faults
// planted, as a client registered for it.
func (s *server) application(planted ...string) string {
	s.T.Helper()
	web := httptest.NewUnstartedServer(nil) // its address goes into the registration
	url := strings.Replace("http://"+web.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	s.Register(
		"sample",
		map[string]any{"redirect_uris": []string{url + "/callback"}, "post_logout_redirect_uris": []string{url + "/"}},
	)
	a, err := sample.New(
		context.Background(),
		sample.Config{
			Issuer:      s.Issuer,
			ClientID:    "sample",
			Certificate: *s.Issued("sample"),
			Roots:       s.Roots(),
			URL:         url,
			Planted:     planted,
		},
	)
	if err != nil {
		s.T.Fatal(err)
	}
	web.Config.Handler = a
	web.Start()
	s.T.Cleanup(web.Close)
	return url
}

// verdict runs the check as a user does, and returns the report with its exit
// code.
func (s *server) verdict(app string, more ...string) (*check.Report, int, string) {
	s.T.Helper()
	return s.examine(append([]string{"--start", app + "/login", "--logged-in", "text=Bienvenue", "--page", app + "/",
		"--logout", app + "/logout"}, more...)...)
}

// examine runs the check with these arguments.
func (s *server) examine(more ...string) (*check.Report, int, string) {
	s.T.Helper()
	cmd := exec.Command(binary, append([]string{"check", "--data", s.data, "--output", "json"}, more...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, _ := cmd.Output()
	var r check.Report
	if err := json.Unmarshal(out, &r); err != nil {
		s.T.Fatalf("%v: %s%s", err, out, errs.String())
	}
	return &r, cmd.ProcessState.ExitCode(), errs.String()
}

func failures(r *check.Report) []string {
	out := []string{}
	for _, f := range r.Failed() {
		out = append(out, f.ID)
	}
	slices.Sort(out)
	return out
}

// mayNotApply are the scenarios that an application with cached keys, on plain
// HTTP, never meets.
var mayNotApply = []string{"cookie-secure", "jwks-slow", "jwks-status", "jwks-malformed", "jwks-cut"}

// The demo is the application that we show as an example.
func TestTheDemoPassesEveryScenarioOfTheCheck(t *testing.T) {
	s := boot(t)
	for name, w := range map[string]*server{"the server's own world": s, "a space": s.space("checked")} {
		demo := w.ConsoleURL + "/demo"
		out, code, errs := w.examine("--start", demo+"/start", "--logged-in", "text=demo-logged-in", "--page", demo,
			"--logout", demo+"/logout")
		for _, f := range out.Findings {
			if f.Verdict == check.Failed ||
				f.Verdict == check.NotApplicable && !slices.Contains(mayNotApply, f.ID) {
				t.Errorf("%s: %s: %s: %s", name, f.ID, f.Verdict, f.What)
			}
		}
		if code != 0 || len(out.Findings) < 90 || !strings.Contains(errs, "of ") {
			t.Errorf("%s: exit code %d, %d scenarios, progress %q", name, code, len(out.Findings), errs)
		}
	}
}

func TestTheReportsOfACheckAreWhatTheirReadersExpect(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	r, code, _ := s.verdict(
		s.application("nonce-wrong", "cookie-httponly"),
		"--report",
		file("v.html"),
		"--report",
		file("v.xml"),
		"--report",
		file("v.sarif"),
		"--report",
		file("v.json"),
		"--accept",
		"cookie-httponly,nonce-missing-in-token,nonce-wrong",
	)
	if code != 0 || len(r.Failed()) != 3 {
		t.Errorf("with all of it accepted: exit code %d, %v", code, failures(r))
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if page := string(
		read("v.html"),
	); !strings.Contains(page, "How to fix it:") ||
		!strings.Contains(page, s.ConsoleURL+"/logins/") {
		t.Errorf("the page: %.500s", page)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Failure *struct{} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(
		read("v.xml"),
		&suite,
	); err != nil || suite.Tests != len(r.Findings) || suite.Failures != 3 ||
		len(suite.Cases) != suite.Tests {
		t.Errorf("JUnit: %v %+v", err, suite)
	}
	var sarif struct {
		Version string
		Runs    []struct {
			Results []struct{ RuleID, Level string }
			Tool    struct{ Driver struct{ Rules []any } }
		}
	}
	if err := json.Unmarshal(
		read("v.sarif"),
		&sarif,
	); err != nil || sarif.Version != "2.1.0" || len(sarif.Runs[0].Results) != 3 ||
		len(sarif.Runs[0].Tool.Driver.Rules) != len(r.Findings) {
		t.Errorf("SARIF: %v %+v", err, sarif)
	}
}

func TestACheckSaysWhyItCannotBegin(t *testing.T) {
	s := boot(t)
	nothing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	defer nothing.Close()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no start":      {[]string{"--logged-in", "text=x"}, 2, "--start"},
		"no such sign":  {[]string{"--start", nothing.URL, "--logged-in", "words=x"}, 2, "text=WORDS"},
		"no such form":  {[]string{"--start", nothing.URL, "--logged-in", "text=x", "--report", "x.pdf"}, 2, "JUnit"},
		"no login":      {[]string{"--start", nothing.URL, "--logged-in", "text=x"}, 1, "sent the browser to no login"},
		"no answer":     {[]string{"--start", "http://127.0.0.1:1/", "--logged-in", "text=x"}, 1, "does not answer"},
		"no such grave": {[]string{"--start", nothing.URL, "--logged-in", "text=x", "--fail-on", "grave"}, 2, "critical"},
	} {
		cmd := exec.Command(binary, append([]string{"check", "--data", s.data}, c.args...)...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %d %s", name, cmd.ProcessState.ExitCode(), out)
		}
	}
}

func TestBrowserCheckOfTheGoodSampleApplication(t *testing.T) {
	s := boot(t)
	app := s.application()
	r, code, _ := s.verdict(app, "--browser", "--logged-in", "selector=#welcome")
	for _, f := range r.Failed() {
		t.Errorf("%s: %s", f.ID, f.What)
	}
	if code != 0 || r.Count(check.Passed) < 50 {
		t.Errorf("exit code %d, %d passed", code, r.Count(check.Passed))
	}
}
