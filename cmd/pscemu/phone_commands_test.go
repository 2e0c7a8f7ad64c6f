package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAnECPSIsActivatedByMailAndSMS(t *testing.T) {
	s := boot(t)
	portal := s.Browser()
	ask := func(id string) string {
		resp, err := portal.PostForm(s.BaseURL+"/wallet/contact", url.Values{"login": {id}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	ask(testkit.Nurse)
	mail, sms := s.Mails(testkit.Nurse, "")
	if !strings.Contains(mail.Link, s.ConsoleURL+"/phone/activate?qr=") || len(sms.Code) != 6 ||
		!strings.HasPrefix(sms.To, "+33") ||
		!strings.Contains(mail.To, "@") {
		t.Errorf("%+v %+v", mail, sms)
	}
	before := s.cli("ecps", "show", testkit.Nurse)
	if got := s.cli(
		"ecps",
		"complete",
		mail.Link,
		"--sms",
		sms.Code,
		"--code",
		"8642",
	); !strings.Contains(
		got,
		`"by": "contact"`,
	) {
		t.Errorf("%s", got)
	}
	after := s.cli("ecps", "show", testkit.Nurse)
	if before == after || !strings.Contains(after, `"ended": "replaced"`) ||
		!strings.Contains(after, `"code": "8642"`) {
		t.Errorf("the device: %s", after)
	}
	if got := s.CodeOf(
		"POST",
		"/ecps/activations",
		`{"qr":"`+mail.Link+`","sms":"`+sms.Code+`","code":"1111"}`,
	); got != "ecps-activation-used" {
		t.Errorf("attack 15, used again: %s", got)
	}
	s.API("PUT", "/identities/"+testkit.Nurse+"/ecps/behaviour", `{"action":"ask"}`, nil)
	s.AtPhone(testkit.Nurse)
	r := s.Latest(testkit.Nurse)
	if got := s.CodeOf(
		"POST",
		"/ecps/requests/"+r.ID+"/approve",
		`{"code":"1234","number":"`+r.Number+`"}`,
	); got != "ecps-code-wrong" {
		t.Errorf("the old device's code: %s", got)
	}
	if got := s.CodeOf(
		"POST",
		"/ecps/requests/"+r.ID+"/approve",
		`{"code":"8642","number":"`+r.Number+`"}`,
	); got != "" {
		t.Errorf("the new device's code: %s", got)
	}
}

func TestAOneTimePasswordApprovesByAPICommandAndPage(t *testing.T) {
	s := boot(t)
	var now struct{ TOTP string }
	password := func() string { // a fresh one: each serves once
		s.API("PUT", "/clock", `{"advance":"30s"}`, nil)
		s.API("GET", "/identities/"+testkit.Asked+"/ecps/totp", "", &now)
		return now.TOTP
	}
	s.AtPhone(testkit.Asked)
	if got := s.CodeOf(
		"POST",
		"/ecps/requests/"+s.Latest(testkit.Asked).ID+"/approve",
		`{"totp":"`+password()+`"}`,
	); got != "" ||
		s.Latest(testkit.Asked).State != "approved" {
		t.Errorf("by API: %s", got)
	}
	s.AtPhone(testkit.Asked)
	s.cli("ecps", "approve", s.Latest(testkit.Asked).ID, "--totp", password())
	if s.Latest(testkit.Asked).State != "approved" {
		t.Error("by command")
	}
	browser, page, _ := s.AtPhone(testkit.Asked)
	resp, err := browser.PostForm(page+"/totp", url.Values{"totp": {password()}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back := resp.Header.Get(
		"Location",
	); !strings.HasPrefix(back, testkit.CallbackURL+"?") ||
		!strings.Contains(back, "code=") {
		t.Errorf("by page: %s %s", resp.Status, back)
	}
	browser, page, _ = s.AtPhone(testkit.Asked)
	for n := range 3 {
		resp, err := browser.PostForm(page+"/totp", url.Values{"totp": {"000000"}})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if n < 2 && (!strings.Contains(string(b), "ecps-totp-wrong") || !strings.Contains(string(b), "ecps-wait")) {
			t.Errorf("try %d: %s", n+1, b)
		}
	}
	if got := s.Latest(testkit.Asked).State; got != "wrong-totp" {
		t.Errorf("after three wrong ones: %s", got)
	}
	s.API("PATCH", "/doors", `{"totp":false}`, nil)
	_, _, text := s.AtPhone(testkit.Asked)
	if got := s.CodeOf(
		"POST",
		"/ecps/requests/"+s.Latest(testkit.Asked).ID+"/approve",
		`{"totp":"`+password()+`"}`,
	); got != "door-closed" ||
		strings.Contains(text, "totp") {
		t.Errorf("with the door closed: %s %s", got, text)
	}
}

func TestTheStreamTellsOfARequestAsItComes(t *testing.T) {
	s := boot(t)
	cmd := exec.Command(binary, "ecps", "stream", "--data", s.data)
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "[]" {
		t.Fatalf("at first: %q", lines.Text())
	}
	s.AtPhone(testkit.Asked)
	var waiting []struct{ NationalID, Number string }
	if !lines.Scan() ||
		json.Unmarshal([]byte(strings.ReplaceAll(lines.Text(), "national_id", "nationalid")), &waiting) != nil ||
		len(waiting) != 1 ||
		waiting[0].NationalID != testkit.Asked {
		t.Fatalf("then: %q", lines.Text())
	}
	s.Must("POST", "/ecps/requests/"+s.Latest(testkit.Asked).ID+"/refuse", nil, nil)
	if !lines.Scan() || lines.Text() != "[]" {
		t.Fatalf("at last: %q", lines.Text())
	}
}
