package demo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/rp"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/pscemutest"
)

// visitor is a browser at the demo of an emulator.
type visitor struct {
	t      *testing.T
	e      *pscemutest.Emulator
	c      *http.Client
	person string
}

func newVisitor(t *testing.T, e *pscemutest.Emulator) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := e.HTTPClient()
	c.Jar = jar
	return &visitor{t, e, c, e.Personas[0].NationalID}
}

// get opens an address, as a browser: the page, its status, and where it leads.
func (v *visitor) get(at string) (status int, page, to string) {
	v.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = v.e.ConsoleURL + at
	}
	r, err := http.NewRequest("GET", at, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	resp, err := v.c.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header.Get("Location")
}

// callback is the address to which a login leads back.
func (v *visitor) callback() string {
	v.t.Helper()
	_, _, authorize := v.get("/demo/start")
	return v.e.LogIn(authorize, v.person)
}

// login is a whole login, and the page of the demo afterwards.
func (v *visitor) login() string {
	v.t.Helper()
	if status, page, to := v.get(v.callback()); status != 303 || to != "/demo" {
		v.t.Fatalf("the callback: %d to %q\n%s", status, to, page)
	}
	return v.open()
}

// open is the demo's page.
func (v *visitor) open() string {
	v.t.Helper()
	_, page, _ := v.get("/demo")
	return page
}

func (v *visitor) loggedIn() bool {
	v.t.Helper()
	return strings.Contains(v.open(), `data-testid="demo-logged-in"`)
}

func TestEachCheckOfALoginIsTicked(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	page := v.login()
	for _, want := range []string{
		v.person, "Ce que l’application a vérifié", `data-check="callback-state"`, `data-check="id-token-signature"`,
		`data-check="userinfo-subject"`, "id_token : nonce est celui envoyé", "OIDC Core §3.1.3.7",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(page, "✓"); n < 20 || strings.Contains(page, "✗") {
		t.Errorf("%d checks are ticked: %s", n, page)
	}
	if strings.Contains(page, "eyJ") {
		t.Error("a token stands on the page")
	}
	if _, english, _ := v.get("/demo?lang=en"); !strings.Contains(english, "id_token: nonce is the one sent") ||
		strings.Contains(english, "Ce que") {
		t.Errorf("in English: %s", english)
	}
	e.Verify("demo", "pkce=S256", "state", "nonce", "mtls", "token=1", "userinfo=1", "no-refusal")
}

func TestALoginWithAFaultOpensNoSessionAndItsPageSaysWhy(t *testing.T) {
	e := pscemutest.Start(t)
	for kind, want := range map[faults.Kind][]string{
		faults.KindNonceWrong:           {"demo-nonce-wrong", `data-check="id-token-nonce" class="broken"`},
		faults.KindIssWrong:             {"demo-state-wrong", `data-check="callback-issuer" class="broken"`},
		faults.KindSignatureWrong:       {"demo-login-unverified", `data-check="id-token-signature" class="broken"`},
		faults.KindOtherPerson:          {"demo-login-unverified", `data-check="userinfo-subject" class="broken"`},
		faults.KindCodeWrong:            {"demo-token-refused", "invalid_grant"},
		faults.KindStateWrong:           {"demo-state-wrong", `data-check="callback-state" class="broken"`},
		faults.KindCallbackServerError:  {`data-testid="demo-error"`, "server_error"},
		faults.KindSubMissingInUserinfo: {"demo-login-unverified", `data-check="userinfo-subject" class="broken"`},
	} {
		v := newVisitor(t, e)
		e.Fault(faults.Fault{Kind: kind})
		status, page, _ := v.get(v.callback())
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s: status %d, the page lacks %q:\n%s", kind, status, text, page)
			}
		}
		e.Fault()
		if v.loggedIn() {
			t.Errorf("%s: a session was opened", kind)
		}
	}
}

func TestTheUserInfoThatIsRefusedOpensNoSession(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	e.Fault(faults.Fault{Kind: faults.KindStatus, Endpoint: faults.AtUserInfo, Status: 503})
	if status, page, _ := v.get(v.callback()); status != 403 || !strings.Contains(page, "demo-userinfo-refused") {
		t.Errorf("%d %s", status, page)
	}
}

func TestACallbackServesOnceAndInItsBrowserAlone(t *testing.T) {
	e := pscemutest.Start(t)
	one, two := newVisitor(t, e), newVisitor(t, e)
	back := one.callback()
	if status, page, _ := two.get(back); status != 403 || !strings.Contains(page, "demo-not-started") {
		t.Errorf("in a browser that began none: %d %s", status, page)
	}
	two.get("/demo/start")
	if status, page, _ := two.get(back); status != 403 || !strings.Contains(page, "demo-state-wrong") {
		t.Errorf("in one that began another: %d %s", status, page)
	}
	if two.loggedIn() {
		t.Error("a session was opened in another browser")
	}
	one.get(back)
	if status, _, to := one.get(back); status != 303 || to != "/demo" || !one.loggedIn() {
		t.Errorf("loaded again: %d to %q", status, to)
	}
	one.get("/demo/logout")
	if status, page, _ := one.get(back); status != 403 || !strings.Contains(page, "demo-not-started") || one.loggedIn() {
		t.Errorf("after the logout: %d %s", status, page)
	}
	e.Verify("demo", "token=1", "no-reuse")
}

func TestTwoTabsLogInSideBySide(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	one, two := v.callback(), v.callback()
	for _, back := range []string{one, two} {
		if status, page, _ := v.get(back); status != 303 {
			t.Errorf("%d %s", status, page)
		}
	}
}

func TestThePersonWhoRefusesIsTold(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	e.Behave(v.person, "refuse")
	status, page, _ := v.get(v.callback())
	if status != 200 || !strings.Contains(page, `<code data-testid="demo-error">access_denied</code>`) || v.loggedIn() {
		t.Errorf("%d %s", status, page)
	}
}

func TestTokensAreRefreshedUntilPSCEndsTheSession(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	v.login()
	for range 2 {
		e.Advance(3 * time.Minute)
		if page := v.open(); !strings.Contains(page, "demo-logged-in") ||
			!strings.Contains(page, `data-check="refresh-subject" class="good"`) {
			t.Fatalf("after its token ended: %s", page)
		}
	}
	e.Verify("demo", "refresh>=2", "userinfo=1", "no-refusal")
	e.Advance(time.Hour) // longer than a session of PSC lasts without activity
	if page := v.open(); !strings.Contains(page, "demo-ended") || v.loggedIn() {
		t.Errorf("after the session of PSC ended: %s", page)
	}
}

func TestTheLogoutEndsBothSessionsAndComesBack(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	v.login()
	_, _, at := v.get("/demo/logout")
	u, err := url.Parse(at)
	if q := u.Query(); err != nil || !strings.HasPrefix(at, e.Issuer) || q.Get("id_token_hint") == "" ||
		q.Get("state") == "" {
		t.Fatalf("the logout leads to %q", at)
	}
	if v.loggedIn() {
		t.Error("the session here is still open")
	}
	_, _, back := v.get(at)
	if _, page, _ := v.get(back); !strings.Contains(page, `data-check="logout-state" class="good"`) {
		t.Errorf("%s shows %s", back, page)
	}
	e.Verify("demo", "logout", "no-refusal")
	v.login()
	v.get("/demo/logout")
	if _, page, _ := v.get("/demo?state=another"); !strings.Contains(page, `data-check="logout-state" class="broken"`) {
		t.Errorf("another state: %s", page)
	}
	if _, _, to := v.get("/demo/logout"); to != "/demo" {
		t.Errorf("a logout of nobody leads to %q", to)
	}
}

// inBrowser logs in on the pages of the login, so that the browser has PSC's
// session, and returns the callback.
func (v *visitor) inBrowser(authorize string) string {
	v.t.Helper()
	_, page, to := v.get(authorize)
	if strings.Contains(to, "code=") {
		return to
	}
	if !strings.HasPrefix(to, "/login/") {
		v.t.Fatalf("the authorize request leads to %q: %s", to, page)
	}
	resp, err := v.c.PostForm(v.e.BaseURL+to+"/test", url.Values{"identity": {v.person}})
	if err != nil {
		v.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("Location")
}

// other logs in at another client, in the same session of PSC.
func (v *visitor) other() (*rp.Client, *rp.Session) {
	v.t.Helper()
	client := v.e.NewClient("https://other.test/callback")
	party := rp.New(rp.Config{
		Issuer:   v.e.Issuer,
		ClientID: client.ID,
		HTTP:     v.e.HTTPClient(client.Certificate),
		Claims:   rp.Person,
	})
	login := rp.NewLogin(client.RedirectURI)
	authorize, err := party.AuthorizeURL(v.t.Context(), login)
	if err != nil {
		v.t.Fatal(err)
	}
	back, err := url.Parse(v.inBrowser(authorize))
	if err != nil {
		v.t.Fatal(err)
	}
	in, err := party.Finish(v.t.Context(), login, back.Query())
	if err != nil {
		v.t.Fatal(err)
	}
	return party, in
}

func TestPSCEndsASessionOverTheBackChannel(t *testing.T) {
	e := pscemutest.Start(t)
	var demo map[string]any
	e.Call("GET", "/clients/demo", nil, &demo)
	demo["backchannel_logout_uri"] = e.ConsoleURL + "/demo/backchannel-logout"
	demo["backchannel_logout_session_required"] = true
	e.Call("PUT", "/clients/demo", demo, nil)
	one, two := newVisitor(t, e), newVisitor(t, e)
	two.person = e.Personas[1].NationalID
	for _, v := range []*visitor{one, two} {
		_, _, authorize := v.get("/demo/start")
		v.get(v.inBrowser(authorize))
		if !v.loggedIn() {
			t.Fatal("nobody is logged in")
		}
	}
	party, in := one.other()
	at, err := party.LogoutURL(t.Context(), in, "", "")
	if err != nil {
		t.Fatal(err)
	}
	one.get(at)
	for end := time.Now().Add(10 * time.Second); one.loggedIn(); {
		if time.Now().After(end) {
			t.Fatal("the demo's session outlives PSC's")
		}
	}
	if !two.loggedIn() {
		t.Error("the session of another person has ended too")
	}
}

func TestALogoutTokenThatIsNoneEndsNothing(t *testing.T) {
	e := pscemutest.Start(t)
	v := newVisitor(t, e)
	v.login()
	for name, body := range map[string]string{"nothing": "", "no token": "logout_token=x"} {
		resp, err := http.Post(e.ConsoleURL+"/demo/backchannel-logout", "application/x-www-form-urlencoded",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var said map[string]string
		err = json.NewDecoder(resp.Body).Decode(&said)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 400 || said["error"] != "invalid_request" {
			t.Errorf("%s: %d %v %v", name, resp.StatusCode, said, err)
		}
	}
	if !v.loggedIn() {
		t.Error("a call without a token ended the session")
	}
}
