package testkit

import (
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
)

// EveryDoorIsShut holds the server to strict: what it shows, and what it does.
func EveryDoorIsShut(t testing.TB, s *Server) {
	t.Helper()
	var settings struct{ Items []config.Setting }
	s.API("GET", "/settings", "", &settings)
	held := config.HeldByStrict()
	seen := 0
	for _, row := range settings.Items {
		if value, ok := held[row.Name]; ok {
			seen++
			if row.Value != value || row.Origin != "strict" {
				t.Errorf("%s is %s (%s)", row.Name, row.Value, row.Origin)
			}
		}
	}
	var doors struct {
		Items []struct {
			Name string
			Open bool
		}
	}
	s.API("GET", "/doors", "", &doors)
	for _, d := range doors.Items {
		if _, ok := held["door-"+d.Name]; !ok || d.Open {
			t.Errorf("door %s: held %v, open %v", d.Name, ok, d.Open)
		}
	}
	if seen != len(held) || len(doors.Items) < 7 {
		t.Errorf("%d of %d policies, %d doors", seen, len(held), len(doors.Items))
	}
	s.DoorsDoNothing(t)
}

// DoorsDoNothing tries what the doors would do.
func (s *Server) DoorsDoNothing(t testing.TB) {
	t.Helper()
	for _, client := range []string{"demo", "open"} {
		q := url.Values{
			"response_type": {"code"},
			"client_id":     {client},
			"redirect_uri":  {CallbackURL},
			"scope":         {"openid"},
			"login_hint":    {"auto:" + Nurse},
		}
		browser := s.Browser()
		resp, err := browser.Get(s.BaseURL + "/auth?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		page := Text(t, resp)
		if strings.Contains(page, "tab-test") || strings.Contains(page, "code=") {
			t.Errorf("%s: login_hint=auto went through, or the test tab is there: %.400s", client, page)
		}
		if !strings.Contains(page, `data-testid="login-page"`) {
			if client == "open" {
				continue // not registered here
			}
			t.Fatalf("no login page: %.400s", page)
		}
		at := *resp.Request.URL
		at.RawQuery = ""
		posted, err := browser.PostForm(at.String()+"/test", url.Values{"identity": {Nurse}})
		if err != nil {
			t.Fatal(err)
		}
		if posted.Body.Close(); posted.StatusCode != 422 {
			t.Errorf("test identity: %s", posted.Status)
		}
		if posted, err = browser.PostForm(at.String()+"/ecps", url.Values{"login": {Nurse}}); err != nil {
			t.Fatal(err)
		}
		if page := Text(t, posted); !strings.Contains(page, `data-testid="ecps-wait"`) {
			t.Errorf("a phone answered by itself: %.400s", page)
		}
		request := s.Latest(Nurse)
		if got := s.CodeOf("POST", "/ecps/requests/"+request.ID+"/approve", `{"totp":"123456"}`); got != "door-closed" {
			t.Errorf("a one-time password: %s", got)
		}
		s.API("POST", "/ecps/requests/"+request.ID+"/refuse", "", nil)
	}
	if got := s.CodeOf(
		"POST",
		"/logins",
		`{"authorize_url":"`+s.BaseURL+`/auth?x=1","identity":"`+Nurse+`"}`,
	); got != "door-closed" {
		t.Errorf("POST /logins: %s", got)
	}
	if got := s.CodeOf("PUT", "/faults", `{"items":[{"kind":"slow"}]}`); got != "door-closed" {
		t.Errorf("a fault: %s", got)
	}
}

// Opposite is a value that strict does not hold the policy to.
func Opposite(t testing.TB, name, held string) string {
	t.Helper()
	for _, value := range []string{"true", "false", "text"} {
		if _, err := config.Load(map[string]string{name: value}, nil, ""); err == nil && value != held {
			return value
		}
	}
	t.Fatalf("%s has one value only", name)
	return ""
}
