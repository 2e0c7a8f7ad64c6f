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
		if got := s.CodeOf(
			"PUT",
			"/state",
			testkit.Encoded(t, state),
		); got != "clock-out-of-range" && got != "offset-invalid" {
			t.Errorf("a state, %s: %q", name, got)
		}
	}
	if off := time.Since(s.ClockNow()).Abs(); os.Getenv("PSCEMU_CLOCK_OFFSET") == "" && off > time.Minute {
		t.Errorf("the clock is off by %s", off)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("clock-offset: 2500000h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{
			"--clock-offset",
			"2500000h",
		}, {"--clock-offset", "-2500000h"}, {"--clock-offset", "99999999999999h"}, {"--config", file},
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
	for name, value := range map[string]string{
		"order-delay":            "2562047h",
		"refresh-token-lifetime": "2562047h",
		"code-lifetime":          "438001h",
	} {
		if got := s.CodeOf("PATCH", "/settings", fmt.Sprintf(`{%q:%q}`, name, value)); got != "setting-invalid" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
