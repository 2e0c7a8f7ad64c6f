package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities/ecps"
)

// refusal is the part of problem details that tests look at.
type refusal struct{ Code, Received, Remedy string }

// codeOf calls the API and returns the code of its refusal, "" for none.
func (s *server) codeOf(method, path, body string) string {
	s.t.Helper()
	var p refusal
	if status := s.api(method, path, body, &p); status >= 400 {
		return p.Code
	}
	return ""
}

// message is one mail or SMS of the outbox.
type message struct{ ID, Channel, To, Code, Link string }

// mails waits for a mail and an SMS of the person behind the given message.
func (s *server) mails(id, after string) (mail, sms message) {
	s.t.Helper()
	for channel, m := range map[string]*message{"mail": &mail, "sms": &sms} {
		q := url.Values{"national_id": {id}, "channel": {channel}, "after": {after}}
		if status := s.api("GET", "/outbox/wait?"+q.Encode(), "", m); status != 200 {
			s.t.Fatalf("no %s: %d", channel, status)
		}
	}
	return mail, sms
}

// loginPage begins a login in a new browser.
func (s *server) loginPage() (browser *http.Client, page string) {
	s.t.Helper()
	browser = s.browser()
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"demo"},
		"redirect_uri":  {callbackURL},
		"scope":         {"openid"},
	}
	resp, err := browser.Get(s.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return browser, resp.Request.URL.String()
}

// atPhone begins a login by e-CPS in a new browser and returns the page.
func (s *server) atPhone(id string) (browser *http.Client, page, text string) {
	s.t.Helper()
	browser, page = s.loginPage()
	resp, err := browser.PostForm(page+"/ecps", url.Values{"login": {id}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return browser, page, string(b)
}

// latest is the person's newest request.
func (s *server) latest(id string) (r struct{ ID, State, Number string }) {
	s.t.Helper()
	var all struct {
		Items []struct{ ID, State, Number string }
	}
	s.api("GET", "/ecps/requests?all=true&national_id="+url.QueryEscape(id), "", &all)
	if len(all.Items) > 0 {
		r = all.Items[len(all.Items)-1]
	}
	return r
}

func (s *server) until(what string, there func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !there(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s did not come", what)
		}
	}
}

func TestAnECPSIsActivatedByMailAndSMS(t *testing.T) {
	s := boot(t)
	portal := s.browser()
	ask := func(id string) string {
		resp, err := portal.PostForm(s.BaseURL+"/wallet/contact", url.Values{"login": {id}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	ask(nurse)
	mail, sms := s.mails(nurse, "")
	if !strings.Contains(mail.Link, s.ConsoleURL+"/phone/activate?qr=") || len(sms.Code) != 6 ||
		!strings.HasPrefix(sms.To, "+33") ||
		!strings.Contains(mail.To, "@") {
		t.Errorf("%+v %+v", mail, sms)
	}
	before := s.cli("ecps", "show", nurse)
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
	after := s.cli("ecps", "show", nurse)
	if before == after || !strings.Contains(after, `"ended": "replaced"`) ||
		!strings.Contains(after, `"code": "8642"`) {
		t.Errorf("the device: %s", after)
	}
	if got := s.codeOf(
		"POST",
		"/ecps/activations",
		`{"qr":"`+mail.Link+`","sms":"`+sms.Code+`","code":"1111"}`,
	); got != "ecps-activation-used" {
		t.Errorf("attack 15, used again: %s", got)
	}
	s.api("PUT", "/identities/"+nurse+"/ecps/behaviour", `{"action":"ask"}`, nil)
	s.atPhone(nurse)
	r := s.latest(nurse)
	if got := s.codeOf(
		"POST",
		"/ecps/requests/"+r.ID+"/approve",
		`{"code":"1234","number":"`+r.Number+`"}`,
	); got != "ecps-code-wrong" {
		t.Errorf("the old device's code: %s", got)
	}
	if got := s.codeOf(
		"POST",
		"/ecps/requests/"+r.ID+"/approve",
		`{"code":"8642","number":"`+r.Number+`"}`,
	); got != "" {
		t.Errorf("the new device's code: %s", got)
	}
}

func TestAttack15ActivationCodesAreUsedOnceInTimeAndNotGuessed(t *testing.T) {
	s := boot(t)
	complete := func(qr, sms, code string) string {
		return s.codeOf("POST", "/ecps/activations", `{"qr":"`+qr+`","sms":"`+sms+`","code":"`+code+`"}`)
	}
	begin := func(id, body string) (a struct{ ID, QR string }) {
		t.Helper()
		if s.api("POST", "/identities/"+id+"/ecps", body, &a); a.QR == "" {
			t.Fatal("no activation")
		}
		return a
	}
	a := begin(nurse, `{"by":"contact"}`)
	for n := range ecps.MaxSMSTries {
		if got := complete(a.QR, "wrong", "1111"); got != "ecps-sms-wrong" {
			t.Errorf("guess %d: %s", n+1, got)
		}
	}
	_, sms := s.mails(nurse, "")
	if got := complete(a.QR, sms.Code, "1111"); got != "ecps-activation-dead" {
		t.Errorf("the right code after five wrong ones: %s", got)
	}
	if got := complete(a.ID+".AAAAAAAAAAAAAAAAAAAAAAAAAA", "", "1111"); got != "ecps-activation-unknown" {
		t.Errorf("a guessed QR code: %s", got)
	}
	if got := complete("", "", "1111"); got != "ecps-activation-unknown" {
		t.Errorf("none: %s", got)
	}
	if got := complete(begin(nurse, `{"by":"contact"}`).QR, "", "12a4"); got != "ecps-code-form" {
		t.Errorf("a code of letters: %s", got)
	}
	var cards struct{ Items []struct{ Serial string } }
	s.api("GET", "/cards?national_id="+nurse, "", &cards)
	byCard := begin(nurse, `{"by":"card","card":"`+cards.Items[0].Serial+`","pin":"1234"}`)
	s.api("PUT", "/clock", `{"offset":"89s"}`, nil)
	if got := complete(byCard.QR, "", "2222"); got != "" {
		t.Errorf("after 89 s: %s", got)
	}
	byCard = begin(nurse, `{"by":"card","card":"`+cards.Items[0].Serial+`","pin":"1234"}`)
	s.api("PUT", "/clock", `{"offset":"180s"}`, nil)
	if got := complete(byCard.QR, "", "2222"); got != "ecps-activation-expired" {
		t.Errorf("after 91 s: %s", got)
	}
	late := begin(nurse, `{"by":"contact"}`)
	if got := s.codeOf("POST", "/identities/"+nurse+"/ecps", `{"by":"contact"}`); got != "ecps-activation-too-many" {
		t.Errorf("the sixth within an hour: %s", got)
	}
	s.api("PUT", "/clock", `{"offset":"25h"}`, nil)
	if got := complete(late.QR, "", "2222"); got != "ecps-activation-unknown" && got != "ecps-activation-expired" {
		t.Errorf("a mail of yesterday: %s", got)
	}
}

func TestWhoMayActivateWhichWay(t *testing.T) {
	s := boot(t)
	s.api(
		"POST",
		"/identities",
		`{"national_id":"00B7010446","family_name":"MASSEUR1044","given_name":"HONORE","email":"a@exemple.invalid","mobile":"+33639980001"}`,
		nil,
	)
	s.api("POST", "/identities", `{"national_id":"899700366240","family_name":"DOC","given_name":"KIT"}`, nil)
	var opposed, adeli struct{ Serial string }
	s.api("POST", "/cards", `{"national_id":"899700366240","type":"CPS"}`, &opposed)
	s.api("POST", "/cards", `{"national_id":"00B7010446","type":"CPS"}`, &adeli)
	s.api("POST", "/cards/"+opposed.Serial+"/oppose", "", nil)
	for name, c := range map[string]struct{ id, body, want string }{
		"ADELI by mail":         {"00B7010446", `{"by":"contact"}`, "ecps-adeli-by-card"},
		"ADELI by card":         {"00B7010446", `{"by":"card","card":"` + adeli.Serial + `","pin":"1234"}`, ""},
		"without contacts":      {"899700366240", `{"by":"contact"}`, "ecps-contacts-missing"},
		"an opposed card":       {"899700366240", `{"by":"card","card":"` + opposed.Serial + `","pin":"1234"}`, "card-opposed"},
		"a wrong code":          {"00B7010446", `{"by":"card","card":"` + adeli.Serial + `","pin":"9999"}`, "pin-wrong"},
		"another person's card": {nurse, `{"by":"card","card":"` + adeli.Serial + `","pin":"1234"}`, "card-other-person"},
		"nobody":                {"899700000000", `{"by":"contact"}`, "identity-unknown"},
		"no such way":           {nurse, `{"by":"pigeon"}`, "ecps-way-unknown"},
	} {
		if got := s.codeOf("POST", "/identities/"+c.id+"/ecps", c.body); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAttack16ThePortalTellsNoStrangerWhoExists(t *testing.T) {
	s := boot(t)
	s.api("POST", "/identities", `{"national_id":"899700366240","family_name":"DOC","given_name":"KIT"}`, nil)
	page := func(id string) string {
		resp, err := s.browser().PostForm(s.BaseURL+"/wallet/contact", url.Values{"login": {id}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.Status + regexp.MustCompile(`/login/[A-Z0-9]+`).
			ReplaceAllString(strings.ReplaceAll(string(b), id, "ID"), "LOGIN")
	}
	known, without, unknown := page(nurse), page("899700366240"), page("899700000000")
	if known != without || known != unknown {
		t.Errorf("the pages differ:\n%s\n%s\n%s", known, without, unknown)
	}
	s.api("PATCH", "/settings", `{"hide-unknown-ids":false}`, nil)
	if got := page("899700366240"); !strings.Contains(got, "coordonnées") {
		t.Errorf("with the policy off: %s", got)
	}
	// The waiting page likewise: an unknown id, and one without e-CPS.
	s.api("PATCH", "/settings", `{"hide-unknown-ids":true}`, nil)
	_, _, one := s.atPhone("899700000000")
	_, _, two := s.atPhone("899700366240")
	plain := func(text, id string) string {
		return regexp.MustCompile(`(/login/|login=)[A-Z0-9]+`).
			ReplaceAllString(strings.ReplaceAll(text, id, "ID"), "LOGIN")
	}
	if plain(one, "899700000000") != plain(two, "899700366240") {
		t.Errorf("the login pages differ:\n%s\n%s", one, two)
	}
}

// Each behaviour, for good and for the next request alone.
func TestEveryBehaviourOfAPhone(t *testing.T) {
	s := boot(t)
	for name, c := range map[string]struct{ body, state string }{
		"approve":      {`{"action":"approve","next":true}`, "approved"},
		"refuse":       {`{"action":"refuse","next":true}`, "refused"},
		"wrong number": {`{"action":"wrong-number","next":true}`, "wrong-number"},
		"ignore":       {`{"action":"ignore","next":true}`, "pending"},
		"delayed":      {`{"action":"approve","after":"50ms","next":true}`, "approved"},
	} {
		if got := s.codeOf("PUT", "/identities/"+asked+"/ecps/behaviour", c.body); got != "" {
			t.Fatalf("%s: %s", name, got)
		}
		s.atPhone(asked)
		s.until(name, func() bool { return s.latest(asked).State == c.state })
	}
	s.api("PUT", "/identities/"+asked+"/ecps/behaviour", `{"action":"unreachable","next":true}`, nil)
	if _, _, text := s.atPhone(asked); !strings.Contains(text, "ecps-unreachable") {
		t.Errorf("unreachable: %s", text)
	}
	// What was prepared is used up: the person's own behaviour is back.
	if s.atPhone(asked); s.latest(asked).State != "pending" {
		t.Errorf("afterwards: %+v", s.latest(asked))
	}
	s.api("PUT", "/identities/"+asked+"/ecps/behaviour", `{"action":"late","next":true}`, nil)
	browser, page, _ := s.atPhone(asked)
	s.api("PUT", "/clock", `{"offset":"121s"}`, nil)
	resp, err := browser.Get(page + "/continue")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(b), "ecps-expired") || s.latest(asked).State != "expired" {
		t.Errorf("late: %s %+v", b, s.latest(asked))
	}
	s.api("DELETE", "/clock", "", nil)
	// The doors use what was prepared, too, in order.
	s.cli("ecps", "behaviour", nurse, "refuse", "--next")
	s.cli("ecps", "behaviour", nurse, "wrong-number", "--next")
	rp := newRelyingParty(s, s.demoCertificate())
	for _, want := range []string{"refused", "wrong+number", "code="} {
		if got := rp.login(nurse).Encode(); !strings.Contains(got, want) {
			t.Errorf("the door: %s, want %s", got, want)
		}
	}
	if got := s.codeOf(
		"PUT",
		"/identities/"+nurse+"/ecps/behaviour",
		`{"action":"dance"}`,
	); got != "behaviour-unknown" {
		t.Errorf("an unknown one: %s", got)
	}
}

func TestAOneTimePasswordApprovesByAPICommandAndPage(t *testing.T) {
	s := boot(t)
	var now struct{ TOTP string }
	password := func() string { // a fresh one: each serves once
		s.api("PUT", "/clock", `{"advance":"30s"}`, nil)
		s.api("GET", "/identities/"+asked+"/ecps/totp", "", &now)
		return now.TOTP
	}
	s.atPhone(asked)
	if got := s.codeOf(
		"POST",
		"/ecps/requests/"+s.latest(asked).ID+"/approve",
		`{"totp":"`+password()+`"}`,
	); got != "" ||
		s.latest(asked).State != "approved" {
		t.Errorf("by API: %s", got)
	}
	s.atPhone(asked)
	s.cli("ecps", "approve", s.latest(asked).ID, "--totp", password())
	if s.latest(asked).State != "approved" {
		t.Error("by command")
	}
	browser, page, _ := s.atPhone(asked)
	resp, err := browser.PostForm(page+"/totp", url.Values{"totp": {password()}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back := resp.Header.Get(
		"Location",
	); !strings.HasPrefix(back, callbackURL+"?") ||
		!strings.Contains(back, "code=") {
		t.Errorf("by page: %s %s", resp.Status, back)
	}
	browser, page, _ = s.atPhone(asked)
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
	if got := s.latest(asked).State; got != "wrong-totp" {
		t.Errorf("after three wrong ones: %s", got)
	}
	s.api("PATCH", "/doors", `{"totp":false}`, nil)
	_, _, text := s.atPhone(asked)
	if got := s.codeOf(
		"POST",
		"/ecps/requests/"+s.latest(asked).ID+"/approve",
		`{"totp":"`+password()+`"}`,
	); got != "door-closed" ||
		strings.Contains(text, "totp") {
		t.Errorf("with the door closed: %s %s", got, text)
	}
}

// device is a phone that is not a browser: it made its own key.
type device struct{ key *ecdsa.PrivateKey }

func (d device) public() string {
	der, _ := x509.MarshalPKIXPublicKey(&d.key.PublicKey)
	return base64.StdEncoding.EncodeToString(der)
}

func (d device) sign(request, answer, number string) string {
	hash := sha256.Sum256(ecps.Signed(request, answer, number))
	r, sg, _ := ecdsa.Sign(rand.Reader, d.key, hash[:])
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	sg.FillBytes(raw[32:])
	return base64.StdEncoding.EncodeToString(raw)
}

func newPhone(t *testing.T) device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return device{key}
}

func TestAttack15AnApprovalProvesTheKeyMadeAtActivation(t *testing.T) {
	s := boot(t)
	phone, thief := newPhone(t), newPhone(t)
	var a struct{ QR string }
	s.api("POST", "/identities/"+asked+"/ecps", `{"by":"contact"}`, &a)
	_, sms := s.mails(asked, "")
	if got := s.codeOf(
		"POST",
		"/ecps/activations",
		`{"qr":"`+a.QR+`","sms":"`+sms.Code+`","code":"1234","key":"bm8ga2V5"}`,
	); got != "ecps-key-invalid" {
		t.Errorf("no key at all: %s", got)
	}
	if got := s.codeOf(
		"POST",
		"/ecps/activations",
		`{"qr":"`+a.QR+`","sms":"`+sms.Code+`","code":"1234","key":"`+phone.public()+`"}`,
	); got != "" {
		t.Fatal(got)
	}
	s.atPhone(asked)
	r := s.latest(asked)
	approve := func(number, signature string) string {
		return s.codeOf(
			"POST",
			"/ecps/requests/"+r.ID+"/approve",
			`{"code":"1234","number":"`+number+`","signature":"`+signature+`"}`,
		)
	}
	for name, signature := range map[string]string{
		"none": "", "garbage": "AAAA", "another phone's": thief.sign(r.ID, "approve", r.Number), "of another request": phone.sign("x", "approve", r.Number),
		"of a refusal": phone.sign(r.ID, "refuse", ""), "of another number": phone.sign(r.ID, "approve", "99"),
	} {
		if got := approve(r.Number, signature); got != "ecps-signature-wrong" {
			t.Errorf("a signature: %s: %q", name, got)
		}
	}
	// The page's form is no way around it, nor is another site's.
	form := url.Values{"answer": {"approve"}, "code": {"1234"}, "number": {r.Number}}
	send := func(origin string, cookie bool) int {
		req, _ := http.NewRequest(
			http.MethodPost,
			s.ConsoleURL+"/phone/"+asked+"/"+r.ID,
			strings.NewReader(form.Encode()),
		)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		if cookie {
			resp, err := http.Get(s.ConsoleURL + "/phone/" + asked)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			req.AddCookie(resp.Cookies()[0])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := send("", true); got != 422 {
		t.Errorf("the page's form without a signature: %d", got)
	}
	if got := send("https://evil.example", true); got != 403 {
		t.Errorf("attack 13, another site's form: %d", got)
	}
	if got := send("", false); got != 403 {
		t.Errorf("attack 13, without the console's cookie: %d", got)
	}
	for _, path := range []string{"/phone/" + asked + "/" + r.ID, "/phone/" + asked + "/" + r.ID + "?answer=approve&code=1234&number=" + r.Number} {
		if resp, err := http.Get(s.ConsoleURL + path); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("an approval by GET: %s", resp.Status)
			}
		}
	}
	form.Set("signature", phone.sign(r.ID, "approve", r.Number))
	req := r
	if code := s.codeOf(
		"POST",
		"/ecps/requests/AAAAAAAAAAAAAAAAAAAAAAAAAA/approve",
		`{"code":"1234","number":"12"}`,
	); code != "ecps-request-unknown" {
		t.Errorf("a guessed request: %s", code)
	}
	if got := s.latest(asked); got.State != "pending" {
		t.Fatalf("the request is %s", got.State)
	}
	if got := approve(req.Number, phone.sign(req.ID, "approve", req.Number)); got != "" {
		t.Errorf("the phone's own: %s", got)
	}
	if got := approve(req.Number, phone.sign(req.ID, "approve", req.Number)); got != "ecps-request-settled" {
		t.Errorf("twice: %s", got)
	}
	// The policy shuts out the phones that the console holds.
	s.api("PUT", "/identities/"+nurse+"/ecps/behaviour", `{"action":"ask"}`, nil)
	s.atPhone(nurse)
	r = s.latest(nurse)
	s.api("PATCH", "/settings", `{"phone-key":"required"}`, nil)
	if got := approve(r.Number, ""); got != "ecps-key-missing" {
		t.Errorf("a keyless phone where keys are required: %s", got)
	}
	s.api("PATCH", "/settings", `{"phone-key":"either"}`, nil)
	if got := approve(r.Number, ""); got != "" {
		t.Errorf("where they are not: %s", got)
	}
}

func TestAttack15WrongCodesAndNumbersBlockAndAnsweredRequestsStayAnswered(t *testing.T) {
	s := boot(t)
	pick := func(number string) string {
		return s.codeOf(
			"POST",
			"/ecps/requests/"+s.latest(asked).ID+"/approve",
			`{"code":"1234","number":"`+number+`"}`,
		)
	}
	for range ecps.MaxWrongNumbers {
		s.atPhone(asked)
		pick("00")
		if got := s.latest(asked).State; got != "wrong-number" {
			t.Errorf("a wrong number: %s", got)
		}
		if got := pick(s.latest(asked).Number); got != "ecps-request-settled" {
			t.Errorf("the right one afterwards: %s", got)
		}
	}
	if _, _, text := s.atPhone(asked); !strings.Contains(text, "ecps-blocked") {
		t.Error("three wrong numbers do not block")
	}
	s.cli("ecps", "activate", asked)
	s.atPhone(asked)
	pick("00")
	s.atPhone(asked)
	pick(s.latest(asked).Number)
	var phone struct{ Blocked bool }
	if s.api("GET", "/identities/"+asked+"/ecps", "", &phone); phone.Blocked || s.latest(asked).State != "approved" {
		t.Error("a right number does not reset the count")
	}
	s.atPhone(asked)
	r := s.latest(asked)
	s.cli("ecps", "refuse", r.ID)
	if got := pick(r.Number); got != "ecps-request-settled" {
		t.Errorf("approval after refusal: %s", got)
	}
	s.atPhone(asked)
	r = s.latest(asked)
	s.api("PUT", "/clock", `{"offset":"121s"}`, nil)
	if got := pick(r.Number); got != "ecps-request-settled" {
		t.Errorf("approval after expiry: %s", got)
	}
	s.api("DELETE", "/clock", "", nil)
	// Five requests wait; the sixth is refused until one is cancelled.
	var browser *http.Client
	var page, text string
	for range 6 {
		b, p, said := s.atPhone(asked)
		if text = said; browser == nil {
			browser, page = b, p
		}
	}
	if !strings.Contains(text, "ecps-too-many") {
		t.Errorf("the sixth: %s", text)
	}
	resp, err := browser.PostForm(page+"/cancel", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, _, text := s.atPhone(asked); strings.Contains(text, "ecps-too-many") {
		t.Error("after a cancel there is no room")
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
	s.atPhone(asked)
	var waiting []struct{ NationalID, Number string }
	if !lines.Scan() ||
		json.Unmarshal([]byte(strings.ReplaceAll(lines.Text(), "national_id", "nationalid")), &waiting) != nil ||
		len(waiting) != 1 ||
		waiting[0].NationalID != asked {
		t.Fatalf("then: %q", lines.Text())
	}
	s.cli("ecps", "refuse", s.latest(asked).ID)
	if !lines.Scan() || lines.Text() != "[]" {
		t.Fatalf("at last: %q", lines.Text())
	}
}

func TestAttack13AnotherSiteCannotUseThePortal(t *testing.T) {
	s := boot(t)
	for _, path := range []string{"/wallet/contact", "/wallet/devices", "/wallet/sessions"} {
		req, _ := http.NewRequest(http.MethodPost, s.BaseURL+path, strings.NewReader("login="+nurse))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://evil.example")
		resp, err := s.browser().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	var none struct{ Items []message }
	if s.api("GET", "/outbox?national_id="+nurse, "", &none); len(none.Items) != 0 {
		t.Errorf("%v was sent", none.Items)
	}
	if got := s.codeOf("GET", "/outbox/wait?timeout=20ms&national_id="+nurse, ""); got != "message-not-seen" {
		t.Errorf("waiting for nothing: %s", got)
	}
}

func TestCIBAByPhoneUsesBehavioursAndKeys(t *testing.T) {
	s := boot(t)
	s.api("PUT", "/identities/"+asked+"/ecps/behaviour", `{"action":"approve","next":true}`, nil)
	_, o := s.backchannel(nil)
	if a := s.poll(o["auth_req_id"]); a["access_token"] == nil {
		t.Errorf("approved: %v", a)
	}
	s.api("PUT", "/identities/"+asked+"/ecps/behaviour", `{"action":"unreachable","next":true}`, nil)
	if status, o := s.backchannel(nil); status != 400 {
		t.Errorf("unreachable: %d %v", status, o)
	}
	phone := newPhone(t)
	var a struct{ QR string }
	s.api("POST", "/identities/"+asked+"/ecps", `{"by":"contact"}`, &a)
	_, sms := s.mails(asked, "")
	s.api(
		"POST",
		"/ecps/activations",
		`{"qr":"`+a.QR+`","sms":"`+sms.Code+`","code":"7777","key":"`+phone.public()+`"}`,
		nil,
	)
	_, o = s.backchannel(nil)
	r := s.latest(asked)
	if got := s.codeOf(
		"POST",
		"/ecps/requests/"+r.ID+"/approve",
		fmt.Sprintf(`{"code":"7777","signature":"%s"}`, phone.sign(r.ID, "approve", "")),
	); got != "" {
		t.Error(got)
	}
	if a := s.poll(o["auth_req_id"]); a["access_token"] == nil {
		t.Errorf("signed: %v", a)
	}
}
