package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// abandon opens login pages that nobody comes back to.
func abandon(s *testkit.Server, n int) {
	s.T.Helper()
	c := s.HTTP(nil)
	c.Transport.(*http.Transport).DisableKeepAlives = false
	c.Transport.(*http.Transport).MaxIdleConnsPerHost = 8
	defer c.CloseIdleConnections()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				resp, err := c.Get(s.BaseURL + testkit.AuthorizePath)
				if err != nil {
					s.T.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusFound {
					s.T.Errorf("a login page more: %s", resp.Status)
					return
				}
			}
		})
	}
	wg.Wait()
}

func attack41Worlds(t *testing.T, args ...string) map[string]*testkit.Server {
	memory := testkit.Start(t, args...)
	return map[string]*testkit.Server{
		"on disk": testkit.StartIn(t, t.TempDir(), args...), "in memory": memory, "in a space": memory.Space("attack-41"),
	}
}

func TestAttack41AbandonedLoginPagesGoOldestFirstAndNewOnesAreServed(t *testing.T) {
	t.Parallel()
	for name, s := range attack41Worlds(t, "max-logins=40") {
		t.Run(name, func(t *testing.T) {
			s.T = t
			first, firstPage := s.LoginPage()
			used, usedPage, _ := s.AtPhone(testkit.Asked) // somebody who is in the middle of it
			abandon(s, 400)
			_, _, card := s.AtCard()
			if !strings.Contains(card, "login-page") {
				t.Errorf("a new login: %.300s", card)
			}
			if got := s.OpenLoginPages(); got != 40 {
				t.Errorf("%d pages are open, 40 may be", got)
			}
			if got := testkit.Read(s, used, usedPage+"/wait"); !strings.Contains(got, "ecps-wait") {
				t.Errorf("the one with a step: %.300s", got)
			}
			// More people come than may be open at once: the first had its time.
			for range 40 {
				s.LoginPage()
			}
			if got := testkit.Read(s, first, firstPage); !strings.Contains(got, "login-dropped") {
				t.Errorf("the first page tells: %.600s", got)
			}
			l := s.Story(firstPage[strings.LastIndex(firstPage, "/")+1:])
			if !strings.Contains(l, "login-dropped") {
				t.Errorf("the journal says: %s", l)
			}
		})
	}
}

func TestAttack41WhoUsesTheirPageOutlastsAFloodOfPages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-logins=40")
	abandon(s, 80)
	browser, page, _ := s.AtCard() // it came, and did no more than that
	abandon(s, 400)
	if got := testkit.Present(s, browser, page, s.CardOf(testkit.Doctor).Serial, "1234"); !strings.Contains(got, "code=") {
		t.Errorf("%.300s", got)
	}
}

func TestAttack41AResetARestoreAndTheClockForgetThePages(t *testing.T) {
	t.Parallel()
	for name, s := range attack41Worlds(t, "max-logins=8") {
		t.Run(name, func(t *testing.T) {
			s.T = t
			var before any
			s.API("GET", "/state", "", &before)
			abandon(s, 16)
			if got := s.OpenLoginPages(); got != 8 {
				t.Fatalf("%d are open", got)
			}
			if status := s.API("DELETE", "/state", "", nil); status != http.StatusNoContent {
				t.Fatal(status)
			}
			if got := s.OpenLoginPages(); got != 0 {
				t.Errorf("after a reset %d are open", got)
			}
			abandon(s, 16)
			var p any
			if status := s.API("PUT", "/state", testkit.Encoded(t, before), &p); status >= 300 {
				t.Fatal(status, p)
			}
			if got := s.OpenLoginPages(); got != 0 {
				t.Errorf("after a restore %d are open", got)
			}
			abandon(s, 8)
			for _, to := range []string{"31m", "-48h", "96h"} { // forth and back
				s.API("PUT", "/clock", fmt.Sprintf(`{"advance":%q}`, to), nil)
				browser, page := s.LoginPage()
				abandon(s, 16)
				if got := s.OpenLoginPages(); got != 8 {
					t.Errorf("after %s %d are open", to, got)
				}
				if got := testkit.Read(s, browser, page); !strings.Contains(got, "login-page") {
					t.Errorf("after %s the one that was used: %.300s", to, got)
				}
			}
		})
	}
}

func TestAttack41ThePagesAreCountedAcrossARestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := testkit.StartIn(t, data, "max-logins=8")
	abandon(s, 16)
	s.Stop()
	s = testkit.StartIn(t, data, "max-logins=4")
	if got := s.OpenLoginPages(); got != 8 {
		t.Errorf("after a restart %d are open", got)
	}
	s.LoginPage()
	if got := s.OpenLoginPages(); got != 4 {
		t.Errorf("with a lower bound %d are open", got)
	}
}
