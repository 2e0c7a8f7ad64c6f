package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// memory is what the process holds, in MiB.
func (s *server) memory() float64 { return s.Figure("process_resident_memory_anon_bytes") / (1 << 20) }

// Two thousand requests that anybody may send, each of a megabyte: what stays
// of them is bounded, wherever the world lies.
func TestAttack40AnonymousRequestsLeaveLittleBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("two gigabytes go through TLS")
	}
	memory := boot(t, "--memory")
	state := "response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
		testkit.CallbackURL,
	) + "&state="
	for _, w := range []struct {
		name     string
		s        *server
		requests int
	}{{"in memory", memory, 2000}, {"in a space", memory.space("attack-40"), 400}, {"on disk", boot(t), 400}} {
		t.Run(w.name, func(t *testing.T) {
			s, process := w.s, w.s
			s.T = t
			if w.name == "in a space" {
				process = memory // whose figures the memory is
				process.T = t
			}
			before := process.memory()
			s.Flood(w.requests, "/auth", state+strings.Repeat("s", 1_000_000), http.StatusRequestEntityTooLarge)
			s.Flood(w.requests, "/auth", state+strings.Repeat("s", 60_000), http.StatusBadRequest)
			s.Flood(
				w.requests/10,
				"/wallet/contact",
				"login="+strings.Repeat("8", 60_000),
				http.StatusUnprocessableEntity,
			)
			s.Flood(w.requests/10, "/auth", "client_id="+strings.Repeat("c", 60_000), http.StatusBadRequest)
			s.Flood(w.requests/10, "/auth", "client_id=demo&x="+strings.Repeat("c", 60_000), http.StatusBadRequest)
			s.Flood(w.requests*5, "/auth", state+strings.Repeat("s", 8000), http.StatusFound)
			after := process.memory()
			t.Logf("%.0f MiB before, %.0f MiB after", before, after)
			if after > before+200 {
				t.Errorf("memory grew from %.0f to %.0f MiB", before, after)
			}
		})
	}
}
