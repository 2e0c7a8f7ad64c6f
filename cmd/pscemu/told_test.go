package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What a client's server is told: once for each thing that happened, whatever
// happens to the emulator.

// listener is a client's server. Its first hang calls are not answered until the
// test ends.
type listener struct {
	*httptest.Server
	calls chan string // bodies
	once  chan struct{}
}

func listen(t *testing.T, hang int) *listener {
	t.Helper()
	l := &listener{calls: make(chan string, 1000), once: make(chan struct{})}
	var mu sync.Mutex
	l.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		hang--
		hangs := hang >= 0
		mu.Unlock()
		l.calls <- string(body)
		if hangs {
			<-l.once
		}
	}))
	t.Cleanup(l.Close)
	t.Cleanup(func() { close(l.once) })
	return l
}

func (l *listener) next(t *testing.T) string {
	t.Helper()
	select {
	case body := <-l.calls:
		return body
	case <-time.After(20 * time.Second):
		t.Fatal("the client's server heard nothing")
		return ""
	}
}

// delivered waits until so many deliveries have ended, and none waits.
func (s *server) delivered(n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d deliveries", n), func() bool {
		var log struct{ Items []struct{ State string } }
		s.api("GET", "/deliveries?limit=1000", "", &log)
		for _, d := range log.Items {
			if d.State != "delivered" {
				return false
			}
		}
		return len(log.Items) == n
	})
}

func (s *server) demoClient(more string) {
	s.t.Helper()
	if status := s.api(
		"PUT",
		"/clients/demo",
		`{"client_id":"demo","redirect_uri_policy":"loopback","redirect_uris":[],`+more+`}`,
		nil,
	); status != 200 &&
		status != 201 {
		s.t.Fatalf("the client: %d", status)
	}
}

// logOut ends the session of an id token from server to server.
func (s *server) logOut(idToken string) error {
	resp, err := s.http(nil).
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

// logoutToken is what a body of a back-channel logout says.
func logoutToken(t *testing.T, body string) (token struct{ JTI, SID, Sub, Aud string }) {
	t.Helper()
	form, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	_, payload := jwtParts(t, form.Get("logout_token"))
	if err := json.Unmarshal([]byte(payload), &token); err != nil {
		t.Fatal(err)
	}
	return token
}

func TestALogoutIsToldAfterAKillAndOnce(t *testing.T) {
	data, l := t.TempDir(), listen(t, 1)
	s := bootIn(t, data)
	s.demoClient(`"backchannel_logout_uri":"` + l.URL + `"`)
	rp := newRelyingParty(s, s.demoCertificate())
	id, _ := rp.tokens(nurse, "").Extra("id_token").(string)
	if err := s.logOut(id); err != nil {
		t.Fatal(err)
	}
	first := logoutToken(t, l.next(t)) // it is called, and has not answered
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	again := logoutToken(t, l.next(t))
	if again != first || again.Aud != "demo" || again.SID == "" || !strings.Contains(again.Sub, nurse) {
		t.Errorf("told %+v, then %+v", first, again)
	}
	s.delivered(1)
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	s.delivered(1)
	if len(l.calls) != 0 {
		t.Errorf("told once more: %s", <-l.calls)
	}
}

func TestAPingIsSentAfterAKillAndOnce(t *testing.T) {
	data, l := t.TempDir(), listen(t, 1)
	s := bootIn(t, data)
	s.demoClient(`"backchannel_token_delivery_mode":"ping","backchannel_client_notification_endpoint":"` + l.URL + `"`)
	_, o := s.backchannel(url.Values{"client_notification_token": {"t"}})
	s.api("POST", "/ecps/requests/"+s.waiting("/ecps/requests")[0].ID+"/approve", "", nil)
	first := l.next(t)
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	if again := l.next(t); again != first || !strings.Contains(again, o["auth_req_id"].(string)) {
		t.Errorf("pinged with %s, then %s", first, again)
	}
	s.delivered(1)
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	s.delivered(1)
	if len(l.calls) != 0 {
		t.Errorf("pinged once more: %s", <-l.calls)
	}
}

// A phone that answers by itself after a while does so in the next run, and the
// client hears of it.
func TestADelayedAnswerIsGivenAndToldAfterAKill(t *testing.T) {
	data, l := t.TempDir(), listen(t, 0)
	s := bootIn(t, data)
	s.demoClient(`"backchannel_token_delivery_mode":"ping","backchannel_client_notification_endpoint":"` + l.URL + `"`)
	s.api("PUT", "/identities/"+asked+"/ecps/behaviour", `{"action":"approve","after":"1s","next":true}`, nil)
	_, o := s.backchannel(url.Values{"client_notification_token": {"t"}})
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	if body := l.next(t); !strings.Contains(body, o["auth_req_id"].(string)) {
		t.Errorf("pinged with %s", body)
	}
	s.delivered(1)
	if len(l.calls) != 0 {
		t.Errorf("pinged once more: %s", <-l.calls)
	}
}

// inside is an emulator in the test's own process, so that the race detector
// looks at it.
func inside(t *testing.T) *server {
	p := startInProcess(t, nil)
	return &server{Ready: p.Ready, t: t}
}

func TestFiftyLogoutsOfOneSessionTellItsClientOnce(t *testing.T) {
	s, l := inside(t), listen(t, 0)
	s.demoClient(`"backchannel_logout_uri":"` + l.URL + `"`)
	rp := newRelyingParty(s, s.demoCertificate())
	for round := range 3 {
		id, _ := rp.tokens(nurse, "").Extra("id_token").(string)
		var all sync.WaitGroup
		for range together {
			all.Go(func() {
				if err := s.logOut(id); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		l.next(t)
		s.delivered(round + 1)
		if len(l.calls) != 0 {
			t.Fatalf("told more than once: %s", <-l.calls)
		}
	}
}

// atPortal logs into the portal's sessions page in a new browser.
func (s *server) atPortal(id string) *http.Client {
	s.t.Helper()
	browser := s.browser()
	resp, err := browser.Get(s.BaseURL + "/wallet/start/sessions")
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	page := strings.TrimSuffix(strings.Split(resp.Request.URL.String(), "?")[0], "/")
	if resp, err = browser.PostForm(
		page+"/ecps",
		url.Values{"login": {id}},
	); err != nil { // the phone approves by itself
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if !strings.HasSuffix(resp.Request.URL.Path, "/wallet/sessions") {
		s.t.Fatalf("not at the portal: %s", resp.Request.URL)
	}
	return browser
}

func TestLoggingOutEverywhereFiftyTimesAtOnceTellsOfEachSessionOnce(t *testing.T) {
	s, l := inside(t), listen(t, 0)
	s.demoClient(`"backchannel_logout_uri":"` + l.URL + `"`)
	rp := newRelyingParty(s, s.demoCertificate())
	portal := s.atPortal(nurse)
	const sessions = 7
	var other string
	for range sessions {
		rp.tokens(nurse, "")
	}
	other = rp.tokens(doctor, "").AccessToken
	var all sync.WaitGroup
	for range together {
		all.Go(func() {
			resp, err := portal.PostForm(s.BaseURL+"/wallet/sessions", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	all.Wait()
	s.delivered(sessions)
	told := map[string]bool{}
	for range sessions {
		told[logoutToken(t, l.next(t)).SID] = true
	}
	if len(told) != sessions || len(l.calls) != 0 {
		t.Errorf("%d sessions were told of, %d calls more", len(told), len(l.calls))
	}
	if s.introspect(other)["active"] != true {
		t.Error("another person's session ended")
	}
}

// A data folder of an earlier version has neither the indexes nor the mark that
// they were built.
func TestAnEarlierVersionsSessionsAndRequestsAreFound(t *testing.T) {
	s := boot(t)
	rp := newRelyingParty(s, s.demoCertificate())
	token := rp.tokens(nurse, "").AccessToken
	portal := s.atPortal(nurse)
	waits := s.asks()
	var state map[string]any
	s.api("GET", "/state", "", &state)
	var entries []any
	for _, e := range state["entries"].([]any) {
		key := e.(map[string]any)["key"].(string)
		if !strings.HasPrefix(key, "sessions-of/") && !strings.HasPrefix(key, "ecps-pending/") &&
			key != "seeded/pending-index" {
			entries = append(entries, e)
		}
	}
	if len(entries) == len(state["entries"].([]any)) {
		t.Fatal("there was no index")
	}
	state["entries"] = entries
	if status := s.api("PUT", "/state", encoded(t, state), nil); status >= 300 {
		t.Fatalf("PUT /state: %d", status)
	}
	if list := s.waiting("/ecps/requests"); len(list) != 1 || list[0].ID != waits {
		t.Errorf("%v wait", list)
	}
	resp, err := portal.PostForm(s.BaseURL+"/wallet/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if s.introspect(token)["active"] == true {
		t.Error("logging out everywhere left a session")
	}
}
