package emulator

import (
	"context"
	"net/http"
	"testing"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

func TestASpaceThatNobodyUsesIsDropped(t *testing.T) {
	l, err := config.Load(
		map[string]string{
			"listen":         "127.0.0.1:0",
			"card-listen":    "127.0.0.1:0",
			"console-listen": "127.0.0.1:0",
			"space-idle":     "1h",
			"max-spaces":     "2",
		},
		nil,
		"",
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, c := context.Background(), &clock.Adjustable{}
	s, err := Start(ctx, Options{Settings: l, Store: store.NewMemory(c), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(ctx) })
	for _, name := range []string{"used", "idle"} {
		if _, err := s.spaces.Create(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.spaces.Create(ctx, "third"); !problem.Is(err, "spaces-full") {
		t.Errorf("one more than may be: %v", err)
	}
	for _, sp := range s.spaces.all {
		sp.used.Store(time.Now().Add(-2 * time.Hour).Unix())
	}
	resp, err := http.Get(s.place("used").console + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	s.spaces.sweep()
	if _, err := s.spaces.Get("used"); err != nil {
		t.Errorf("the one in use: %v", err)
	}
	if _, err := s.spaces.Get("idle"); !problem.Is(err, "space-unknown") {
		t.Errorf("the idle one: %v", err)
	}
}
