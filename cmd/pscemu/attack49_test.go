package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// clockNow is what the clock shows.
func (s *server) clockNow() time.Time {
	s.T.Helper()
	var at struct{ Now time.Time }
	s.API("GET", "/clock", "", &at)
	return at.Now
}

func TestAttack49TheClockRefusesWhatItCannotShow(t *testing.T) {
	s := boot(t)
	for body, want := range map[string]string{
		// The table's ends.
		`{"now":"2000-01-01T00:00:00Z"}`:               "",
		`{"now":"2200-01-01T00:00:00Z","frozen":true}`: "",
		`{"now":"1999-12-31T23:59:59Z"}`:               "clock-out-of-range",
		`{"now":"2200-01-01T00:00:01Z"}`:               "clock-out-of-range",
		`{"now":"9999-12-31T23:59:59Z"}`:               "clock-out-of-range",
		`{"now":"9999-12-31T23:59:59Z","frozen":true}`: "clock-out-of-range",
		`{"now":"0001-01-01T00:00:00Z"}`:               "clock-out-of-range",
		`{"now":"1969-12-31T23:59:59Z","frozen":true}`: "clock-out-of-range",
		`{"offset":"2000000h"}`:                        "clock-out-of-range",
		`{"offset":"-2000000h"}`:                       "clock-out-of-range",
		`{"advance":"2562047h47m16s"}`:                 "clock-out-of-range",
		`{"advance":"-2562047h47m16s"}`:                "clock-out-of-range",
		`{"offset":"99999999999h"}`:                    "offset-invalid",
		`{"advance":"99999999999h"}`:                   "offset-invalid",
		`{"offset":""}`:                                "offset-invalid",
		`{"offset":"soon"}`:                            "offset-invalid",
		`{"advance":"10"}`:                             "offset-invalid",
		`{"now":"10000-01-01T00:00:00Z"}`:              "clock-time-invalid",
		`{"now":"tomorrow"}`:                           "clock-time-invalid",
		`{"now":""}`:                                   "clock-time-invalid",
		// What says nothing, or two things.
		`{}`:              "clock-change-empty",
		`null`:            "clock-change-empty",
		`{"offset":null}`: "clock-change-empty",
		`{"now":"2030-01-01T00:00:00Z","offset":"10m"}`:               "clock-contradictory",
		`{"now":"2030-01-01T00:00:00Z","advance":"10m"}`:              "clock-contradictory",
		`{"offset":"1m","advance":"10m"}`:                             "clock-contradictory",
		`{"offset":"1m","advance":"1m","now":"2030-01-01T00:00:00Z"}`: "clock-contradictory",
		`{"ofset":"10m"}`:                   "body-invalid",
		`{"now":1893456000}`:                "body-invalid",
		`{"frozen":"yes"}`:                  "body-invalid",
		`{"frozen":true}`:                   "",
		`{"frozen":false}`:                  "",
		`{"offset":"10m","frozen":true}`:    "",
		`{"advance":"-10m","frozen":false}`: "",
		`{"offset":"-1h"}`:                  "",
	} {
		s.API("DELETE", "/clock", "", nil)
		before := s.clockNow()
		var p map[string]any
		status := s.API("PUT", "/clock", body, &p)
		code, _ := p["code"].(string)
		if code != want || want != "" && (status != 400 || p["expected"] == nil) {
			t.Errorf("%s: %d %v, want %q", body, status, p, want)
		}
		if after := s.clockNow(); want != "" && after.Sub(before).Abs() > time.Minute {
			t.Errorf("%s: refused, and yet it shows %s", body, after)
		}
	}
	s.API("DELETE", "/clock", "", nil)
	// Step by step it comes to the end and no further.
	for range 4 {
		s.API("PUT", "/clock", `{"advance":"876000h"}`, nil)
	}
	if at := s.clockNow(); at.Year() < 2100 || at.Year() > 2200 {
		t.Errorf("it shows %s", at)
	}
}

// At both ends of the range a whole login works: nothing wraps.
func TestAttack49ALoginWorksAtBothEndsOfTheRange(t *testing.T) {
	for name, offset := range map[string]time.Duration{"the latest": time.Until(time.Date(2199, 12, 30, 0, 0, 0, 0, time.UTC)), "long ago": time.Until(time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC))} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PSCEMU_CLOCK_OFFSET", offset.Round(time.Second).String())
			s := boot(t, "--refresh-token-lifetime", "438000h")
			rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
			token := rp.Tokens(testkit.Nurse, "n")
			if got := s.BearerStatus(token.AccessToken); got != 200 || token.RefreshToken == "" {
				t.Errorf("UserInfo: %d", got)
			}
			if a := s.Introspect(token.RefreshToken); a["active"] != true {
				t.Errorf("the refresh token: %v", a)
			}
		})
	}
}

func TestAttack49NoOtherPathMovesTheClockOutOfItsRange(t *testing.T) {
	s := boot(t)
	for name, yaml := range map[string]string{
		"now":    "clock:\n  now: 9999-12-31T23:59:59Z\n",
		"frozen": "clock:\n  now: 1000-01-01T00:00:00Z\n  frozen: true\n",
		"offset": "clock:\n  offset: 2500000h\n",
		"wraps":  "clock:\n  offset: 99999999999h\n",
	} {
		if got := s.CodeOf("POST", "/scenarios", yaml); got != "clock-out-of-range" && got != "offset-invalid" {
			t.Errorf("a scenario, %s: %q", name, got)
		}
	}
	var state map[string]json.RawMessage
	s.API("GET", "/state", "", &state)
	for name, clock := range map[string]string{
		"frozen at 9999": `{"now":"9999-01-01T00:00:00Z","offset":"0s","frozen":true}`,
		"offset":         `{"now":"2026-01-01T00:00:00Z","offset":"2500000h","frozen":false}`,
		"wraps":          `{"now":"2026-01-01T00:00:00Z","offset":"99999999999h","frozen":false}`,
	} {
		state["clock"] = json.RawMessage(clock)
		if got := s.CodeOf("PUT", "/state", testkit.Encoded(t, state)); got != "clock-out-of-range" && got != "offset-invalid" {
			t.Errorf("a state, %s: %q", name, got)
		}
	}
	if off := time.Since(s.clockNow()).Abs(); os.Getenv("PSCEMU_CLOCK_OFFSET") == "" && off > time.Minute {
		t.Errorf("the clock is off by %s", off)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("clock-offset: 2500000h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--clock-offset", "2500000h"}, {"--clock-offset", "-2500000h"}, {"--clock-offset", "99999999999999h"}, {"--config", file},
		{"--order-delay", "99999999999h"}, {"--refresh-token-lifetime", "2562047h"}, {"--session-lifetime", "438001h"},
	} {
		if out := refusesToStart(
			t,
			append([]string{"--data", t.TempDir()}, args...)...); !strings.Contains(
			out,
			"cannot be used",
		) {
			t.Errorf("%v: %s", args, out)
		}
	}
	for name, value := range map[string]string{"order-delay": "2562047h", "refresh-token-lifetime": "2562047h", "code-lifetime": "438001h"} {
		if got := s.CodeOf("PATCH", "/settings", fmt.Sprintf(`{%q:%q}`, name, value)); got != "setting-invalid" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
