package sample_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pscemu.invalid/pscemu/lab/check/sample"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/pscemutest"
)

// browser is a person's at the sample application.
type browser struct {
	t      *testing.T
	e      *pscemutest.Emulator
	c      *http.Client
	app    string
	client string
	person string
	ahead  atomic.Int64 // of the machine's clock, the application's
}

// open runs the application with faults planted.
func open(t *testing.T, e *pscemutest.Emulator, planted ...string) *browser {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // its address goes into the registration
	app := strings.Replace("http://"+web.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	client := e.NewClient(app + "/callback")
	var registered map[string]any
	e.Call("GET", "/clients/"+client.ID, nil, &registered)
	registered["post_logout_redirect_uris"] = []string{app + "/"}
	e.Call("PUT", "/clients/"+client.ID, registered, nil)
	b := &browser{t: t, e: e, c: e.HTTPClient(), app: app, client: client.ID, person: e.NewPerson("10")}
	a, err := sample.New(t.Context(), sample.Config{
		Issuer:      e.Issuer,
		ClientID:    client.ID,
		Certificate: client.Certificate,
		Roots:       e.Roots(),
		URL:         app,
		Now:         func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) },
		Planted:     planted,
	})
	if err != nil {
		t.Fatal(err)
	}
	web.Config.Handler = a
	web.Start()
	t.Cleanup(web.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.c.Jar = jar
	return b
}

func (b *browser) get(at string) (status int, page, to string) {
	b.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = b.app + at
	}
	resp, err := b.c.Get(at)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header.Get("Location")
}

// login is a whole login; the callback's answer, and whether somebody is
// logged in then.
func (b *browser) login() (status int, page string, open bool) {
	b.t.Helper()
	_, _, authorize := b.get("/login")
	back := b.e.LogIn(authorize, b.person)
	status, page, _ = b.get(back)
	_, home, _ := b.get("/")
	return status, page, strings.Contains(home, "Bienvenue")
}

func TestTheGoodApplicationLogsInRefreshesAndLogsOut(t *testing.T) {
	e := pscemutest.Start(t)
	b := open(t, e)
	if status, page, in := b.login(); !in || status != 303 {
		t.Fatalf("%d %s", status, page)
	}
	e.Verify(b.client, "pkce=S256", "state", "nonce", "acr=eidas1", "mtls", "token=1", "userinfo=1", "no-refusal")
	_, _, at := b.get("/logout")
	if !strings.HasPrefix(at, e.Issuer) || !strings.Contains(at, "id_token_hint=") {
		t.Errorf("the logout leads to %q", at)
	}
	if _, _, back := b.get(at); !strings.HasPrefix(back, b.app+"/") {
		t.Errorf("the logout at PSC leads to %q", back)
	}
	if _, page, _ := b.get("/"); strings.Contains(page, "Bienvenue") {
		t.Error("somebody is still logged in")
	}
	if _, _, to := b.get("/logout"); to != "/" {
		t.Errorf("the logout of nobody leads to %q", to)
	}
}

func TestTheGoodApplicationRefusesWhatAFaultPlantedOneTakes(t *testing.T) {
	e := pscemutest.Start(t)
	for planted, kind := range map[string]faults.Kind{
		"nonce-wrong":        faults.KindNonceWrong,
		"iss-wrong":          faults.KindIssWrong,
		"aud-wrong":          faults.KindAudWrong,
		"expired":            faults.KindExpired,
		"signature-wrong":    faults.KindAlgNone,
		"iss-in-token-wrong": faults.KindIssInTokenWrong,
		"azp-wrong":          faults.KindAzpWrong,
		"acr-changed":        faults.KindACRChanged,
		"at-hash-wrong":      faults.KindAtHashWrong,
		"other-person":       faults.KindOtherPerson,
	} {
		e.Fault(faults.Fault{Kind: kind})
		if status, page, in := open(t, e).login(); in || status != 400 || !strings.Contains(page, "The login failed") {
			t.Errorf("%s: the good one takes it: %d %s", kind, status, page)
		}
		if status, page, in := open(t, e, planted).login(); !in {
			t.Errorf("%s: the one with the fault refuses it: %d %s", kind, status, page)
		}
	}
}

func TestPlantedFaultsShow(t *testing.T) {
	e := pscemutest.Start(t)
	_, _, one := open(t, e, "values-fresh").get("/login")
	if !strings.Contains(one, "nonce=always-the-same-nonce") {
		t.Error("values-fresh: the nonce is new")
	}
	if _, _, at := open(t, e, "pkce-used", "acr-asked").get("/login"); strings.Contains(at, "code_challenge") ||
		strings.Contains(at, "acr_values") {
		t.Errorf("pkce-used, acr-asked: %s", at)
	}
	b := open(t, e, "token-not-shown", "session-renewed")
	b.login()
	if _, page, _ := b.get("/"); !strings.Contains(page, "const token") {
		t.Error("token-not-shown: no token")
	}
	b = open(t, e, "logout-at-psc", "logout-closes")
	b.login()
	if _, _, to := b.get("/logout"); to != "/" {
		t.Errorf("logout-at-psc: %q", to)
	}
	if _, page, _ := b.get("/"); !strings.Contains(page, "Bienvenue") {
		t.Error("logout-closes: the session is closed")
	}
}

func TestARefreshRotatesUnlessTheFaultIsPlanted(t *testing.T) {
	e := pscemutest.Start(t)
	good, bad := open(t, e), open(t, e, "refresh-rotates")
	for _, b := range []*browser{good, bad} {
		b.login()
		for range 2 {
			b.ahead.Add(int64(2 * time.Minute)) // as long as a token lives
			b.get("/")
		}
	}
	e.Verify(good.client, "refresh>=2", "no-refusal", "no-reuse")
	refused := false
	for _, event := range e.Wait(bad.client, "authorize").Events {
		refused = refused || event.Code == "refresh-reused"
	}
	if !refused {
		t.Error("refresh-rotates: each refresh token served once")
	}
	e.Advance(5 * time.Hour)
	good.ahead.Add(int64(2 * time.Minute))
	if _, page, _ := good.get("/"); strings.Contains(page, "Bienvenue") {
		t.Error("the session outlives PSC's")
	}
}

func TestAnApplicationWithoutAProviderDoesNotStart(t *testing.T) {
	e := pscemutest.Start(t)
	if _, err := sample.New(t.Context(), sample.Config{Issuer: e.Issuer + "x", Roots: e.Roots()}); err == nil {
		t.Error("it starts")
	}
}
