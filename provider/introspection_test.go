package provider_test

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestFormPostEscapesWhatItCarries(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
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
	t.Parallel()
	s := testkit.Start(t)
	s.AddClient("api", "https://api.example/")
	token := testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse, "").AccessToken
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
