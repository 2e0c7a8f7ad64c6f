package journal

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
)

// BenchmarkEvent is a request with one step of a login, as it is kept.
func BenchmarkEvent(b *testing.B) {
	j := New(&clock.Adjustable{}, Limits{Logins: 500, Bytes: 8 << 20})
	h := j.Record(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j.Add(r.Context(), "", KindToken, map[string]string{"client_id": "demo"}, nil)
		_, _ = w.Write([]byte("{}"))
	}))
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/token", nil))
	}
}
