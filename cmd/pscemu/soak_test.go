package main

import (
	"net/http"
	"os"
	"strconv"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// soak is how many logins the soak does: SOAK sets it (make soak).
func soak(t *testing.T) int {
	t.Helper()
	v := os.Getenv("SOAK")
	if v == "" {
		return 600
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestASoakLeaksNothing logs people in by every means and looks whether memory
// stays flat from the first tenth on and whether every goroutine ends.
func TestASoakLeaksNothing(t *testing.T) {
	s := boot(t)
	s.bench("--duration", "100ms") // what is made once is made now
	http.DefaultClient.CloseIdleConnections()
	idle := s.Figure("go_goroutines")
	all, done := soak(t), 0
	var early float64
	for round := 0; done < all; round++ {
		means := []string{"door", "ecps", "card", "test", "door-card"}[round%5]
		r := s.bench("--means", means, "--duration", strconv.Itoa(max(500, min(all/10, 20_000)))+"ms")
		if len(r.Errors) > 0 || r.Count == 0 {
			t.Fatalf("%s: %+v", means, r)
		}
		done += r.Count
		anon := s.Figure("process_resident_memory_anon_bytes")
		t.Logf(
			"%7d logins: %5.1f MiB of memory, %3.0f goroutines, data file %5.1f MiB of which in use %5.1f",
			done,
			anon/(1<<20),
			s.Figure("go_goroutines"),
			s.Figure("pscemu_store_file_bytes")/(1<<20),
			s.Figure("pscemu_store_used_bytes")/(1<<20),
		)
		if early == 0 && done >= all/10 && round >= 4 {
			early = anon
		}
		if limit := early*1.3 + 16<<20; early > 0 && anon > limit {
			t.Errorf("memory grew from %.1f to %.1f MiB", early/(1<<20), anon/(1<<20))
		}
	}
	http.DefaultClient.CloseIdleConnections()
	testkit.Eventually(t, "as many goroutines as before", func() bool {
		http.DefaultClient.CloseIdleConnections()
		return s.Figure("go_goroutines") <= idle+5
	})
}
