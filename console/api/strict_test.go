package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/testkit"
)

// Every policy that strict holds, by every path that could set it.
func TestAttack50UnderStrictNoPathOpensADoor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "strict=true")
	before := testkit.Encoded(t, settings(s))
	for name, held := range config.HeldByStrict() {
		value := testkit.Opposite(t, name, held)
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
	if after := testkit.Encoded(t, settings(s)); after != before {
		t.Errorf("the settings changed:\n%s\n%s", before, after)
	}
	if status := s.API("PATCH", "/settings", `{"door-totp":false,"acr":"eidas2"}`, nil); status != 200 {
		t.Errorf("what strict holds it to: %d", status)
	}
	testkit.EveryDoorIsShut(t, s)
	testkit.EveryDoorIsShut(t, s.Space("within"))
	if got := s.Space("other").CodeOf("PATCH", "/doors", `{"login-hint":true}`); got != "doors-strict" {
		t.Errorf("a space's door: %q", got)
	}
}

func settings(s *testkit.Server) (list struct{ Items []config.Setting }) {
	s.API("GET", "/settings", "", &list)
	return list
}

// What was stored while strict was off opens nothing when it is on.
func TestAttack50AStateOfALenientWorldOpensNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	lenient := testkit.StartIn(t, data)
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
	lenient.Stop()

	for name, s := range map[string]*testkit.Server{
		"the same folder": testkit.StartIn(t, data, "strict=true"),
		"another":         testkit.Start(t, "strict=true"),
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			if got := s.CodeOf("PUT", "/state", changed); got != "doors-strict" && got != "setting-strict" {
				t.Errorf("a state with open doors: %q", got)
			}
			if status := s.API("PUT", "/state", stored, nil); status >= 300 {
				t.Fatalf("a state with a client's policies: %d", status)
			}
			testkit.EveryDoorIsShut(t, s)
			s.API("DELETE", "/state", "", nil)
			testkit.EveryDoorIsShut(t, s)
		})
	}
}
