package phone_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// screen is a browser in which phones are shown.
type screen struct {
	*testkit.Server
	browser *http.Client
}

func open(t *testing.T) *screen {
	t.Helper()
	s := testkit.Start(t)
	return &screen{s, s.ConsoleBrowser()}
}

func (s *screen) get(path string) (int, string) {
	s.T.Helper()
	resp, err := s.browser.Get(s.ConsoleURL + path)
	if err != nil {
		s.T.Fatal(err)
	}
	return resp.StatusCode, testkit.Text(s.T, resp)
}

func (s *screen) post(path string, form url.Values) (int, string, string) {
	s.T.Helper()
	resp, err := s.browser.PostForm(s.ConsoleURL+path, form)
	if err != nil {
		s.T.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), testkit.Text(s.T, resp)
}

const at = "/phone/" + testkit.Asked

func TestAPhoneApprovesWithItsCodeAndTheNumberAndRefuses(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.Must("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", map[string]string{"action": "ask"}, nil)
	id := s.Asks()
	number := s.Latest(testkit.Asked).Number
	_, page := s.get(at)
	testkit.Holds(t, page, `data-testid="phone"`, `data-request="`+id+`"`, `data-testid="phone-number"`, number)
	right := url.Values{"answer": {"approve"}, "code": {"1234"}, "number": {number}}
	wrong := url.Values{"answer": {"approve"}, "code": {"0000"}, "number": {number}}
	if status, _, page := s.post(at+"/"+id, wrong); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, `data-testid="error"`) {
		t.Errorf("a wrong code: %d %.900s", status, page)
	}
	if status, to, page := s.post(at+"/"+id, right); status != http.StatusSeeOther || to != at {
		t.Errorf("approved: %d %s %.900s", status, to, page)
	}
	if got := s.Latest(testkit.Asked).State; got != "approved" {
		t.Errorf("the request is %s", got)
	}
	id = s.Asks()
	if status, _, page := s.post("/phone/"+testkit.Nurse+"/"+id, right); status != http.StatusForbidden {
		t.Errorf("another person's phone: %d %.600s", status, page)
	}
	s.post(at+"/"+id, url.Values{"answer": {"refuse"}})
	_, page = s.get(at)
	testkit.Holds(t, page, "Aucune demande en attente.", `data-testid="phone-history"`)
	if got := s.Latest(testkit.Asked).State; got != "refused" {
		t.Errorf("the request is %s", got)
	}
}

func TestPhonesSpeakEnglishToWhoChoseIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, page := s.get("/phone?lang=en")
	testkit.Holds(t, page, `<html lang="en">`)
	_, page = s.get(at)
	testkit.Holds(t, page, `<html lang="en">`, "No request is waiting.")
	_, page = s.get("/identities")
	testkit.Holds(t, page, `<html lang="fr">`)
}

func TestSeveralPhonesAreShownSideBySide(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, page := s.get("/phone/side?id=" + testkit.Asked + "&id=" + testkit.Nurse)
	if got := strings.Count(page, `data-testid="phone"`); got != 2 {
		t.Errorf("%d phones", got)
	}
	for path, want := range map[string]int{
		"/phone/side?id=" + testkit.Asked + "&id=899700009999": http.StatusNotFound,
		"/phone/899700009999":                   http.StatusNotFound,
		"/phone?id=%20" + testkit.Asked + "%20": http.StatusSeeOther,
		"/phone/sw.js":                          http.StatusOK,
	} {
		if status, page := s.get(path); status != want {
			t.Errorf("%s: %d %.300s", path, status, page)
		}
	}
}

func TestAPageHearsOfEachRequestOnAPhone(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.Must("PUT", "/identities/"+testkit.Asked+"/ecps/behaviour", map[string]string{"action": "ask"}, nil)
	resp, err := s.browser.Get(s.ConsoleURL + "/phone/stream?id=" + testkit.Asked)
	if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v %v", err, resp)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() (waiting map[string]string) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &waiting); err != nil {
					t.Fatal(err)
				}
				return waiting
			}
		}
		t.Fatal("the stream ended")
		return nil
	}
	if nothing := next(); nothing[testkit.Asked] != "" {
		t.Errorf("it waits already: %v", nothing)
	}
	id := s.Asks()
	if one := next(); one[testkit.Asked] != id+" " {
		t.Errorf("the stream says %v", one)
	}
	_, state := s.get("/phone/state?id=" + testkit.Asked + "&seen=" + url.QueryEscape("{}"))
	testkit.Holds(t, state, id)
}

func TestAPhoneIsActivatedFromItsQRCodeAndRemoved(t *testing.T) {
	t.Parallel()
	s := open(t)
	var begun struct{ QR string }
	s.Must("POST", "/identities/"+testkit.Nurse+"/ecps", map[string]string{"by": "contact"}, &begun)
	var sms struct{ Code string }
	s.Must("GET", "/outbox/wait?channel=sms&national_id="+testkit.Nurse, nil, &sms)
	status, page := s.get("/phone/activate?qr=" + url.QueryEscape(begun.QR))
	if status != http.StatusOK {
		t.Fatalf("%d %.900s", status, page)
	}
	testkit.Holds(t, page, `data-testid="activation-sms"`, `data-testid="new-code"`)
	form := url.Values{"qr": {begun.QR}, "sms": {sms.Code}, "code": {"2468"}, "again": {"8642"}}
	if status, _, page := s.post("/phone/activate", form); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, "ecps-codes-differ") {
		t.Errorf("two codes: %d %.900s", status, page)
	}
	form.Set("again", "2468")
	if status, to, page := s.post(
		"/phone/activate",
		form,
	); status != http.StatusSeeOther ||
		to != "/phone/"+testkit.Nurse {
		t.Errorf("activated: %d %s %.900s", status, to, page)
	}
	if status, page := s.get("/phone/activate?qr=nothing"); status != http.StatusUnprocessableEntity {
		t.Errorf("a code that is none: %d %.600s", status, page)
	}
	if status, _, _ := s.post(
		"/phone/"+testkit.Nurse+"/remove",
		url.Values{"why": {"lost"}},
	); status != http.StatusSeeOther {
		t.Errorf("removed: %d", status)
	}
	if status, _ := s.get("/phone/" + testkit.Nurse); status != http.StatusNotFound {
		t.Errorf("the removed phone: %d", status)
	}
}

func TestTheScriptOfAPhoneIsAnsweredInJSON(t *testing.T) {
	t.Parallel()
	s := open(t)
	var begun struct{ QR string }
	s.Must("POST", "/identities/"+testkit.Nurse+"/ecps", map[string]string{"by": "contact"}, &begun)
	var sms struct{ Code string }
	s.Must("GET", "/outbox/wait?channel=sms&national_id="+testkit.Nurse, nil, &sms)
	send := func(code string) (int, string) {
		form := url.Values{"qr": {begun.QR}, "sms": {code}, "code": {"2468"}, "again": {"2468"}}
		req, err := http.NewRequest(http.MethodPost, s.ConsoleURL+"/phone/activate", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "application/json")
		resp, err := s.browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, testkit.Text(t, resp)
	}
	english := regexp.MustCompile(`(?i)"title":"[^"]*\bthe\b`)
	if status, answer := send("000000"); status < 400 || !strings.Contains(answer, `"code":`) ||
		english.MatchString(answer) {
		t.Errorf("a wrong SMS code: %d %s", status, answer)
	}
	s.get("/phone?lang=en")
	if _, answer := send("000000"); !english.MatchString(answer) {
		t.Errorf("a wrong SMS code, in English: %s", answer)
	}
	if status, answer := send(sms.Code); status != http.StatusCreated || !strings.Contains(answer, testkit.Nurse) {
		t.Errorf("activated: %d %s", status, answer)
	}
}
