package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// whole is a content that a world can be given as a whole, and the person by
// whom it is told from the others.
type whole struct {
	method, path, marker string
	body                 []byte
}

// TestAttack34AWholeContentIsThereOrNotWhenTheServerIsKilled kills the server
// while backups, states and resets take the place of everything, and looks
// after each restart whether exactly one of them is there: the last that was
// acknowledged, or the one that was under way.
func TestAttack34AWholeContentIsThereOrNotWhenTheServerIsKilled(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	all := []whole{{method: "DELETE", path: "/state"}}
	for n, from := range []whole{
		{method: "PUT", path: "/backup"},
		{method: "PUT", path: "/state"},
		{method: "PUT", path: "/backup"},
	} {
		from.marker = []string{"ANS20260000000001", "ANS20260000000002", "ANS20260000000003"}[n]
		s.API("DELETE", "/state", "", nil)
		s.API("POST", "/identities/generate", `{"count":200,"seed":7}`, nil)
		person := `{"national_id":"` + from.marker + `","family_name":"MARQUE","given_name":"Ada"}`
		if status := s.API("POST", "/identities", person, nil); status != 201 {
			t.Fatalf("the marker of %d: %d", n, status)
		}
		from.body = s.raw("GET", from.path)
		all = append(all, from)
	}
	s.stop(os.Interrupt)
	there := all[len(all)-1].marker
	for kill := range max(4, crashes(t)/3) {
		s := bootIn(t, data)
		if found := s.markers(all); !slices.Equal(found, only(there)) {
			t.Fatalf("kill %d: %v are there, want %q", kill, found, there)
		}
		acknowledged, underWay := s.becomeUntilKilled(all, there)
		s = bootIn(t, data)
		found := s.markers(all)
		if !slices.Equal(found, only(acknowledged)) && !slices.Equal(found, only(underWay)) {
			t.Errorf("kill %d: %v are there; %q was acknowledged and %q under way", kill, found, acknowledged, underWay)
		}
		there = ""
		if len(found) > 0 {
			there = found[0]
		}
		if kill%10 == 0 {
			testkit.CheckWholeStore(t, s.raw("GET", "/state"))
		}
		s.stop(os.Interrupt)
	}
	if left, _ := filepath.Glob(filepath.Join(data, "pscemu.db.*")); len(left) > 3 {
		t.Errorf("%d files lie beside the data file, want the three kept at most: %v", len(left), left)
	}
}

func only(marker string) []string {
	if marker == "" {
		return nil
	}
	return []string{marker}
}

// becomeUntilKilled lets one content after the other take the place of all,
// and kills the server at a random moment.
func (s *server) becomeUntilKilled(all []whole, there string) (acknowledged, underWay string) {
	killed := make(chan struct{})
	time.AfterFunc(time.Duration(50+rand.IntN(400))*time.Millisecond, func() { // the random moment
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		close(killed)
	})
	acknowledged = there
	for {
		next := all[rand.IntN(len(all))]
		underWay = next.marker
		if !s.become(next) {
			<-killed
			s.stop(syscall.SIGKILL)
			return acknowledged, underWay
		}
		acknowledged = next.marker
	}
}

// become sends a content; false when the server is gone.
func (s *server) become(w whole) bool {
	req, err := http.NewRequest(w.method, s.APIURL+w.path, bytes.NewReader(w.body))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode < 300
}

// markers are those of the people by whom contents are told apart.
func (s *server) markers(all []whole) (found []string) {
	s.T.Helper()
	for _, w := range all {
		if w.marker != "" && s.API("GET", "/identities/"+w.marker, "", nil) == http.StatusOK {
			found = append(found, w.marker)
		}
	}
	return found
}

// raw is an answer of the control API as it is.
func (s *server) raw(method, path string) []byte {
	s.T.Helper()
	req, err := http.NewRequest(method, s.APIURL+path, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.T.Fatalf("%s %s: %d %v %.200s", method, path, resp.StatusCode, err, body)
	}
	return json.RawMessage(body)
}
