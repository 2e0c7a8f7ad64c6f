package delivery_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// What a client's server is told: once for each thing that happened, whatever
// happens to the emulator.

// inside is an emulator in the test's own process, so that the race detector
// looks at it.
func inside(t *testing.T) *testkit.Server {
	return testkit.StartIn(t, t.TempDir())
}

func TestFiftyLogoutsOfOneSessionTellItsClientOnce(t *testing.T) {
	t.Parallel()
	s, l := inside(t), testkit.Listen(t, 0)
	s.RegisterDemo(`"backchannel_logout_uri":"` + l.URL + `"`)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	for round := range 3 {
		id, _ := rp.Tokens(testkit.Nurse, "").Extra("id_token").(string)
		var all sync.WaitGroup
		for range testkit.Together {
			all.Go(func() {
				if err := s.LogOut(id); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		l.Next(t)
		s.Delivered(round + 1)
		if len(l.Calls) != 0 {
			t.Fatalf("told more than once: %s", <-l.Calls)
		}
	}
}

// atPortal logs into the portal's sessions page in a new browser.
func atPortal(s *testkit.Server, id string) *http.Client {
	s.T.Helper()
	browser := s.Browser()
	resp, err := browser.Get(s.BaseURL + "/wallet/start/sessions")
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	page := strings.TrimSuffix(strings.Split(resp.Request.URL.String(), "?")[0], "/")
	if resp, err = browser.PostForm(
		page+"/ecps",
		url.Values{"login": {id}},
	); err != nil { // the phone approves by itself
		s.T.Fatal(err)
	}
	resp.Body.Close()
	if !strings.HasSuffix(resp.Request.URL.Path, "/wallet/sessions") {
		s.T.Fatalf("not at the portal: %s", resp.Request.URL)
	}
	return browser
}

func TestLoggingOutEverywhereFiftyTimesAtOnceTellsOfEachSessionOnce(t *testing.T) {
	t.Parallel()
	s, l := inside(t), testkit.Listen(t, 0)
	s.RegisterDemo(`"backchannel_logout_uri":"` + l.URL + `"`)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	portal := atPortal(s, testkit.Nurse)
	const sessions = 7
	var other string
	for range sessions {
		rp.Tokens(testkit.Nurse, "")
	}
	other = rp.Tokens(testkit.Doctor, "").AccessToken
	var all sync.WaitGroup
	for range testkit.Together {
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
	s.Delivered(sessions)
	told := map[string]bool{}
	for range sessions {
		told[testkit.LogoutToken(t, l.Next(t)).SID] = true
	}
	if len(told) != sessions || len(l.Calls) != 0 {
		t.Errorf("%d sessions were told of, %d calls more", len(told), len(l.Calls))
	}
	if s.Introspect(other)["active"] != true {
		t.Error("another person's session ended")
	}
}

// A data folder of an earlier version has neither the indexes nor the mark that
// they were built.
func TestAnEarlierVersionsSessionsAndRequestsAreFound(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	token := rp.Tokens(testkit.Nurse, "").AccessToken
	portal := atPortal(s, testkit.Nurse)
	waits := s.Asks()
	var state map[string]any
	s.API("GET", "/state", "", &state)
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
	if status := s.API("PUT", "/state", testkit.Encoded(t, state), nil); status >= 300 {
		t.Fatalf("PUT /state: %d", status)
	}
	if list := s.Waiting("/ecps/requests"); len(list) != 1 || list[0].ID != waits {
		t.Errorf("%v wait", list)
	}
	resp, err := portal.PostForm(s.BaseURL+"/wallet/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if s.Introspect(token)["active"] == true {
		t.Error("logging out everywhere left a session")
	}
}
