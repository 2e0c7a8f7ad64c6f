package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// Only PSC's own names are pinned to TLS: on localhost a pin breaks every
// http://localhost callback of the machine for a year.
func TestOnlyRealHostNamesArePinnedToTLS(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "hosts=psc.vendor.test,psc.localhost")
	pinned := func(host string) string {
		t.Helper()
		req, _ := http.NewRequest("GET", s.BaseURL+"/home", nil)
		req.Host = host
		resp, err := s.HTTP(nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header.Get("Strict-Transport-Security")
	}
	for _, c := range []struct {
		policy string
		want   map[string]string
	}{
		{
			"",
			map[string]string{
				"localhost:9443": "", "LOCALHOST": "", "127.0.0.1": "", "[::1]:9443": "", "psc.vendor.test": "",
				"a.localhost": "", "other.test": "", "wallet.bas.psc.esante.gouv.fr": "max-age=31536000; includeSubDomains",
				"auth.esw.esante.gouv.fr:9443": "max-age=31536000; includeSubDomains",
			},
		},
		{
			"configured",
			map[string]string{
				"localhost": "", "psc.localhost": "", "127.0.0.1": "", "psc.vendor.test:9443": "max-age=31536000",
				"other.test": "", "wallet.bas.psc.esante.gouv.fr": "max-age=31536000; includeSubDomains",
			},
		},
		{"off", map[string]string{"localhost": "", "psc.vendor.test": "", "wallet.bas.psc.esante.gouv.fr": ""}},
	} {
		if c.policy != "" {
			s.API("PATCH", "/settings", `{"hsts":"`+c.policy+`"}`, nil)
		}
		for host, want := range c.want {
			if got := pinned(host); got != want {
				t.Errorf("policy %q, %s: %q, want %q", c.policy, host, got, want)
			}
		}
	}
	if resp, _ := (testkit.Visit{Method: "GET", At: s.ConsoleURL + "/"}).Send(
		t,
	); resp.Header.Get(
		"Strict-Transport-Security",
	) != "" {
		t.Error("the console is pinned")
	}
}

// A form of a page without an origin, of another port, or of another site is
// refused on the login pages, the portal and at logout.
func TestAttack13FormsOfNoOriginOrAnotherPortAreRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	browser, page := s.LoginPage()
	send := func(at string, says map[string]string) int {
		req, _ := http.NewRequest(
			"POST",
			at,
			strings.NewReader(url.Values{"identity": {"nobody"}, "confirm": {"yes"}, "login": {testkit.Nurse}}.Encode()),
		)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range says {
			req.Header.Set(name, value)
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, at := range []string{
		page + "/test", page + "/ecps", page + "/cancel", s.BaseURL + "/wallet/contact",
		s.Issuer + "/protocol/openid-connect/logout",
	} {
		for name, says := range map[string]map[string]string{
			"null": {"Origin": "null"}, "another port": {"Origin": "https://localhost:3000"},
			"plain HTTP": {"Origin": strings.Replace(s.BaseURL, "https", "http", 1)},
			"no scheme":  {"Origin": strings.TrimPrefix(s.BaseURL, "https://")}, "same-site": {"Sec-Fetch-Site": "same-site"},
			"null of this site": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
		} {
			if got := send(at, says); got != 403 {
				t.Errorf("%s at %s: %d", name, at, got)
			}
		}
	}
	if got := send(page+"/test", map[string]string{"Origin": s.BaseURL, "Sec-Fetch-Site": "same-origin"}); got != 422 {
		t.Errorf("its own page: %d", got)
	}
}
