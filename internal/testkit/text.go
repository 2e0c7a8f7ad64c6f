package testkit

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Refusal is the part of problem details that tests look at.
type Refusal struct{ Code, Received, Remedy string }

// CodeOf calls the API and returns the code of its refusal, "" for none.
func (s *Server) CodeOf(method, path, body string) string {
	s.T.Helper()
	var p Refusal
	if status := s.API(method, path, body, &p); status >= 400 {
		return p.Code
	}
	return ""
}

// Replace changes a file's text, which must be there.
func Replace(t testing.TB, file, from, to string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), from) {
		t.Fatalf("%s holds no %s: %v", file, from, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Text is an answer's body.
func Text(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Encoded is a value as JSON.
func Encoded(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Decode reads JSON.
func Decode(r io.Reader, into any) error { return json.NewDecoder(r).Decode(into) }

// Eventually waits for a condition, ten seconds at most.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// Together is how many call at once.
const Together = 50
