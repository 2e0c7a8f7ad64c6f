package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack14ThreeWrongCodesBlockACardAlsoAcrossARestart(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	var list struct {
		Items []struct{ Serial, State string }
	}
	try := func(s *server, pin string) string {
		body, _ := json.Marshal(
			map[string]string{
				"authorize_url": s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
					testkit.CallbackURL,
				),
				"identity": testkit.Nurse,
				"means":    "card",
				"pin":      pin,
			},
		)
		var out struct {
			RedirectTo string `json:"redirect_to"`
		}
		s.API("POST", "/logins", string(body), &out)
		back, _ := url.Parse(out.RedirectTo)
		return back.Query().Get("error") + back.Query().Get("error_description")
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { try(s, "0000") })
	}
	wg.Wait()
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	if got := try(s, "0000"); !strings.Contains(got, "card is blocked") {
		t.Errorf("third try: %s", got)
	}
	if got := try(s, "1234"); !strings.Contains(got, "access_denied") {
		t.Errorf("the right code on a blocked card: %s", got)
	}
	s.API("GET", "/cards?national_id="+testkit.Nurse, "", &list)
	if list.Items[0].State != "blocked" {
		t.Fatalf("%v", list)
	}
	s.cli("cards", "unblock", list.Items[0].Serial)
	if got := try(s, "1234"); got != "" {
		t.Errorf("after unblocking: %s", got)
	}
	s.cli("cards", "oppose", list.Items[0].Serial)
	if got := try(s, "1234"); !strings.Contains(got, "card is opposed") {
		t.Errorf("opposed: %s", got)
	}
}
