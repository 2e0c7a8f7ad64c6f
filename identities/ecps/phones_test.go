package ecps_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/testkit"
)

func until(s *testkit.Server, what string, there func() bool) {
	s.T.Helper()
	for deadline := time.Now().Add(20 * time.Second); !there(); {
		if time.Now().After(deadline) {
			s.T.Fatalf("%s did not come", what)
		}
	}
}

func TestAttack15ActivationCodesAreUsedOnceInTimeAndNotGuessed(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	complete := func(qr, sms, code string) string {
		return s.CodeOf("POST", "/ecps/activations", `{"qr":"`+qr+`","sms":"`+sms+`","code":"`+code+`"}`)
	}
	begin := func(id, body string) (a struct{ ID, QR string }) {
		t.Helper()
		if s.API("POST", "/identities/"+id+"/ecps", body, &a); a.QR == "" {
			t.Fatal("no activation")
		}
		return a
	}
	a := begin(testkit.Nurse, `{"by":"contact"}`)
	for n := range ecps.MaxSMSTries {
		if got := complete(a.QR, "wrong", "1111"); got != "ecps-sms-wrong" {
			t.Errorf("guess %d: %s", n+1, got)
		}
	}
	_, sms := s.Mails(testkit.Nurse, "")
	if got := complete(a.QR, sms.Code, "1111"); got != "ecps-activation-dead" {
		t.Errorf("the right code after five wrong ones: %s", got)
	}
	if got := complete(a.ID+".AAAAAAAAAAAAAAAAAAAAAAAAAA", "", "1111"); got != "ecps-activation-unknown" {
		t.Errorf("a guessed QR code: %s", got)
	}
	if got := complete("", "", "1111"); got != "ecps-activation-unknown" {
		t.Errorf("none: %s", got)
	}
	if got := complete(begin(testkit.Nurse, `{"by":"contact"}`).QR, "", "12a4"); got != "ecps-code-form" {
		t.Errorf("a code of letters: %s", got)
	}
	var cards struct{ Items []struct{ Serial string } }
	s.API("GET", "/cards?national_id="+testkit.Nurse, "", &cards)
	byCard := begin(testkit.Nurse, `{"by":"card","card":"`+cards.Items[0].Serial+`","pin":"1234"}`)
	s.API("PUT", "/clock", `{"offset":"89s"}`, nil)
	if got := complete(byCard.QR, "", "2222"); got != "" {
		t.Errorf("after 89 s: %s", got)
	}
	byCard = begin(testkit.Nurse, `{"by":"card","card":"`+cards.Items[0].Serial+`","pin":"1234"}`)
	s.API("PUT", "/clock", `{"offset":"180s"}`, nil)
	if got := complete(byCard.QR, "", "2222"); got != "ecps-activation-expired" {
		t.Errorf("after 91 s: %s", got)
	}
	late := begin(testkit.Nurse, `{"by":"contact"}`)
	if got := s.CodeOf(
		"POST",
		"/identities/"+testkit.Nurse+"/ecps",
		`{"by":"contact"}`,
	); got != "ecps-activation-too-many" {
		t.Errorf("the sixth within an hour: %s", got)
	}
	s.API("PUT", "/clock", `{"offset":"25h"}`, nil)
	if got := complete(late.QR, "", "2222"); got != "ecps-activation-unknown" && got != "ecps-activation-expired" {
		t.Errorf("a mail of yesterday: %s", got)
	}
}

func TestWhoMayActivateWhichWay(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API(
		"POST",
		"/identities",
		`{"national_id":"00B7010446","family_name":"MASSEUR1044","given_name":"HONORE","email":"a@exemple.invalid",`+
			`"mobile":"+33639980001"}`,
		nil,
	)
	s.API("POST", "/identities", `{"national_id":"899700366240","family_name":"DOC","given_name":"KIT"}`, nil)
	var opposed, adeli struct{ Serial string }
	s.API("POST", "/cards", `{"national_id":"899700366240","type":"CPS"}`, &opposed)
	s.API("POST", "/cards", `{"national_id":"00B7010446","type":"CPS"}`, &adeli)
	s.API("POST", "/cards/"+opposed.Serial+"/oppose", "", nil)
	for name, c := range map[string]struct{ id, body, want string }{
		"ADELI by mail":    {"00B7010446", `{"by":"contact"}`, "ecps-adeli-by-card"},
		"ADELI by card":    {"00B7010446", `{"by":"card","card":"` + adeli.Serial + `","pin":"1234"}`, ""},
		"without contacts": {"899700366240", `{"by":"contact"}`, "ecps-contacts-missing"},
		"an opposed card": {
			"899700366240",
			`{"by":"card","card":"` + opposed.Serial + `","pin":"1234"}`,
			"card-opposed",
		},
		"a wrong code": {"00B7010446", `{"by":"card","card":"` + adeli.Serial + `","pin":"9999"}`, "pin-wrong"},
		"another person's card": {
			testkit.Nurse,
			`{"by":"card","card":"` + adeli.Serial + `","pin":"1234"}`,
			"card-other-person",
		},
		"nobody":      {"899700000000", `{"by":"contact"}`, "identity-unknown"},
		"no such way": {testkit.Nurse, `{"by":"pigeon"}`, "ecps-way-unknown"},
	} {
		if got := s.CodeOf("POST", "/identities/"+c.id+"/ecps", c.body); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAttack16ThePortalTellsNoStrangerWhoExists(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API("POST", "/identities", `{"national_id":"899700366240","family_name":"DOC","given_name":"KIT"}`, nil)
	page := func(id string) string {
		resp, err := s.Browser().PostForm(s.BaseURL+"/wallet/contact", url.Values{"login": {id}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.Status + regexp.MustCompile(`/login/[A-Z0-9]+`).
			ReplaceAllString(strings.ReplaceAll(string(b), id, "ID"), "LOGIN")
	}
	known, without, unknown := page(testkit.Nurse), page("899700366240"), page("899700000000")
	if known != without || known != unknown {
		t.Errorf("the pages differ:\n%s\n%s\n%s", known, without, unknown)
	}
	s.API("PATCH", "/settings", `{"hide-unknown-ids":false}`, nil)
	if got := page("899700366240"); !strings.Contains(got, "coordonnées") {
		t.Errorf("with the policy off: %s", got)
	}
	// The waiting page likewise: an unknown id, and one without e-CPS.
	s.API("PATCH", "/settings", `{"hide-unknown-ids":true}`, nil)
	_, _, one := s.AtPhone("899700000000")
	_, _, two := s.AtPhone("899700366240")
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
	t.Parallel()
	s := testkit.Start(t)
	for name, c := range map[string]struct{ body, state string }{
		"approve":      {`{"action":"approve","next":true}`, "approved"},
		"refuse":       {`{"action":"refuse","next":true}`, "refused"},
		"wrong number": {`{"action":"wrong-number","next":true}`, "wrong-number"},
		"ignore":       {`{"action":"ignore","next":true}`, "pending"},
		"delayed":      {`{"action":"approve","after":"50ms","next":true}`, "approved"},
	} {
		if got := s.CodeOf("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", c.body); got != "" {
			t.Fatalf("%s: %s", name, got)
		}
		s.AtPhone(testkit.Asked)
		until(s, name, func() bool { return s.Latest(testkit.Asked).State == c.state })
	}
	s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"unreachable","next":true}`, nil)
	if _, _, text := s.AtPhone(testkit.Asked); !strings.Contains(text, "ecps-unreachable") {
		t.Errorf("unreachable: %s", text)
	}
	// What was prepared is used up: the person's own behaviour is back.
	if s.AtPhone(testkit.Asked); s.Latest(testkit.Asked).State != "pending" {
		t.Errorf("afterwards: %+v", s.Latest(testkit.Asked))
	}
	s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"late","next":true}`, nil)
	browser, page, _ := s.AtPhone(testkit.Asked)
	s.API("PUT", "/clock", `{"offset":"121s"}`, nil)
	resp, err := browser.Get(page + "/continue")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(b), "ecps-expired") || s.Latest(testkit.Asked).State != "expired" {
		t.Errorf("late: %s %+v", b, s.Latest(testkit.Asked))
	}
	s.API("DELETE", "/clock", "", nil)
	// The doors use what was prepared, too, in order.
	s.Must("PUT", "/identities/"+testkit.Nurse+"/ecps/behaviour", map[string]any{"action": "refuse", "next": true}, nil)
	s.Must("PUT", "/identities/"+testkit.Nurse+"/ecps/behaviour", map[string]any{
		"action": "wrong-number",
		"next":   true,
	}, nil)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	for _, want := range []string{"refused", "wrong+number", "code="} {
		if got := rp.Login(testkit.Nurse).Encode(); !strings.Contains(got, want) {
			t.Errorf("the door: %s, want %s", got, want)
		}
	}
	if got := s.CodeOf(
		"PUT",
		"/identities/"+testkit.Nurse+"/ecps/behaviour",
		`{"action":"dance"}`,
	); got != "behaviour-unknown" {
		t.Errorf("an unknown one: %s", got)
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
	t.Parallel()
	s := testkit.Start(t)
	phone, thief := newPhone(t), newPhone(t)
	var a struct{ QR string }
	s.API("POST", "/identities/"+testkit.Asked+"/ecps", `{"by":"contact"}`, &a)
	_, sms := s.Mails(testkit.Asked, "")
	if got := s.CodeOf(
		"POST",
		"/ecps/activations",
		`{"qr":"`+a.QR+`","sms":"`+sms.Code+`","code":"1234","key":"bm8ga2V5"}`,
	); got != "ecps-key-invalid" {
		t.Errorf("no key at all: %s", got)
	}
	if got := s.CodeOf(
		"POST",
		"/ecps/activations",
		`{"qr":"`+a.QR+`","sms":"`+sms.Code+`","code":"1234","key":"`+phone.public()+`"}`,
	); got != "" {
		t.Fatal(got)
	}
	s.AtPhone(testkit.Asked)
	r := s.Latest(testkit.Asked)
	approve := func(number, signature string) string {
		return s.CodeOf(
			"POST",
			"/ecps/requests/"+r.ID+"/approve",
			`{"code":"1234","number":"`+number+`","signature":"`+signature+`"}`,
		)
	}
	for name, signature := range map[string]string{
		"none":               "",
		"garbage":            "AAAA",
		"another phone's":    thief.sign(r.ID, "approve", r.Number),
		"of another request": phone.sign("x", "approve", r.Number),
		"of a refusal":       phone.sign(r.ID, "refuse", ""), "of another number": phone.sign(r.ID, "approve", "99"),
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
			s.ConsoleURL+"/phone/"+testkit.Asked+"/"+r.ID,
			strings.NewReader(form.Encode()),
		)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		if cookie {
			resp, err := http.Get(s.ConsoleURL + "/phone/" + testkit.Asked)
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
	for _, path := range []string{
		"/phone/" + testkit.Asked + "/" + r.ID,
		"/phone/" + testkit.Asked + "/" + r.ID + "?answer=approve&code=1234&number=" + r.Number,
	} {
		if resp, err := http.Get(s.ConsoleURL + path); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("an approval by GET: %s", resp.Status)
			}
		}
	}
	form.Set("signature", phone.sign(r.ID, "approve", r.Number))
	req := r
	if code := s.CodeOf(
		"POST",
		"/ecps/requests/AAAAAAAAAAAAAAAAAAAAAAAAAA/approve",
		`{"code":"1234","number":"12"}`,
	); code != "ecps-request-unknown" {
		t.Errorf("a guessed request: %s", code)
	}
	if got := s.Latest(testkit.Asked); got.State != "pending" {
		t.Fatalf("the request is %s", got.State)
	}
	if got := approve(req.Number, phone.sign(req.ID, "approve", req.Number)); got != "" {
		t.Errorf("the phone's own: %s", got)
	}
	if got := approve(req.Number, phone.sign(req.ID, "approve", req.Number)); got != "ecps-request-settled" {
		t.Errorf("twice: %s", got)
	}
	// The policy shuts out the phones that the console holds.
	s.API("PUT", "/identities/"+testkit.Nurse+"/ecps/behaviour", `{"action":"ask"}`, nil)
	s.AtPhone(testkit.Nurse)
	r = s.Latest(testkit.Nurse)
	s.API("PATCH", "/settings", `{"phone-key":"required"}`, nil)
	if got := approve(r.Number, ""); got != "ecps-key-missing" {
		t.Errorf("a keyless phone where keys are required: %s", got)
	}
	s.API("PATCH", "/settings", `{"phone-key":"either"}`, nil)
	if got := approve(r.Number, ""); got != "" {
		t.Errorf("where they are not: %s", got)
	}
}

func TestAttack15WrongCodesAndNumbersBlockAndAnsweredRequestsStayAnswered(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	pick := func(number string) string {
		return s.CodeOf(
			"POST",
			"/ecps/requests/"+s.Latest(testkit.Asked).ID+"/approve",
			`{"code":"1234","number":"`+number+`"}`,
		)
	}
	for range ecps.MaxWrongNumbers {
		s.AtPhone(testkit.Asked)
		pick("00")
		if got := s.Latest(testkit.Asked).State; got != "wrong-number" {
			t.Errorf("a wrong number: %s", got)
		}
		if got := pick(s.Latest(testkit.Asked).Number); got != "ecps-request-settled" {
			t.Errorf("the right one afterwards: %s", got)
		}
	}
	if _, _, text := s.AtPhone(testkit.Asked); !strings.Contains(text, "ecps-blocked") {
		t.Error("three wrong numbers do not block")
	}
	s.Must("POST", "/identities/"+testkit.Asked+"/ecps", map[string]string{}, nil)
	s.AtPhone(testkit.Asked)
	pick("00")
	s.AtPhone(testkit.Asked)
	pick(s.Latest(testkit.Asked).Number)
	var phone struct{ Blocked bool }
	if s.API(
		"GET",
		"/identities/"+testkit.Asked+"/ecps",
		"",
		&phone,
	); phone.Blocked || s.Latest(testkit.Asked).State != "approved" {
		t.Error("a right number does not reset the count")
	}
	s.AtPhone(testkit.Asked)
	r := s.Latest(testkit.Asked)
	s.Must("POST", "/ecps/requests/"+r.ID+"/refuse", nil, nil)
	if got := pick(r.Number); got != "ecps-request-settled" {
		t.Errorf("approval after refusal: %s", got)
	}
	s.AtPhone(testkit.Asked)
	r = s.Latest(testkit.Asked)
	s.API("PUT", "/clock", `{"offset":"121s"}`, nil)
	if got := pick(r.Number); got != "ecps-request-settled" {
		t.Errorf("approval after expiry: %s", got)
	}
	s.API("DELETE", "/clock", "", nil)
	// Five requests wait; the sixth is refused until one is cancelled.
	var browser *http.Client
	var page, text string
	for range 6 {
		b, p, said := s.AtPhone(testkit.Asked)
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
	if _, _, text := s.AtPhone(testkit.Asked); strings.Contains(text, "ecps-too-many") {
		t.Error("after a cancel there is no room")
	}
}

func TestAttack13AnotherSiteCannotUseThePortal(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, path := range []string{"/wallet/contact", "/wallet/devices", "/wallet/sessions"} {
		req, _ := http.NewRequest(http.MethodPost, s.BaseURL+path, strings.NewReader("login="+testkit.Nurse))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://evil.example")
		resp, err := s.Browser().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	var none struct{ Items []testkit.Message }
	if s.API("GET", "/outbox?national_id="+testkit.Nurse, "", &none); len(none.Items) != 0 {
		t.Errorf("%v was sent", none.Items)
	}
	if got := s.CodeOf("GET", "/outbox/wait?timeout=20ms&national_id="+testkit.Nurse, ""); got != "message-not-seen" {
		t.Errorf("waiting for nothing: %s", got)
	}
}

func TestCIBAByPhoneUsesBehavioursAndKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"approve","next":true}`, nil)
	_, o := s.Backchannel(nil)
	if a := s.Poll(o["auth_req_id"]); a["access_token"] == nil {
		t.Errorf("approved: %v", a)
	}
	s.API("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", `{"action":"unreachable","next":true}`, nil)
	if status, o := s.Backchannel(nil); status != 400 {
		t.Errorf("unreachable: %d %v", status, o)
	}
	phone := newPhone(t)
	var a struct{ QR string }
	s.API("POST", "/identities/"+testkit.Asked+"/ecps", `{"by":"contact"}`, &a)
	_, sms := s.Mails(testkit.Asked, "")
	s.API(
		"POST",
		"/ecps/activations",
		`{"qr":"`+a.QR+`","sms":"`+sms.Code+`","code":"7777","key":"`+phone.public()+`"}`,
		nil,
	)
	_, o = s.Backchannel(nil)
	r := s.Latest(testkit.Asked)
	if got := s.CodeOf(
		"POST",
		"/ecps/requests/"+r.ID+"/approve",
		fmt.Sprintf(`{"code":"7777","signature":"%s"}`, phone.sign(r.ID, "approve", "")),
	); got != "" {
		t.Error(got)
	}
	if a := s.Poll(o["auth_req_id"]); a["access_token"] == nil {
		t.Errorf("signed: %v", a)
	}
}
