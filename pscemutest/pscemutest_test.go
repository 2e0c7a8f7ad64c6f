package pscemutest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/pscemutest"
)

// signIn is a small application: it sends the person to the login, exchanges
// the code and asks UserInfo.
func signIn(
	t testing.TB,
	e *pscemutest.Emulator,
	c *pscemutest.Client,
	person string,
) (status int, claims map[string]any) {
	t.Helper()
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {c.ID},
		"redirect_uri":  {c.RedirectURI},
		"scope":         {"openid scope_all"},
		"acr_values":    {"eidas1"},
		"state":         {"s"},
		"nonce":         {"n"},
	}
	back, err := url.Parse(e.LogIn(e.BaseURL+"/auth?"+q.Encode(), person))
	if err != nil {
		t.Fatal(err)
	}
	http := e.HTTPClient(c.Certificate)
	resp, err := http.PostForm(
		e.Issuer+"/protocol/openid-connect/token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {c.ID},
			"code":         {back.Query().Get("code")},
			"redirect_uri": {c.RedirectURI},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		return resp.StatusCode, nil
	}
	return userInfo(t, e, http, tokens.AccessToken)
}

func userInfo(t testing.TB, e *pscemutest.Emulator, c *http.Client, token string) (int, map[string]any) {
	t.Helper()
	req, _ := http.NewRequest("GET", e.Issuer+"/protocol/openid-connect/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	claims := map[string]any{}
	return resp.StatusCode, func() map[string]any { _ = json.NewDecoder(resp.Body).Decode(&claims); return claims }()
}

func TestAnApplicationLogsInInsideGoTest(t *testing.T) {
	e := pscemutest.Start(t)
	client, person := e.NewClient("https://app.test/callback"), e.NewPerson("10")
	status, claims := signIn(t, e, client, person)
	if status != 200 || claims["SubjectNameID"] != person {
		t.Fatalf("%d %v", status, claims)
	}
	e.Verify(client.ID, "nonce", "state", "acr=eidas1", "mtls", "token=1", "userinfo=1", "no-refusal", "person="+person)
	if l := e.Wait(client.ID, "userinfo"); l.NationalID != person {
		t.Errorf("waited for %+v", l)
	}
}

func TestTwoEmulatorsInOneProcessShareNothing(t *testing.T) {
	a, b := pscemutest.Start(t), pscemutest.Start(t)
	person := a.NewPerson("60")
	a.Advance(time.Hour)
	var there struct{ Items []any }
	b.Call("GET", "/identities?q="+person, nil, &there)
	if len(there.Items) != 0 {
		t.Error("a person of one is in the other")
	}
	var at struct{ Now time.Time }
	b.Call("GET", "/clock", nil, &at)
	if time.Until(at.Now) > time.Minute {
		t.Error("the clock of one moved the other's")
	}
}

func TestAFaultStrikesTheClientThatWasNamed(t *testing.T) {
	e := pscemutest.Start(t)
	one, two, person := e.NewClient("https://one.test/"), e.NewClient("https://two.test/"), e.NewPerson("10")
	e.Fault(faults.Fault{Kind: faults.KindStatus, Endpoint: faults.AtToken, Client: one.ID, Status: 502})
	if status, _ := signIn(t, e, one, person); status != 502 {
		t.Errorf("the named client received %d", status)
	}
	if status, _ := signIn(t, e, two, person); status != 200 {
		t.Errorf("the other received %d", status)
	}
	e.Fault()
	if status, _ := signIn(t, e, one, person); status != 200 {
		t.Errorf("after the fault was taken away: %d", status)
	}
}

// The first start makes the keys of the process; the others take milliseconds.
func BenchmarkStart(b *testing.B) {
	pscemutest.Start(b)
	for b.Loop() {
		pscemutest.Start(b)
	}
}

// BenchmarkLogin is a whole login over TLS, with the work of the application
// that logs in and the store in memory: `pscemu bench` measures the server alone.
func BenchmarkLogin(b *testing.B) {
	e := pscemutest.Start(b)
	client, person := e.NewClient("https://app.test/callback"), e.NewPerson("10")
	for b.Loop() {
		if status, _ := signIn(b, e, client, person); status != 200 {
			b.Fatal(status)
		}
	}
}
