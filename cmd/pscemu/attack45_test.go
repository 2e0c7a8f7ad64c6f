package main

import (
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/testkit"
)

// password is the person's one-time password of this moment.
func (s *server) password(id string) string {
	s.T.Helper()
	var now struct{ TOTP string }
	s.API("GET", "/identities/"+id+"/ecps/totp", "", &now)
	return now.TOTP
}

// wrongPassword is none of the present ones but by a chance of one to 300,000.
func (s *server) wrongPassword(id string) string {
	right := s.password(id)
	return string('0'+('9'-right[0])) + right[1:]
}

// totp answers a request with a one-time password and returns the refusal's code.
func (s *server) totp(request, password string) string {
	s.T.Helper()
	return s.CodeOf("POST", "/ecps/requests/"+request+"/approve", `{"totp":"`+password+`"}`)
}

// tomorrow is a time of tomorrow, at which certificates made today are in force:
// so many seconds after the start of an hour, where a step of 30 seconds begins.
func tomorrow(seconds int) string {
	return time.Now().UTC().Add(24 * time.Hour).Truncate(time.Hour).Add(time.Duration(seconds) * time.Second).Format(
		time.RFC3339,
	)
}

func TestAttack45AOneTimePasswordServesOnce(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	s.API("PUT", "/clock", `{"now":"`+tomorrow(10)+`","frozen":true}`, nil)
	early := s.password(testkit.Asked)
	s.API("PUT", "/clock", `{"advance":"30s"}`, nil)
	used := s.password(testkit.Asked)
	if got := s.totp(s.Asks(), used); got != "" {
		t.Fatalf("the first time: %s", got)
	}
	request := s.Asks()
	refused := func(when string) {
		t.Helper()
		for what, password := range map[string]string{"again": used, "an earlier one": early} {
			if got := s.totp(request, password); got != "ecps-totp-used" {
				t.Errorf("%s, %s: %q", when, what, got)
			}
		}
	}
	refused("at another request")
	browser, page, _ := s.AtPhone(testkit.Asked)
	resp, err := browser.PostForm(page+"/totp", url.Values{"totp": {used}})
	if err != nil {
		t.Fatal(err)
	}
	if body := testkit.Text(t, resp); !strings.Contains(body, "ecps-totp-used") || !strings.Contains(body, "ecps-wait") {
		t.Errorf("on the page: %s", body)
	}
	_, o := s.Backchannel(nil)
	if got := s.totp(s.Latest(testkit.Asked).ID, used); got != "ecps-totp-used" {
		t.Errorf("with CIBA: %q", got)
	}
	if a := s.Poll(o["auth_req_id"]); a["error"] != "authorization_pending" {
		t.Errorf("the poll: %v", a)
	}
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	s.API("PUT", "/clock", `{"now":"`+tomorrow(40)+`","frozen":true}`, nil)
	refused("after a kill")
	s.API("PUT", "/clock", `{"advance":"30s"}`, nil)
	if got := s.totp(request, used); got != "ecps-totp-used" {
		t.Errorf("in the next step: %q", got)
	}
	if got := s.totp(request, s.password(testkit.Asked)); got != "" {
		t.Errorf("the next password: %s", got)
	}
}

func TestAttack45FiftyUsesOfOnePasswordAtOnceApproveOneRequest(t *testing.T) {
	s := boot(t)
	s.API("PATCH", "/settings", `{"max-requests":10}`, nil)
	s.API("PUT", "/clock", `{"now":"`+tomorrow(10)+`","frozen":true}`, nil)
	var requests []string
	for range 10 {
		requests = append(requests, s.Asks())
	}
	password := s.password(testkit.Asked)
	var mu sync.Mutex
	codes := map[string]int{}
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			code := s.totp(requests[n%len(requests)], password)
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
		})
	}
	all.Wait()
	if codes[""] != 1 || codes["ecps-totp-used"]+codes["ecps-request-settled"] != 49 {
		t.Errorf("%v", codes)
	}
	var phone struct {
		WrongTOTPs int `json:"wrong_totps"`
		Blocked    bool
	}
	s.API("GET", "/identities/"+testkit.Asked+"/ecps", "", &phone)
	if n := len(s.Waiting("/ecps/requests")); n != 9 || phone.WrongTOTPs != 0 || phone.Blocked {
		t.Errorf("%d requests wait, %+v", n, phone)
	}
}

func TestAttack45WrongPasswordsCountAgainstTheDevice(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	for n := range ecps.MaxWrongTOTPs {
		if n == 2 {
			s.stop(syscall.SIGKILL) // the count is in the store
			s = bootIn(t, data)
		}
		if got := s.totp(s.Asks(), s.wrongPassword(testkit.Asked)); got != "ecps-totp-wrong" {
			t.Errorf("wrong password %d: %q", n+1, got)
		}
	}
	var phone struct{ Blocked bool }
	if s.API("GET", "/identities/"+testkit.Asked+"/ecps", "", &phone); !phone.Blocked {
		t.Fatal("three wrong passwords for three requests do not block the device")
	}
	if got := s.Latest(testkit.Asked).State; got != "wrong-totp" {
		t.Errorf("the request of the third: %s", got)
	}
	pending := s.Waiting("/ecps/requests")[0].ID
	if got := s.totp(pending, s.password(testkit.Asked)); got != "ecps-blocked" {
		t.Errorf("the right password: %q", got)
	}
	if _, _, page := s.AtPhone(testkit.Asked); !strings.Contains(page, "ecps-blocked") {
		t.Errorf("a new login: %s", page)
	}
	if s.cli("ecps", "activate", testkit.Asked); s.totp(s.Asks(), s.password(testkit.Asked)) != "" {
		t.Error("a new device is blocked too")
	}
	// In a row: a right one begins the count anew.
	for range 2 {
		s.totp(s.Asks(), s.wrongPassword(testkit.Asked))
	}
	s.API("PUT", "/clock", `{"advance":"30s"}`, nil)
	s.API("PATCH", "/settings", `{"max-requests":10}`, nil)
	s.totp(s.Asks(), s.password(testkit.Asked))
	s.totp(s.Asks(), s.wrongPassword(testkit.Asked))
	if s.API("GET", "/identities/"+testkit.Asked+"/ecps", "", &phone); phone.Blocked {
		t.Error("the right password did not begin the count anew")
	}
}
