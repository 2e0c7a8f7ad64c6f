package journal_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/testkit"
	"pscemu.invalid/pscemu/provider/journal"
	protocol "pscemu.invalid/pscemu/provider/wire"
)

// story is a login as the API tells it.
type story struct {
	ID     string
	Events []struct {
		Seq          int64
		Kind, Code   string
		Detail       map[string]string
		Exchange     *journal.View
		Problem      *problem.Error
		ExchangeJSON json.RawMessage `json:"-"`
	}
}

func (s story) kinds() string {
	var out []string
	for _, e := range s.Events {
		out = append(out, e.Kind)
	}
	return strings.Join(out, " ")
}

func TestTheJournalTellsALoginFromTheRequestToTheLogout(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Register("story", map[string]any{"post_logout_redirect_uris": []string{"https://app.example/bye"}})
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	tok := rp.Tokens(testkit.Doctor, "the-nonce")
	s.BearerStatus(tok.AccessToken)
	resp, err := s.HTTP(s.DemoCertificate()).
		PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
			"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {tok.RefreshToken},
		})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	id, _ := tok.Extra("id_token").(string)
	if resp, err = s.HTTP(nil).Get(s.Issuer + "/protocol/openid-connect/logout?id_token_hint=" + id); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var l story
	s.API("GET", "/logins/wait?event=logout&client=demo", "", &l)
	if got := l.kinds(); got != "authorize means callback token userinfo refresh logout" {
		t.Errorf("the story is %q", got)
	}
	var verified struct {
		OK      bool
		Results []journal.Result
	}
	s.API(
		"POST",
		"/verify",
		`{"login":"`+l.ID+`","expect":["pkce=S256","state","nonce","scope=scope_all","acr=eidas1","mtls",`+
			`"authorize=1","token=1","userinfo=1","refresh>=1","refresh<=1","logout",`+
			`"no-refusal","no-reuse","userinfo-after-token","person=`+testkit.Doctor+`","means=ecps"]}`,
		&verified,
	)
	for _, r := range verified.Results {
		if !r.OK {
			t.Errorf("%s: %s", r.Expect, r.Got)
		}
	}
	s.API("POST", "/verify", `{"login":"`+l.ID+`","timeout":"0s","expect":["userinfo=2"]}`, &verified)
	if verified.OK {
		t.Error("one UserInfo call passes for two")
	}
	if got := s.CodeOf(
		"POST",
		"/verify",
		`{"login":"`+l.ID+`","expect":["userinfos=1"]}`,
	); got != "expectation-unknown" {
		t.Errorf("an unknown expectation: %s", got)
	}
	// Nothing of it gives a secret away.
	raw := ""
	for _, path := range []string{"/logins/" + l.ID, "/logins/" + l.ID + "/har"} {
		var v json.RawMessage
		s.API("GET", path, "", &v)
		raw += string(v)
	}
	page, err := http.Get(s.ConsoleURL + "/logins/" + l.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw += testkit.Text(t, page)
	for name, secret := range map[string]string{
		"access token": tok.AccessToken, "refresh token": tok.RefreshToken, "id token": id,
	} {
		if strings.Contains(raw, secret[strings.LastIndexByte(secret, '.')+1:]) {
			t.Errorf("the signature of the %s is shown", name)
		}
	}
	for _, want := range []string{
		`data-testid="sequence"`, "curl -i", "--cert client.pem", "$CODE_VERIFIER", "Certificat présenté", "CN=demo",
		`data-testid="advice"`, "&#34;SubjectNameID&#34;",
	} {
		if !strings.Contains(raw, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	var har struct {
		Log struct {
			Entries []struct {
				Request  struct{ Method, URL string }
				Response struct{ Status int }
			}
		}
	}
	s.API("GET", "/logins/"+l.ID+"/har", "", &har)
	if len(har.Log.Entries) != 5 || har.Log.Entries[1].Request.Method != "POST" ||
		har.Log.Entries[0].Response.Status != 302 {
		t.Errorf("the archive holds %+v", har.Log.Entries)
	}
}

// A test waits for what comes next, not for what was there before.
func TestWaitingLeavesOutWhatWasBefore(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	rp.Login(testkit.Doctor)
	var last struct{ Seq int64 }
	s.API("GET", "/logins/last", "", &last)
	if got := s.CodeOf(
		"GET",
		"/logins/wait?event=callback&timeout=10ms&after="+strconv.FormatInt(last.Seq, 10),
		"",
	); got != "event-not-seen" {
		t.Errorf("an earlier event: %s", got)
	}
	rp.Login(testkit.Nurse)
	var l struct {
		NationalID string `json:"national_id"`
	}
	if status := s.API(
		"GET",
		"/logins/wait?event=callback&after="+strconv.FormatInt(last.Seq, 10),
		"",
		&l,
	); status != 200 ||
		l.NationalID != testkit.Nurse {
		t.Errorf("%d %+v", status, l)
	}
}

// Error page, response header and journal lead to the same page, which tells
// what came, what was expected and the nearest match; strict tells nothing.
func TestEachRefusalLeadsToItsWhy(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddClient("exact", "https://app.example/callback")
	authorize := "/auth?response_type=code&client_id=exact&scope=openid&redirect_uri=" + url.QueryEscape(
		"https://app.example/callback/",
	)
	resp, err := s.Browser().Get(s.BaseURL + authorize)
	if err != nil {
		t.Fatal(err)
	}
	why := resp.Header.Get("Pscemu-Why")
	if page := testkit.Text(
		t,
		resp,
	); !strings.HasPrefix(why, s.ConsoleURL+"/why/redirect-uri-unregistered?login=") ||
		!strings.Contains(page, strings.ReplaceAll(why, "&", "&amp;")) {
		t.Fatalf("header %q, page %s", why, page)
	}
	if resp, err = http.Get(why); err != nil {
		t.Fatal(err)
	}
	page := testkit.Text(t, resp)
	for _, want := range []string{
		"diffère de https://app.example/callback par une barre finale", "https://app.example/callback/</code>",
		"Enregistrez-le exactement comme envoyé", "Invalid parameter: redirect_uri",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"an unknown code": {
			url.Values{
				"grant_type": {"authorization_code"}, "client_id": {"demo"}, "code": {"x"},
				"redirect_uri": {testkit.CallbackURL},
			},
			"code-unknown",
		},
		"no grant": {url.Values{"client_id": {"demo"}}, "grant-type-missing"},
		"another client's id": {
			url.Values{"grant_type": {"authorization_code"}, "client_id": {"exact"}, "code": {"x"}},
			"certificate-other-client",
		},
		"no refresh token": {url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}}, "refresh-missing"},
		"a refresh token of none": {
			url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {"x"}}, "refresh-invalid",
		},
	} {
		resp, err := s.HTTP(s.DemoCertificate()).PostForm(s.Issuer+"/protocol/openid-connect/token", c.form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Pscemu-Why"); !strings.Contains(got, "/why/"+c.want+"?login=") {
			t.Errorf("%s: %q", name, got)
		}
	}
	strict := testkit.Start(t, "strict=true")
	if resp, err = strict.Browser().Get(strict.BaseURL + authorize); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Pscemu-Why"); got != "" {
		t.Errorf("strict says %q", got)
	}
}

func TestEveryRefusalCodeOfTheCodeBaseHasItsWhy(t *testing.T) {
	t.Parallel()
	found := map[string]string{}
	for _, code := range problem.Codes() {
		found[code] = "the catalogue"
	}
	for _, a := range protocol.Answers {
		found[a.Key] = "wire.Answers"
	}
	s := testkit.Start(t)
	var desk json.RawMessage
	s.API("GET", "/orders/forms", "", &desk)
	for _, m := range regexp.MustCompile(`"check":"([a-z-]+)"`).FindAllStringSubmatch(string(desk), -1) {
		found["order-"+m[1]] = "cards/orders/desk.json"
	}
	if len(found) < 300 {
		t.Fatalf("only %d codes were found: the search is broken", len(found))
	}
	for code, where := range found {
		if w, ok := problem.WhyOf(code, "en"); !ok || w.Means == "" || w.Do == "" || w.Do == "See the reason." {
			t.Errorf("%s (%s) has no why, or no remedy", code, where)
		}
	}
	seen := map[string]bool{}
	for _, w := range problem.Catalogue("en") {
		if seen[w.Code] {
			t.Errorf("%s stands twice", w.Code)
		}
		seen[w.Code] = true
		if w.PSC != "" && protocol.Find(w.PSC) == nil {
			t.Errorf("%s: PSC has no answer %s", w.Code, w.PSC)
		}
	}
	resp, err := http.Get(s.ConsoleURL + "/why")
	if err != nil {
		t.Fatal(err)
	}
	page := testkit.Text(t, resp)
	for code := range found {
		if !strings.Contains(page, `href="/why/`+code+`"`) {
			t.Errorf("the list lacks %s", code)
		}
	}
}
