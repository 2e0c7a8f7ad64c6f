package emulator_test

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestASpaceIsAnEmulatorOfItsOwn(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	a, b := s.Space("suite-a"), s.Space("suite-b")
	rp := testkit.NewRelyingParty(a, a.DemoCertificate())
	token := rp.Tokens(testkit.Nurse, "n").AccessToken
	if got := a.BearerStatus(token); got != 200 {
		t.Errorf("its own token: %d", got)
	}
	for name, other := range map[string]*testkit.Server{"another space": b, "the server's own world": s} {
		if got := other.BearerStatus(token); got != 401 {
			t.Errorf("%s takes the token: %d", name, got)
		}
		resp, err := other.HTTP(a.DemoCertificate()).
			PostForm(other.Issuer+"/protocol/openid-connect/token", url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {"x"},
				"client_id":     {"demo"},
			})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%s takes the certificate: %d", name, resp.StatusCode)
		}
	}
	a.API("DELETE", "/identities/"+testkit.Nurse, "", nil)
	if status := b.API("GET", "/identities/"+testkit.Nurse, "", nil); status != 200 {
		t.Errorf("deleting a person in one space: the other answers %d", status)
	}
	a.API("PUT", "/clock", `{"offset":"1000h"}`, nil)
	a.API("PATCH", "/settings", `{"acr":"eidas3"}`, nil)
	var at struct{ Offset string }
	if b.API("GET", "/clock", "", &at); at.Offset != "0s" {
		t.Errorf("the other's clock moved by %s", at.Offset)
	}
	if got := s.CodeOf("POST", "/spaces", `{"name":"suite-a"}`); got != "space-exists" {
		t.Errorf("the same name again: %s", got)
	}
	if got := s.CodeOf("POST", "/spaces", `{"name":"../x"}`); got != "space-name-invalid" {
		t.Errorf("a path as name: %s", got)
	}
	if got := a.CodeOf("POST", "/spaces", `{}`); got != "space-within-space" {
		t.Errorf("a space in a space: %s", got)
	}
	if got := a.CodeOf(
		"POST",
		"/logins",
		`{"authorize_url":"`+b.BaseURL+`/auth?client_id=demo","identity":"`+testkit.Doctor+`"}`,
	); got != "authorize-url-elsewhere" {
		t.Errorf("another space's authorize URL: %s", got)
	}
	s.API("DELETE", "/spaces/suite-a", "", nil)
	if got := a.CodeOf("GET", "/clock", ""); got != "space-unknown" {
		t.Errorf("after it was dropped: %s", got)
	}
}

// A person logs in on a space's pages, whose links and forms stay in it.
func TestTheLoginPagesOfASpaceStayInIt(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	a := s.Space("pages")
	c := a.Browser()
	c.CheckRedirect = nil
	resp, err := c.Get(
		a.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&state=s&redirect_uri=" + url.QueryEscape(
			a.ConsoleURL+"/demo/callback",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	page := testkit.Text(t, resp)
	if !strings.HasPrefix(resp.Request.URL.String(), a.BaseURL+"/login/") ||
		!strings.Contains(page, `action="/s/pages/login/`) ||
		!strings.Contains(page, `href="/s/pages/static/style.css"`) {
		t.Fatalf("%s\n%s", resp.Request.URL, page)
	}
	resp, err = c.PostForm(resp.Request.URL.String()+"/test", url.Values{"identity": {testkit.Doctor}})
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Request.URL; !strings.HasPrefix(got.String(), a.ConsoleURL+"/demo/callback?state=s") {
		t.Errorf("ended at %s", got)
	}
	resp.Body.Close()
	for _, path := range []string{"/", "/identities", "/phone", "/orders", "/logins", "/why"} {
		resp, err := c.Get(a.ConsoleURL + path)
		if err != nil {
			t.Fatal(err)
		}
		if body := testkit.Text(
			t,
			resp,
		); resp.StatusCode != 200 ||
			strings.Contains(body, `="/`) && !strings.Contains(body, `="/s/pages/`) {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	// The journal shows whole addresses; metrics have the same routes in every world.
	var list struct{ Items []struct{ ID string } }
	a.API("GET", "/logins", "", &list)
	var story any
	a.API("GET", "/logins/"+list.Items[len(list.Items)-1].ID, "", &story)
	if shown := testkit.Encoded(t, story); !strings.Contains(shown, a.BaseURL+"/auth?") {
		t.Errorf("the journal lacks the address of the authorize request: %s", shown)
	}
	resp, err = c.Get(a.ConsoleURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if metrics := testkit.Text(
		t,
		resp,
	); !strings.Contains(metrics, `route="/login/:id"`) ||
		strings.Contains(metrics, "/s/pages") {
		t.Errorf("routes of the metrics: %s", metrics)
	}
	// The demo application of a space goes on with the session.
	resp, err = c.Get(a.ConsoleURL + "/demo/start")
	if err != nil {
		t.Fatal(err)
	}
	if body := testkit.Text(t, resp); !strings.Contains(body, "SubjectRefPro") {
		t.Errorf("the demo application: %s\n%s", resp.Request.URL, body)
	}
}

// Two hundred logins in eight spaces at once, each of which sees its own alone.
func TestEightParallelSpacesDoNotMeet(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const spaces, logins = 8, 25
	var wg sync.WaitGroup
	for n := range spaces {
		a := s.Space(fmt.Sprintf("parallel-%d", n))
		wg.Go(func() {
			rp := testkit.NewRelyingParty(a, a.DemoCertificate())
			for k := range logins {
				person := fmt.Sprintf("8997%08d", n*1000+k)
				if status := a.API(
					"POST",
					"/identities",
					fmt.Sprintf(
						`{"national_id":"ANS%014d","family_name":"ESPACE-%d","given_name":"N-%d","behaviour":"approve","exercices":[]}`,
						n*1000+k,
						n,
						k,
					),
					nil,
				); status != 201 {
					t.Errorf("%s: %d", person, status)
					return
				}
				id := fmt.Sprintf("ANS%014d", n*1000+k)
				a.API("POST", "/identities/"+id+"/ecps", `{"code":"1234"}`, nil)
				if info := string(
					rp.UserInfo(id),
				); !strings.Contains(
					info,
					fmt.Sprintf(`"family_name":"ESPACE-%d"`, n),
				) {
					t.Errorf("space %d received %s", n, info)
				}
			}
			var v struct {
				Items []struct{ Events []struct{ Code string } }
			}
			a.API("GET", "/logins?limit=1000&event=userinfo", "", &v)
			if len(v.Items) != logins {
				t.Errorf("space %d tells of %d logins", n, len(v.Items))
			}
			for _, l := range v.Items {
				for _, e := range l.Events {
					if e.Code != "" {
						t.Errorf("space %d refused: %s", n, e.Code)
					}
				}
			}
		})
	}
	wg.Wait()
}

// stored are a state's entries, without the authorities, which the emulator
// still makes when it has just started.
func stored(state map[string]any) map[string]string {
	out := map[string]string{}
	for _, e := range state["entries"].([]any) {
		entry := e.(map[string]any)
		if key := entry["key"].(string); !strings.HasPrefix(key, "authorities/") && !strings.HasPrefix(key, "keys/") {
			out[key] = fmt.Sprint(entry["value"], entry["expires"])
		}
	}
	return out
}

func TestAStateIsGoneBackTo(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddClient("kept", "https://kept.example/")
	s.API("PATCH", "/settings", `{"acr":"eidas3"}`, nil)
	s.API("PUT", "/faults", `{"items":[{"kind":"slow","endpoint":"token"}]}`, nil)
	var state map[string]any
	s.API("GET", "/state", "", &state)
	raw := testkit.Encoded(t, state)
	s.API("DELETE", "/clients/kept", "", nil)
	s.API("DELETE", "/identities/"+testkit.Nurse, "", nil)
	s.API("PATCH", "/settings", `{"acr":"eidas1"}`, nil)
	s.API("DELETE", "/faults", "", nil)
	if status := s.API("PUT", "/state", raw, nil); status != 204 {
		t.Fatalf("restore: %d", status)
	}
	var after map[string]any
	s.API("GET", "/state", "", &after)
	if a, b := testkit.Encoded(t, state["settings"]), testkit.Encoded(t, after["settings"]); a != b {
		t.Errorf("settings differ:\n%s\n%s", a, b)
	}
	if a, b := stored(state), stored(after); len(a) < 100 || !maps.Equal(a, b) {
		t.Errorf("entries differ: %d, %d", len(a), len(b))
	}
	s.API("DELETE", "/faults", "", nil)
	testkit.NewRelyingParty(s, s.DemoCertificate()).Tokens(testkit.Nurse, "")
	for _, bad := range []string{`{}`, `{"format":9,"entries":[]}`, `[]`, `{"format":1,"entries":[]}`} {
		if got := s.CodeOf("PUT", "/state", bad); got != "state-unreadable" {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

// An application's settings outlive a reset; people, clients and settings do not.
func TestAResetLeavesPersonasAndTheDemoClient(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	before := s.DemoCertificate()
	s.AddClient("gone", "https://gone.example/")
	s.AddClient("demo-more", "https://gone.example/")
	s.API("POST", "/identities/generate", `{"count":3}`, nil)
	s.API("DELETE", "/identities/"+testkit.Nurse, "", nil)
	s.API("PUT", "/clock", `{"offset":"10h"}`, nil)
	if status := s.API("DELETE", "/state", "", nil); status != 204 {
		t.Fatalf("reset: %d", status)
	}
	testkit.NewRelyingParty(s, before).Tokens(testkit.Nurse, "")
	for _, id := range []string{"gone", "demo-more"} {
		if got := s.CodeOf("GET", "/clients/"+id, ""); got != "client-unknown" {
			t.Errorf("the client %s: %s", id, got)
		}
	}
	var people struct{ Items []any }
	s.API("GET", "/identities?limit=1000", "", &people)
	if len(people.Items) != 15+18 {
		t.Errorf("%d people", len(people.Items))
	}
}
