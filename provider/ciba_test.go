package provider_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestCIBAByThePhoneWhichShowsWhoAsksAndWhatFor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	status, o := s.Backchannel(nil)
	if status != 200 || o["expires_in"] != 120.0 || o["interval"] != 5.0 {
		t.Fatalf("%d %v", status, o)
	}
	if a := s.Poll(o["auth_req_id"]); a["error"] != "authorization_pending" {
		t.Errorf("before the answer: %v", a)
	}
	resp, err := http.Get(s.ConsoleURL + "/phone/" + testkit.Asked)
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(page), "Application de démonstration") ||
		!strings.Contains(string(page), "Ordonnance 42") ||
		strings.Contains(string(page), "phone-number") {
		t.Errorf("the phone shows %s", page)
	}
	s.API("POST", "/ecps/requests/"+s.Waiting("/ecps/requests")[0].ID+"/approve", `{"code":"1234","number":""}`, nil)
	s.API("PUT", "/clock", `{"offset":"6s"}`, nil)
	a := s.Poll(o["auth_req_id"])
	_, payload := testkit.JWTParts(t, a["id_token"].(string))
	if !strings.Contains(payload, testkit.Asked) || !strings.Contains(payload, `"authMode":"MOBILE"`) ||
		!strings.Contains(payload, `"acr":"eidas1"`) ||
		!strings.Contains(payload, `"nonce":""`) {
		t.Errorf("id token %s", payload)
	}
	if i := s.Introspect(a["access_token"].(string)); i["active"] != true {
		t.Errorf("introspection %v", i)
	}
}

func TestCIBAByTheCardWantsThisPersonsCardAndItsCode(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var own, others struct{ Serial string }
	s.API("POST", "/cards", `{"national_id":"`+testkit.Asked+`","type":"CPS","pin":"4321"}`, &own)
	s.API("POST", "/cards", `{"national_id":"`+testkit.Nurse+`","type":"CPS","pin":"1234"}`, &others)
	_, o := s.Backchannel(url.Values{"channel": {"CARD"}})
	if n := len(s.Waiting("/ecps/requests")); n != 0 {
		t.Errorf("%d requests on the phone", n)
	}
	request := s.Waiting("/reader/requests")[0].ID
	for name, c := range map[string]struct{ path, body, want string }{
		"a wrong code": {"/reader/requests/" + request, `{"card":"` + own.Serial + `","pin":"0000"}`, "pin-wrong"},
		"another person's card": {
			"/reader/requests/" + request, `{"card":"` + others.Serial + `","pin":"1234"}`, "card-other-person",
		},
		"the phone": {
			"/ecps/requests/" + request + "/approve", `{"code":"1234","number":"12"}`, "request-wants-card",
		},
	} {
		var p struct{ Code string }
		if s.API("POST", c.path, c.body, &p); p.Code != c.want {
			t.Errorf("%s: %s, want %s", name, p.Code, c.want)
		}
	}
	s.API("POST", "/reader/requests/"+request, `{"card":"`+own.Serial+`","pin":"4321"}`, nil)
	a := s.Poll(o["auth_req_id"])
	_, payload := testkit.JWTParts(t, a["access_token"].(string))
	if !strings.Contains(payload, `"authMode":"CARD"`) {
		t.Errorf("%v", a)
	}
}

func TestAttack21CIBARequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	s, strict := testkit.Start(t), testkit.Start(t, "strict=true")
	s.AddClient("other", "https://app.example/")
	for name, c := range map[string]struct {
		form          url.Values
		status        int
		err, keycloak string
	}{
		"several hints":  {url.Values{"id_token_hint": {"x"}}, 400, "invalid_request", "only one of"},
		"no hint":        {url.Values{"login_hint": nil}, 400, "invalid_request", "missing parameter : login_hint"},
		"no scope":       {url.Values{"scope": nil}, 400, "invalid_request", "missing parameter : scope"},
		"unknown scope":  {url.Values{"scope": {"openid bogus"}}, 400, "invalid_scope", "Invalid scopes: openid bogus"},
		"unknown person": {url.Values{"login_hint": {"899700000000"}}, 400, "unknown_user_id", "invalid user"},
		"message too long": {
			url.Values{"binding_message": {strings.Repeat("x", 51)}}, 400, "invalid_binding_message",
			"the binding_message value has to be max 50",
		},
		"control characters": {
			url.Values{"binding_message": {"a\u0007b"}}, 400, "invalid_binding_message",
			"the binding_message value has to be max 50",
		},
		"empty message": {
			url.Values{"binding_message": {""}}, 400, "invalid_binding_message", "the binding_message value has to be max 50",
		},
		"unknown channel": {url.Values{"channel": {"PIGEON"}}, 400, "invalid_request", "Invalid parameter: channel"},
		"expiry":          {url.Values{"requested_expiry": {"soon"}}, 400, "invalid_request", "requested_expiry must"},
		"negative expiry": {url.Values{"requested_expiry": {"-1"}}, 400, "invalid_request", "requested_expiry must"},
		"signed request":  {url.Values{"request": {"x.y.z"}}, 400, "invalid_request", "Signed authentication requests"},
		"user code":       {url.Values{"user_code": {"1"}}, 400, "invalid_request", "User code not supported"},
		"token with poll": {
			url.Values{"client_notification_token": {"t"}}, 400, "invalid_request",
			"Client Notification token supported only",
		},
		"repeated":          {url.Values{"scope": {"openid", "openid"}}, 400, "invalid_request", "duplicated parameter"},
		"another client_id": {url.Values{"client_id": {"other"}}, 401, "invalid_client", "Invalid client"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, a := s.Backchannel(
				c.form,
			); status != c.status || a["error"] != c.err ||
				!strings.HasPrefix(a["error_description"].(string), c.keycloak) {
				t.Errorf("got %d %v", status, a)
			}
			if _, a := strict.Backchannel(
				c.form,
			); name != "another client_id" && name != "message too long" &&
				strings.Contains(a["error_description"].(string), "received") {
				t.Errorf("strict says %v", a)
			}
		})
	}
	if status, a := strict.Backchannel(nil); status != 400 || a["error"] != "invalid_binding_message" {
		t.Errorf("strict takes a message with a space: %d %v", status, a)
	}
	s.API("PUT", "/clients/demo", `{"client_id":"demo","redirect_uris":["https://app.example/"]}`, nil)
	if status, a := s.Backchannel(
		nil,
	); status != 401 || a["error"] != "invalid_grant" ||
		!strings.HasPrefix(a["error_description"].(string), "Client not allowed OIDC CIBA Grant") {
		t.Errorf("a client without CIBA: %d %v", status, a)
	}
}

func TestAttack21CIBAPollsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	at := func(offset string) { s.API("PUT", "/clock", `{"offset":"`+offset+`"}`, nil) }
	_, o := s.Backchannel(nil)
	id := o["auth_req_id"]
	want := func(err string) {
		t.Helper()
		if a := s.Poll(id); a["error"] != err {
			t.Errorf("got %v, want %s", a, err)
		}
	}
	want("authorization_pending")
	at("4s")
	want("slow_down") // 5 s were due; 10 s are from now on
	at("10s")
	want("slow_down") // 6 s later; 15 s from now on
	at("26s")
	want("authorization_pending")
	at("3m")
	want("expired_token")
	if a := s.Poll("unknown"); a["error"] != "invalid_grant" {
		t.Errorf("unknown: %v", a)
	}
	at("0s")
	s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"approve"}`, nil)
	_, o = s.Backchannel(nil)
	var wg sync.WaitGroup
	var good atomic.Int32
	for range 6 {
		wg.Go(func() {
			if s.Poll(o["auth_req_id"])["access_token"] != nil {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 {
		t.Errorf("%d parallel polls were granted", good.Load())
	}
}

func TestTooManyRequestsForOnePersonAreRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for i := range 6 {
		status, a := s.Backchannel(nil)
		if i < 5 && status != 200 || i == 5 && (status != 503 || a["error"] != "server_error") {
			t.Errorf("request %d: %d %v", i+1, status, a)
		}
	}
}

// The notification endpoint of an attacker: it hangs, floods or redirects. The
// emulator stays alive, follows nothing, and the tokens can be polled all the same.
func TestAttack21And33NotificationEndpointsThatMisbehave(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	stop := make(chan struct{})
	reached := make(chan string, 8)
	inside := httptest.NewServer(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- "the redirect's target" }),
	)
	defer inside.Close()
	behaviours := map[string]http.HandlerFunc{
		"hangs":  func(_ http.ResponseWriter, r *http.Request) { <-stop },
		"floods": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 10<<20)) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		},
	}
	for name, answer := range behaviours {
		t.Run(name, func(t *testing.T) {
			called := make(chan *http.Request, 4)
			endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called <- r
				answer(w, r)
			}))
			t.Cleanup(endpoint.CloseClientConnections)
			s.API(
				"PUT",
				"/clients/demo",
				`{"client_id":"demo","redirect_uris":["https://app.example/"],"backchannel_token_delivery_mode":"ping",`+
					`"backchannel_client_notification_endpoint":"`+endpoint.URL+`"}`,
				nil,
			)
			s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"approve"}`, nil)
			_, o := s.Backchannel(url.Values{"client_notification_token": {"secret"}})
			r := <-called
			if r.Header.Get("Authorization") != "Bearer secret" {
				t.Errorf("Authorization %q", r.Header.Get("Authorization"))
			}
			if a := s.Poll(o["auth_req_id"]); a["access_token"] == nil {
				t.Errorf("poll: %v", a)
			}
			if len(called) > 0 {
				t.Error("pinged again")
			}
		})
	}
	close(stop)
	if len(reached) > 0 {
		t.Errorf("reached %s", <-reached)
	}
	var log struct{ Items []map[string]any }
	s.API("GET", "/deliveries?client=demo", "", &log)
	if raw, _ := json.Marshal(log); len(log.Items) != 3 || strings.Contains(string(raw), "secret") {
		t.Errorf("delivery log: %s", raw)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestALogoutIsDeliveredAgainUntilTheClientsServerTakesIt(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var calls atomic.Int32
	taken := make(chan url.Values, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = r.ParseForm()
		taken <- r.PostForm
	}))
	defer server.Close()
	s.API(
		"PUT",
		"/clients/demo",
		`{"client_id":"demo","redirect_uri_policy":"loopback","redirect_uris":[],`+
			`"backchannel_logout_uri":"`+server.URL+`/out"}`,
		nil,
	)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	id, _ := rp.Tokens(testkit.Nurse, "").Extra("id_token").(string)
	resp, err := s.HTTP(nil).
		PostForm(s.Issuer+"/protocol/openid-connect/logout", url.Values{"id_token_hint": {id}})
		// server to server
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("logout: %v %v", resp, err)
	}
	resp.Body.Close()
	form := <-taken
	header, payload := testkit.JWTParts(t, form.Get("logout_token"))
	if !strings.Contains(header, "logout+jwt") ||
		!strings.Contains(payload, `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`) ||
		!strings.Contains(payload, testkit.Nurse) {
		t.Errorf("%s %s", header, payload)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var log struct {
			Items []struct {
				State    string
				Attempts []struct{ Status int }
			}
		}
		s.API("GET", "/deliveries", "", &log)
		if l := log.Items; len(l) == 1 && l[0].State == "delivered" && len(l[0].Attempts) == 2 &&
			l[0].Attempts[0].Status == 503 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("delivery log: %+v", log)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		c, err := net.Dial("tcp", s.Listen)
		if err != nil {
			t.Fatal(err)
		}
		if err := tls.Client(c, &tls.Config{
			ServerName: "localhost", RootCAs: s.Roots(), Time: testkit.Now, MinVersion: version, MaxVersion: version,
		}).
			Handshake(); err == nil {
			t.Errorf("accepted %s", tls.VersionName(version))
		}
		c.Close()
	}
}
