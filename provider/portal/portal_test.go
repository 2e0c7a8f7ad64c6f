package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// start begins a task of the portal in a new browser and returns its login page.
func start(s *testkit.Server, task string) (browser *http.Client, page string) {
	s.T.Helper()
	browser = s.Browser()
	resp, err := browser.Get(s.BaseURL + "/wallet/start/" + task)
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	page, _, _ = strings.Cut(resp.Request.URL.String(), "?")
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "/login/") {
		s.T.Fatalf("%s begins with %d at %s", task, resp.StatusCode, page)
	}
	return browser, page
}

// send posts a form and returns where it led, with the page's text.
func send(s *testkit.Server, browser *http.Client, at string, form url.Values) (path, text string) {
	s.T.Helper()
	resp, err := browser.PostForm(at, form)
	if err != nil {
		s.T.Fatal(err)
	}
	return resp.Request.URL.Path, testkit.Text(s.T, resp)
}

// byCard is the form of a person's card.
func byCard(s *testkit.Server, id string) url.Values {
	return url.Values{"card": {s.CardOf(id).Serial}, "pin": {"1234"}}
}

func TestThePortalListsItsTasksAndKnowsNoOthers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	home := testkit.Read(s, s.Browser(), s.BaseURL+"/home")
	for _, task := range []string{"start/activate", "start/test", "devices", "sessions", "contact"} {
		if !strings.Contains(home, "/wallet/"+task) {
			t.Errorf("the home page has no %s", task)
		}
	}
	resp, err := s.Browser().Get(s.BaseURL + "/wallet/start/nothing")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown task: %d", resp.StatusCode)
	}
}

func TestTheCardActivatesAnECPSForTheBrowserItWasShownIn(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	browser, page := start(s, "activate")
	path, text := send(s, browser, page+"/card", byCard(s, testkit.Nurse))
	if !strings.HasPrefix(path, "/wallet/activation/") || !strings.Contains(text, `data-state="pending"`) {
		t.Fatalf("%s: %s", path, text)
	}
	if other := testkit.Read(s, s.Browser(), s.BaseURL+path); !strings.Contains(other, "page-other-browser") {
		t.Errorf("another browser reads %s", other)
	}
	if state := testkit.Read(s, s.Browser(), s.BaseURL+path+"/state"); !strings.Contains(state, "gone") {
		t.Errorf("another browser hears %s", state)
	}
	if status := s.API("PUT", "/clock", `{"offset":"10m"}`, nil); status != http.StatusOK {
		t.Fatalf("PUT clock: %d", status)
	}
	if state := testkit.Read(s, browser, s.BaseURL+path+"/state"); !strings.Contains(state, `"expired"`) {
		t.Errorf("ten minutes later the state is %s", state)
	}
	if text := testkit.Read(s, browser, s.BaseURL+path); !strings.Contains(text, `data-state="expired"`) {
		t.Errorf("ten minutes later the page is %s", text)
	}
}

func TestATaskTakesItsOwnMeansOnly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	browser, page := start(s, "test")
	if _, text := send(s, browser, page+"/card", byCard(s, testkit.Nurse)); !strings.Contains(text, "wallet-other-means") {
		t.Errorf("the test of an e-CPS with a card: %s", text)
	}
	browser, page = start(s, "test")
	if _, text := send(s, browser, page+"/ecps", url.Values{"login": {testkit.Nurse}}); !strings.Contains(text, "Bravo") {
		t.Errorf("the test of an e-CPS: %s", text)
	}
}

func TestAStrangerDoesNotLearnByTheContactFormWhoExists(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	at := s.BaseURL + "/wallet/contact"
	if text := testkit.Read(s, s.Browser(), at); !strings.Contains(text, `name="login"`) {
		t.Errorf("the form is %s", text)
	}
	_, known := send(s, s.Browser(), at, url.Values{"login": {testkit.Nurse}})
	_, unknown := send(s, s.Browser(), at, url.Values{"login": {"899700000000"}})
	if strings.ReplaceAll(known, testkit.Nurse, "") != strings.ReplaceAll(unknown, "899700000000", "") {
		t.Errorf("known: %s\nunknown: %s", known, unknown)
	}
	if _, text := send(s, s.Browser(), at, url.Values{"login": {strings.Repeat("8", 300)}}); !strings.Contains(
		text, "field-too-long") {
		t.Errorf("a long id: %s", text)
	}
	s.Must("PATCH", "/settings", map[string]any{"hide-unknown-ids": "false"}, nil)
	_, told := send(s, s.Browser(), at, url.Values{"login": {"899700000000"}})
	if !strings.Contains(told, "identity-unknown") {
		t.Errorf("with the policy off: %s", told)
	}
}

func TestALostDeviceIsDeclaredOnThePortal(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	browser, page := start(s, "devices")
	path, text := send(s, browser, page+"/card", byCard(s, testkit.Nurse))
	if path != "/wallet/devices" || !strings.Contains(text, testkit.Nurse) {
		t.Fatalf("%s: %s", path, text)
	}
	if path, _ := send(s, browser, s.BaseURL+"/wallet/devices", url.Values{"why": {"lost"}}); path != "/wallet/devices" {
		t.Errorf("led to %s", path)
	}
	if status := s.API("GET", "/identities/"+testkit.Nurse+"/ecps", "", nil); status != http.StatusNotFound {
		t.Errorf("the lost e-CPS: %d", status)
	}
	if _, text := send(s, browser, s.BaseURL+"/wallet/devices", url.Values{"why": {"eaten"}}); !strings.Contains(
		text, `data-testid="error"`) {
		t.Errorf("an unknown reason: %s", text)
	}
}

func TestEverySessionOfAPersonEndsOnThePortal(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	token := rp.Tokens(testkit.Nurse, "").AccessToken
	if testkit.Read(s, s.Browser(), s.BaseURL+"/wallet/sessions"); s.BearerStatus(token) != http.StatusOK {
		t.Fatal("the token is not good")
	}
	browser, page := start(s, "sessions")
	path, text := send(s, browser, page+"/ecps", url.Values{"login": {testkit.Nurse}})
	if path != "/wallet/sessions" || !strings.Contains(text, "demo") {
		t.Fatalf("%s: %s", path, text)
	}
	if _, text := send(s, browser, s.BaseURL+"/wallet/sessions", nil); !strings.Contains(text, "Vous êtes déconnecté") {
		t.Errorf("after logging out: %s", text)
	}
	if status := s.BearerStatus(token); status != http.StatusUnauthorized {
		t.Errorf("the token of an ended session: %d", status)
	}
	if path := lands(s, browser, "/wallet/sessions"); !strings.Contains(path, "/login/") {
		t.Errorf("without a session the page is %s", path)
	}
}

// lands is the path that a page leads to.
func lands(s *testkit.Server, browser *http.Client, at string) string {
	s.T.Helper()
	resp, err := browser.Get(s.BaseURL + at)
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	return resp.Request.URL.Path
}
