package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chunked sends a body without telling its length.
type chunked struct{ io.Reader }

// patient is a client that waits to be told whether to send a body.
func patient(c *http.Client) *http.Client {
	c.Transport.(*http.Transport).ExpectContinueTimeout = 5 * time.Second
	return c
}

func TestABodyOverTheLimitIs413WithTheReason(t *testing.T) {
	s := boot(t, "--max-import", "2")
	large := strings.Repeat("x", 1<<20+1)
	for name, c := range map[string]struct {
		client *http.Client
		at     string
		body   string
		want   string
	}{
		"token":       {patient(s.http(s.demoCertificate())), s.Issuer + "/protocol/openid-connect/token", large, "max-body"},
		"login page":  {patient(s.http(nil)), s.BaseURL + "/login/x/ecps", large, "max-body"},
		"control API": {http.DefaultClient, s.APIURL + "/identities", large, "max-body"},
		"import":      {http.DefaultClient, s.APIURL + "/identities/import", large + large, "max-import"},
	} {
		for how, body := range map[string]io.Reader{"": strings.NewReader(c.body), " in chunks": chunked{strings.NewReader(c.body)}} {
			t.Run(name+how, func(t *testing.T) {
				req, _ := http.NewRequest(http.MethodPost, c.at, body)
				req.Header.Set("Authorization", "Bearer "+s.APIToken)
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Expect", "100-continue")
				resp, err := c.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := text(t, resp); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(got, c.want) {
					t.Errorf("%d %s", resp.StatusCode, got)
				}
			})
		}
	}
	req, _ := http.NewRequest(http.MethodGet, s.Discovery, nil)
	req.Header.Set("X-Long", strings.Repeat("x", 128<<10))
	resp, err := s.http(nil).Do(req)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 128 KiB: %v %v", resp, err)
	}
}

func TestLoginPagesAreBounded(t *testing.T) {
	s := boot(t, "--max-logins", "3")
	authorize := s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(callbackURL)
	open := func() (*http.Response, string) {
		t.Helper()
		resp, err := s.browser().Get(authorize)
		if err != nil {
			t.Fatal(err)
		}
		return resp, text(t, resp)
	}
	for range 3 {
		if resp, body := open(); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if resp, body := open(); resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "max-logins") || !strings.Contains(resp.Header.Get("Pscemu-Why"), "logins-too-many") {
		t.Errorf("the fourth: %d %v %s", resp.StatusCode, resp.Header, body)
	}
	if status := s.api("PUT", "/clock", `{"advance":"31m"}`, nil); status >= 300 {
		t.Fatal(status)
	}
	if resp, body := open(); resp.StatusCode != 200 {
		t.Errorf("after those have ended: %d %s", resp.StatusCode, body)
	}
}

func TestConnectionsAreBoundedAndTheReasonIsTold(t *testing.T) {
	s := boot(t, "--max-connections", "3")
	cfg := &tls.Config{RootCAs: s.roots(), Time: now, ServerName: "localhost"}
	var held []net.Conn
	ask := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", s.Listen, cfg)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		fmt.Fprintf(c, "GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	for range 3 {
		if got := ask(); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatal(got)
		}
	}
	if got := ask(); !strings.HasPrefix(got, "HTTP/1.1 429") || !strings.Contains(got, "max-connections") {
		t.Errorf("the fourth: %s", got)
	}
	for _, c := range held {
		c.Close()
	}
	eventually(t, "a connection is free again", func() bool { return strings.HasPrefix(ask(), "HTTP/1.1 200") })
}

func TestTheDataFileIsBoundedAndWhatIsThereStays(t *testing.T) {
	s := boot(t, "--max-store", "1")
	var refused string
	for n := 0; refused == "" && n < 100; n++ {
		var p struct{ Code, Detail string }
		if status := s.api("POST", "/identities/generate", fmt.Sprintf(`{"count":100,"seed":%d,"quiet":true}`, n+1), &p); status == http.StatusRequestEntityTooLarge && p.Code == "store-full" {
			refused = p.Detail
		} else if status >= 300 {
			t.Fatal(status, p)
		}
	}
	if !strings.Contains(refused, "max-store") {
		t.Fatalf("nothing refused: %q", refused)
	}
	if status := s.api("GET", "/identities/"+doctor, "", nil); status != 200 {
		t.Errorf("a person of before: %d", status)
	}
	if status := s.api("DELETE", "/state", "", nil); status != http.StatusNoContent {
		t.Errorf("making room: %d", status)
	}
	if status := s.api("POST", "/identities/generate", `{"count":10,"quiet":true}`, nil); status != http.StatusCreated {
		t.Errorf("after that: %d", status)
	}
}

func TestABackupOfTheRunningEmulatorRestoresEverything(t *testing.T) {
	s := boot(t)
	s.cli("identities", "generate", "--count", "300", "--seed", "5")
	rp := newRelyingParty(s, s.demoCertificate())
	kept := rp.tokens(doctor, "")
	file := filepath.Join(t.TempDir(), "emulator.backup")
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
			req, _ := http.NewRequest("PUT", s.APIURL+"/identities/ANS00000000000001", strings.NewReader(fmt.Sprintf(`{"national_id":"ANS00000000000001","family_name":"BUSY","given_name":"N%d","exercices":[],"behaviour":"ask"}`, n)))
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
	before := s.entries()
	if len(before) < 900 {
		t.Fatalf("only %d entries", len(before))
	}
	s.api("DELETE", "/state", "", nil)
	if status := s.bearerStatus(kept.AccessToken); status != 401 {
		t.Errorf("the reset forgot nothing: %d", status)
	}
	s.cli("restore", file)
	after := s.entries()
	for key, value := range before {
		if after[key] != value {
			t.Errorf("%s is not what the backup holds", key)
		}
	}
	for key := range after {
		// Right after the first start authorities and keys are still in the making.
		if _, there := before[key]; !there && !strings.HasPrefix(key, "authorities/") && !strings.HasPrefix(key, "keys/") {
			t.Errorf("%s is not of the backup", key)
		}
	}
	if status := s.bearerStatus(kept.AccessToken); status != 200 {
		t.Errorf("the token of before the backup: %d", status)
	}
	newRelyingParty(s, s.demoCertificate()).tokens(nurse, "")

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
			if out, code := s.fails("restore", bad); code != exitFailed || !strings.Contains(out, "backup-unreadable") || !strings.Contains(out, "nothing was changed") {
				t.Errorf("exit %d: %s", code, out)
			}
			if status := s.bearerStatus(kept.AccessToken); status != 200 {
				t.Errorf("it changed something: %d", status)
			}
		})
	}
	s.stop(os.Interrupt)
	s = bootIn(t, s.data)
	after = s.entries()
	for key, value := range before {
		if strings.HasPrefix(key, "identities/") || strings.HasPrefix(key, "grants/") || strings.HasPrefix(key, "cards/") {
			if after[key] != value {
				t.Errorf("after a restart %s is not as it was restored", key)
			}
		}
	}
}

// entries are what is stored, without what a restore makes anew.
func (s *server) entries() map[string]string {
	s.t.Helper()
	var state struct {
		Entries []struct {
			Key   string
			Value any
		}
	}
	s.api("GET", "/state", "", &state)
	out := map[string]string{}
	for _, e := range state.Entries {
		out[e.Key] = encoded(s.t, e.Value)
	}
	return out
}
