package testkit

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Listener is a client's server. Its first hang calls are not answered until the
// test ends.
type Listener struct {
	*httptest.Server
	Calls chan string // bodies
	once  chan struct{}
}

// Listen starts a client's server that lets its first calls hang.
func Listen(t testing.TB, hang int) *Listener {
	t.Helper()
	l := &Listener{Calls: make(chan string, 1000), once: make(chan struct{})}
	var mu sync.Mutex
	l.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		hang--
		hangs := hang >= 0
		mu.Unlock()
		l.Calls <- string(body)
		if hangs {
			<-l.once
		}
	}))
	t.Cleanup(l.Close)
	t.Cleanup(func() { close(l.once) })
	return l
}

// Next is the body of the next call.
func (l *Listener) Next(t testing.TB) string {
	t.Helper()
	select {
	case body := <-l.Calls:
		return body
	case <-time.After(20 * time.Second):
		t.Fatal("the client's server heard nothing")
		return ""
	}
}

// Delivered waits until so many deliveries have ended, and none waits.
func (s *Server) Delivered(n int) {
	s.T.Helper()
	Eventually(s.T, fmt.Sprintf("%d deliveries", n), func() bool {
		var log struct{ Items []struct{ State string } }
		s.API("GET", "/deliveries?limit=1000", "", &log)
		for _, d := range log.Items {
			if d.State != "delivered" {
				return false
			}
		}
		return len(log.Items) == n
	})
}

// RegisterDemo replaces the demo client's registration by one with more members.
func (s *Server) RegisterDemo(more string) {
	s.T.Helper()
	if status := s.API(
		"PUT",
		"/clients/demo",
		`{"client_id":"demo","redirect_uri_policy":"loopback","redirect_uris":[],`+more+`}`,
		nil,
	); status != 200 &&
		status != 201 {
		s.T.Fatalf("the client: %d", status)
	}
}

// LogOut ends the session of an id token from server to server.
func (s *Server) LogOut(idToken string) error {
	resp, err := s.HTTP(nil).
		PostForm(s.Issuer+"/protocol/openid-connect/logout", url.Values{"id_token_hint": {idToken}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("logout: %s", resp.Status)
	}
	return err
}
