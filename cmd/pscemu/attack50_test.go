package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/testkit"
)

// opposite is a value that strict does not hold the policy to.
func opposite(t *testing.T, name, held string) string {
	t.Helper()
	for _, value := range []string{"true", "false", "text"} {
		if _, err := config.Load(map[string]string{name: value}, nil, ""); err == nil && value != held {
			return value
		}
	}
	t.Fatalf("%s has one value only", name)
	return ""
}

// everyDoorIsShut holds the server to strict: what it shows, and what it does.
func everyDoorIsShut(t *testing.T, s *server) {
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
	s.doorsDoNothing(t)
}

// doorsDoNothing tries what the doors would do.
func (s *server) doorsDoNothing(t *testing.T) {
	t.Helper()
	for _, client := range []string{"demo", "open"} {
		q := url.Values{
			"response_type": {"code"},
			"client_id":     {client},
			"redirect_uri":  {testkit.CallbackURL},
			"scope":         {"openid"},
			"login_hint":    {"auto:" + testkit.Nurse},
		}
		browser := s.Browser()
		resp, err := browser.Get(s.BaseURL + "/auth?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		page := testkit.Text(t, resp)
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
		posted, err := browser.PostForm(at.String()+"/test", url.Values{"identity": {testkit.Nurse}})
		if err != nil {
			t.Fatal(err)
		}
		if posted.Body.Close(); posted.StatusCode != 422 {
			t.Errorf("test identity: %s", posted.Status)
		}
		if posted, err = browser.PostForm(at.String()+"/ecps", url.Values{"login": {testkit.Nurse}}); err != nil {
			t.Fatal(err)
		}
		if page := testkit.Text(t, posted); !strings.Contains(page, `data-testid="ecps-wait"`) {
			t.Errorf("a phone answered by itself: %.400s", page)
		}
		request := s.Latest(testkit.Nurse)
		if got := s.CodeOf("POST", "/ecps/requests/"+request.ID+"/approve", `{"totp":"123456"}`); got != "door-closed" {
			t.Errorf("a one-time password: %s", got)
		}
		s.API("POST", "/ecps/requests/"+request.ID+"/refuse", "", nil)
	}
	if got := s.CodeOf(
		"POST",
		"/logins",
		`{"authorize_url":"`+s.BaseURL+`/auth?x=1","identity":"`+testkit.Nurse+`"}`,
	); got != "door-closed" {
		t.Errorf("POST /logins: %s", got)
	}
	if got := s.CodeOf("PUT", "/faults", `{"items":[{"kind":"slow"}]}`); got != "door-closed" {
		t.Errorf("a fault: %s", got)
	}
}

// Every policy that strict holds, by every path that could set it.
func TestAttack50UnderStrictNoPathOpensADoor(t *testing.T) {
	s := boot(t, "--strict")
	before := testkit.Encoded(t, s.settings())
	for name, held := range config.HeldByStrict() {
		value := opposite(t, name, held)
		want := "setting-strict"
		if strings.HasPrefix(name, "door-") {
			want = "doors-strict"
		}
		one := fmt.Sprintf(`{%q:%q}`, name, value)
		client := func(id string) string {
			return fmt.Sprintf(
				`{"client_id":%q,"redirect_uris":["https://a.example/"],"policies":{%q:%q}}`,
				id,
				name,
				value,
			)
		}
		for path, call := range map[string]struct{ method, path, body string }{
			"settings":            {"PATCH", "/settings", one},
			"settings and more":   {"PATCH", "/settings", fmt.Sprintf(`{"acr":"eidas3",%q:%q}`, name, value)},
			"with underscores":    {"PATCH", "/settings", fmt.Sprintf(`{%q:%q}`, strings.ReplaceAll(name, "-", "_"), value)},
			"doors":               {"PATCH", "/doors", fmt.Sprintf(`{%q:%q}`, strings.TrimPrefix(name, "door-"), value)},
			"scenario":            {"POST", "/scenarios", "settings:\n  " + name + ": \"" + value + "\"\n"},
			"a client":            {"POST", "/clients", client("x")},
			"a client, replaced":  {"PUT", "/clients/x", client("x")},
			"a client, changed":   {"PATCH", "/clients/demo", fmt.Sprintf(`{"policies":%s}`, one)},
			"a scenario's client": {"POST", "/scenarios", `{"clients":[` + client("x") + `]}`},
			"a person": {"POST", "/identities",
				fmt.Sprintf(`{"national_id":"899709999999","family_name":"A","given_name":"B","policies":%s}`, one)},
		} {
			got := s.CodeOf(call.method, call.path, call.body)
			if got != want && got != "policy-unknown" { // not one of a client, of a person, or no door
				t.Errorf("%s=%s by %s: %q", name, value, path, got)
			}
			if path == "settings" && got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	if after := testkit.Encoded(t, s.settings()); after != before {
		t.Errorf("the settings changed:\n%s\n%s", before, after)
	}
	if status := s.API("PATCH", "/settings", `{"door-totp":false,"acr":"eidas2"}`, nil); status != 200 {
		t.Errorf("what strict holds it to: %d", status)
	}
	everyDoorIsShut(t, s)
	everyDoorIsShut(t, s.space("within"))
	if got := s.space("other").CodeOf("PATCH", "/doors", `{"login-hint":true}`); got != "doors-strict" {
		t.Errorf("a space's door: %q", got)
	}
}

func (s *server) settings() (list struct{ Items []config.Setting }) {
	s.API("GET", "/settings", "", &list)
	return list
}

// What was stored while strict was off opens nothing when it is on.
func TestAttack50AStateOfALenientWorldOpensNothing(t *testing.T) {
	data := t.TempDir()
	lenient := bootIn(t, data)
	lenient.API(
		"POST",
		"/clients",
		fmt.Sprintf(
			`{"client_id":"open","redirect_uris":[%q],"policies":{"door-login-hint":"true","binding-message":"text"}}`,
			testkit.CallbackURL,
		),
		nil,
	)
	read := func() string {
		var state json.RawMessage
		if status := lenient.API("GET", "/state", "", &state); status != 200 {
			t.Fatal(status)
		}
		return string(state)
	}
	stored := read()
	if status := lenient.API(
		"PATCH",
		"/settings",
		`{"door-login-hint":true,"hide-unknown-ids":false}`,
		nil,
	); status != 200 {
		t.Fatal(status)
	}
	changed := read()
	lenient.stop(os.Interrupt)

	for name, s := range map[string]*server{"the same folder": bootIn(t, data, "--strict"), "another": boot(t, "--strict", "--memory")} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			if got := s.CodeOf("PUT", "/state", changed); got != "doors-strict" && got != "setting-strict" {
				t.Errorf("a state with open doors: %q", got)
			}
			if status := s.API("PUT", "/state", stored, nil); status >= 300 {
				t.Fatalf("a state with a client's policies: %d", status)
			}
			everyDoorIsShut(t, s)
			s.API("DELETE", "/state", "", nil)
			everyDoorIsShut(t, s)
		})
	}
}

// Flags, environment and file that contradict strict are named at the start.
func TestAttack50WhatContradictsStrictIsNamedAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("binding-message: text\nstrict: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PSCEMU_HIDE_UNKNOWN_IDS", "false")
	args := []string{"--config", file}
	for name, held := range config.HeldByStrict() {
		if strings.HasPrefix(name, "door-") {
			args = append(args, "--"+name+"="+opposite(t, name, held))
		}
	}
	var log bytes.Buffer
	s := bootLogging(t, t.TempDir(), &log, args...)
	everyDoorIsShut(t, s)
	s.stop(os.Interrupt)
	for name := range config.HeldByStrict() {
		if !strings.Contains(log.String(), name) {
			t.Errorf("%s is not named in %s", name, log.String())
		}
	}
}
