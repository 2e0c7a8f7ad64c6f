package main

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestEveryTestThatTheStandardsPageNamesExists(t *testing.T) {
	page, err := os.ReadFile("../../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := testSources(t)
	files, _ := filepath.Glob("../../lab/conformance/*.go")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources += string(b)
	}
	sources = strings.ReplaceAll(sources, `advanced + "`, `"fapi1-advanced-final-`)
	names := regexp.MustCompile("`(Test[A-Za-z0-9]+|(?:oidcc|fapi)[a-z0-9_-]*)`").
		FindAllStringSubmatch(string(page), -1)
	if len(names) < 40 {
		t.Errorf("only %d names found", len(names))
	}
	for _, m := range names {
		if !strings.Contains(sources, "func "+m[1]+"(") && !strings.Contains(sources, `"`+m[1]+`"`) {
			t.Errorf("the page names %s, which does not exist", m[1])
		}
	}
}

func TestFormPostEscapesWhatItCarries(t *testing.T) {
	s := boot(t)
	s.AddExactClient()
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"exact"},
		"redirect_uri":  {"https://app.example/cb?x=1"},
		"scope":         {"openid"},
		"response_mode": {"form_post"},
		"state":         {`"><script>alert(1)</script>`},
		"login_hint":    {"auto:" + testkit.Nurse},
	}
	resp, err := s.HTTP(nil).Get(s.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	page := string(body)
	if resp.StatusCode != 200 || strings.Contains(page, "<script>alert") ||
		!strings.Contains(page, `action="https://app.example/cb?x=1"`) ||
		!strings.Contains(page, `name="code"`) ||
		!strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("%s %s", resp.Status, page)
	}
	if csp := resp.Header.Get(
		"Content-Security-Policy",
	); !strings.Contains(csp, "script-src 'self'") ||
		!strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("CSP %q", csp)
	}
}

func TestAClientIntrospectsItsOwnTokensOnlyUnlessThePolicySaysOtherwise(t *testing.T) {
	s := boot(t)
	s.AddClient("api", "https://api.example/")
	token := testkit.NewRelyingParty(s.Server, s.DemoCertificate()).Tokens(testkit.Nurse, "").AccessToken
	ask := func() bool {
		resp, err := s.HTTP(s.Issued("api")).
			PostForm(s.Issuer+"/protocol/openid-connect/token/introspect", url.Values{"client_id": {"api"}, "token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var a struct{ Active bool }
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a.Active
	}
	if ask() {
		t.Error("another client's token is active for it")
	}
	s.Register("api", map[string]any{"policies": map[string]string{"introspect-any": "true"}})
	if !ask() {
		t.Error("the policy does not let it")
	}
}
