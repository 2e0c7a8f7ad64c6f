package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack39ACopyOfADataFileIsToldFromABackup(t *testing.T) {
	s := boot(t)
	s.stop(os.Interrupt)
	raw, err := os.ReadFile(filepath.Join(s.data, "pscemu.db"))
	if err != nil {
		t.Fatal(err)
	}
	s = bootIn(t, s.data)
	file := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.fails(
		"restore",
		file,
	); code != exitFailed || !strings.Contains(out, "a copy of a data file") ||
		!strings.Contains(out, "stop the emulator") {
		t.Errorf("%d %s", code, out)
	}
}

// A kill at any moment leaves the one content or the other.
func TestAttack39AKillDuringARestore(t *testing.T) {
	s := boot(t)
	empty := testkit.SettledBackup(t, s.Ready)
	s.Must("POST", "/identities/generate", map[string]any{"count": 1500, "seed": 3}, nil)
	full := testkit.Fetched(t, s.Ready, "/backup")
	for n := range 6 {
		began := make(chan struct{})
		go func() {
			close(began)
			req, _ := http.NewRequest("PUT", s.APIURL+"/backup", bytes.NewReader([][]byte{empty, full}[n%2]))
			req.Header.Set("Authorization", "Bearer "+s.APIToken)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
		<-began
		for wait := time.Now(); time.Since(wait) < time.Duration(n*40)*time.Millisecond; {
			_ = s.CodeOf("GET", "/clients/demo", "") // it goes on serving
		}
		s.stop(syscall.SIGKILL)
		s = bootIn(t, s.data)
		var list struct{ Items []any }
		s.API("GET", "/identities?limit=1", "", &list)
		people := 0
		for key := range s.Entries() {
			if strings.HasPrefix(key, "identities/") {
				people++
			}
		}
		if people != 33 && people != 1533 {
			t.Errorf("after kill %d there are %d people", n, people)
		}
		testkit.NewRelyingParty(s.Server, s.DemoCertificate()).Tokens(testkit.Nurse, "")
	}
	left, _ := filepath.Glob(filepath.Join(s.data, "pscemu.db.[nf]*"))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The journal says who restored what.
func TestARestoreIsInTheJournal(t *testing.T) {
	s := boot(t)
	file := filepath.Join(t.TempDir(), "backup")
	s.cli("backup", file)
	if out := s.cli(
		"restore",
		file,
	); !strings.Contains(out, "entries restored") ||
		!strings.Contains(out, "pscemu.db.before-") {
		t.Error(out)
	}
	event := func() map[string]string {
		var list struct {
			Items []struct {
				Events []struct {
					Kind   string
					Detail map[string]string
				}
			}
		}
		s.API("GET", "/logins?event=restore", "", &list)
		if len(list.Items) != 1 {
			t.Fatalf("%d events", len(list.Items))
		}
		return list.Items[0].Events[0].Detail
	}
	if d := event(); d["what"] != "backup" || d["by"] != "pscemu restore" || d["entries"] == "" || d["bytes"] == "" ||
		d["made_at"] == "" ||
		d["kept"] == "" {
		t.Errorf("%v", d)
	}
	if status, _ := testkit.Send(t, s.Ready, "PUT", "/state", testkit.Fetched(t, s.Ready, "/state")); status != 204 {
		t.Fatal(status)
	}
	if d := event(); d["what"] != "state" || d["by"] != "API token" || d["kept"] != "" {
		t.Errorf("%v", d)
	}
}
