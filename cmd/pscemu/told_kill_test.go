package main

import (
	"net/url"
	"strings"
	"syscall"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestALogoutIsToldAfterAKillAndOnce(t *testing.T) {
	data, l := t.TempDir(), testkit.Listen(t, 1)
	s := bootIn(t, data)
	s.RegisterDemo(`"backchannel_logout_uri":"` + l.URL + `"`)
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	id, _ := rp.Tokens(testkit.Nurse, "").Extra("id_token").(string)
	if err := s.LogOut(id); err != nil {
		t.Fatal(err)
	}
	first := testkit.LogoutToken(t, l.Next(t)) // it is called, and has not answered
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	again := testkit.LogoutToken(t, l.Next(t))
	if again != first || again.Aud != "demo" || again.SID == "" || !strings.Contains(again.Sub, testkit.Nurse) {
		t.Errorf("told %+v, then %+v", first, again)
	}
	s.Delivered(1)
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	s.Delivered(1)
	if len(l.Calls) != 0 {
		t.Errorf("told once more: %s", <-l.Calls)
	}
}

func TestAPingIsSentAfterAKillAndOnce(t *testing.T) {
	data, l := t.TempDir(), testkit.Listen(t, 1)
	s := bootIn(t, data)
	s.RegisterDemo(`"backchannel_token_delivery_mode":"ping","backchannel_client_notification_endpoint":"` + l.URL + `"`)
	_, o := s.Backchannel(url.Values{"client_notification_token": {"t"}})
	s.API("POST", "/ecps/requests/"+s.Waiting("/ecps/requests")[0].ID+"/approve", "", nil)
	first := l.Next(t)
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	if again := l.Next(t); again != first || !strings.Contains(again, o["auth_req_id"].(string)) {
		t.Errorf("pinged with %s, then %s", first, again)
	}
	s.Delivered(1)
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	s.Delivered(1)
	if len(l.Calls) != 0 {
		t.Errorf("pinged once more: %s", <-l.Calls)
	}
}

// A phone that answers by itself after a while does so in the next run, and the
// client hears of it.
func TestADelayedAnswerIsGivenAndToldAfterAKill(t *testing.T) {
	data, l := t.TempDir(), testkit.Listen(t, 0)
	s := bootIn(t, data)
	s.RegisterDemo(`"backchannel_token_delivery_mode":"ping","backchannel_client_notification_endpoint":"` + l.URL + `"`)
	s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"approve","after":"1s","next":true}`, nil)
	_, o := s.Backchannel(url.Values{"client_notification_token": {"t"}})
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	if body := l.Next(t); !strings.Contains(body, o["auth_req_id"].(string)) {
		t.Errorf("pinged with %s", body)
	}
	s.Delivered(1)
	if len(l.Calls) != 0 {
		t.Errorf("pinged once more: %s", <-l.Calls)
	}
}
