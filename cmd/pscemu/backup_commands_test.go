package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestABackupOfTheRunningEmulatorRestoresEverything(t *testing.T) {
	s := boot(t)
	s.Must("POST", "/identities/generate", map[string]any{"count": 300, "seed": 5}, nil)
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	kept := rp.Tokens(testkit.Doctor, "")
	file := filepath.Join(t.TempDir(), "emulator.backup")
	testkit.Eventually(t, "right after the first start authorities and keys are still in the making", func() bool {
		all := s.Entries()
		return all["keys/encryption"] != "" &&
			!slices.ContainsFunc(pki.AuthorityIDs(), func(id string) bool { return all["authorities/"+id] == "" })
	})
	stop, busy := make(chan struct{}), make(chan error)
	go func() { // others write meanwhile
		var err error
		for n := 0; err == nil; n++ {
			select {
			case <-stop:
				busy <- nil
				return
			default:
			}
			req, _ := http.NewRequest(
				"PUT",
				s.APIURL+"/identities/ANS00000000000001",
				strings.NewReader(
					fmt.Sprintf(
						`{"national_id":"ANS00000000000001","family_name":"BUSY","given_name":"N%d","exercices":[],"behaviour":"ask"}`,
						n,
					),
				),
			)
			req.Header.Set("Authorization", "Bearer "+s.APIToken)
			req.Header.Set("Content-Type", "application/json")
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
		}
		busy <- err
	}()
	s.cli("backup", file)
	close(stop)
	if err := <-busy; err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	s.cli("restore", file)
	before := s.Entries()
	if len(before) < 900 {
		t.Fatalf("only %d entries", len(before))
	}
	s.API("DELETE", "/state", "", nil)
	if status := s.BearerStatus(kept.AccessToken); status != 401 {
		t.Errorf("the reset forgot nothing: %d", status)
	}
	s.cli("restore", file)
	after := s.Entries()
	for key, value := range before {
		if after[key] != value {
			t.Errorf("%s is not what the backup holds", key)
		}
	}
	for key := range after {
		if _, there := before[key]; !there {
			t.Errorf("%s is not of the backup", key)
		}
	}
	if status := s.BearerStatus(kept.AccessToken); status != 200 {
		t.Errorf("the token from before the backup: %d", status)
	}
	testkit.NewRelyingParty(s.Server, s.DemoCertificate()).Tokens(testkit.Nurse, "")

	for name, damage := range map[string]func([]byte) []byte{
		"nothing":         func([]byte) []byte { return nil },
		"another file":    func([]byte) []byte { return []byte(strings.Repeat("no backup at all ", 1000)) },
		"cut off":         func(b []byte) []byte { return b[:len(b)/2] },
		"a page of zeros": func(b []byte) []byte { c := append([]byte{}, b...); clear(c[3*4096 : len(c)-4096]); return c },
	} {
		t.Run(name, func(t *testing.T) {
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			bad := filepath.Join(t.TempDir(), "bad")
			if err := os.WriteFile(bad, damage(good), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := s.fails(
				"restore",
				bad,
			); code != exitFailed || !strings.Contains(out, "backup-unreadable") ||
				!strings.Contains(out, "nothing was changed") {
				t.Errorf("exit %d: %s", code, out)
			}
			if status := s.BearerStatus(kept.AccessToken); status != 200 {
				t.Errorf("it changed something: %d", status)
			}
		})
	}
	s.stop(os.Interrupt)
	s = bootIn(t, s.data)
	after = s.Entries()
	for key, value := range before {
		if strings.HasPrefix(key, "identities/") || strings.HasPrefix(key, "grants/") ||
			strings.HasPrefix(key, "cards/") {
			if after[key] != value {
				t.Errorf("after a restart %s is not as it was restored", key)
			}
		}
	}
}
