package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// overlong is a request with something of 40 KB in it.
type overlong struct {
	name   string
	method string // "" for a form to the protocol listener
	path   string
	body   string
}

var long40 = strings.Repeat("8", 40_000)

// overlongs is one of each place where such a thing may enter: what becomes a
// key, an entry of an index, or a part of a record.
var overlongs = func() []overlong {
	person := func(id string, more string) string {
		return `{"national_id":"` + id + `","family_name":"LONG",` +
			`"given_name":"Trop","exercices":[],"behaviour":"ask"` + more + `}`
	}
	accents := strings.Repeat("é", 400) // short enough, but not as it is escaped in a key
	return []overlong{
		{"a national id", "POST", "/identities", person(long40, "")},
		{"a national id of accents", "POST", "/identities", person(accents, "")},
		{"a tag", "POST", "/identities", person("ANS0000000000038", `,"tags":["`+long40+`"]`)},
		{"a contact", "POST", "/identities", person("ANS0000000000039", `,"email":"`+long40+`@example.com"`)},
		{"an id in the path", "PUT", "/identities/" + long40, person(long40, "")},
		{"an imported id", "POST", "/identities/import", "[" + person(long40, "") + "]"},
		{"a person whose e-CPS is activated", "POST", "/identities/" + long40 + "/ecps", `{"code":"1234"}`},
		{
			"a person who behaves",
			"PUT",
			"/identities/" + long40 + "/ecps/behaviour",
			`{"action":"approve","next":true}`,
		},
		{"a person of a card", "POST", "/cards", `{"national_id":"` + long40 + `","type":"CPS"}`},
		{"a service of a card", "POST", "/cards", `{"service":"` + long40 + `","structure":"` + long40 + `"}`},
		{"a card in the reader", "PUT", "/reader", `{"card":"` + long40 + `"}`},
		{"a client id", "POST", "/clients", `{"client_id":"` + long40 + `","redirect_uris":["http://localhost:1/"]}`},
		{"a client of a certificate", "POST", "/certificates", `{"client_id":"` + long40 + `"}`},
		{
			"an actor of an order",
			"POST",
			"/orders",
			`{"form":"F101","actor":"` + long40 + `","by":"` + long40 + `","fields":{}}`,
		},
		{"a person at the order", "POST", "/orders/registrations", `{"identity":"` + long40 + `"}`},
		{
			"a person who logs in",
			"POST",
			"/logins",
			`{"authorize_url":"https://localhost/auth?client_id=demo","identity":"` + long40 + `"}`,
		},
		{"a space", "POST", "/spaces", `{"name":"` + long40 + `"}`},
		{
			"a login_hint",
			"",
			"/auth",
			"response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
				testkit.CallbackURL,
			) + "&login_hint=" + long40,
		},
		{"a person who asks for the portal", "", "/wallet/contact", "login=" + long40},
		{"a person of the portal", "", "/wallet/contact", "login=" + url.QueryEscape(accents)},
	}
}()

// send posts it once, and returns the status and what says why.
func (o overlong) send(s *testkit.Server) (status int, why string, err error) {
	target, c := s.BaseURL+o.path, s.HTTP(nil)
	if o.method != "" {
		target, c = s.APIURL+o.path, http.DefaultClient
	}
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(o.body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if o.method != "" {
		req.Method = o.method
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var p struct{ Code, Detail string }
	if json.Unmarshal(body, &p) == nil {
		return resp.StatusCode, p.Code + ": " + p.Detail, err
	}
	return resp.StatusCode, string(body), err
}

// Six threads post what is too long, beside others that log in: each fails for
// itself, with the reason, and nobody else does.
func TestAttack38WhatIsTooLongFailsAlone(t *testing.T) {
	t.Parallel()
	memory := testkit.Start(t)
	for name, s := range map[string]*testkit.Server{
		"on disk":    testkit.StartIn(t, t.TempDir()),
		"in memory":  memory,
		"in a space": memory.Space("attack-38"),
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			rp := testkit.NewRelyingParty(s, s.DemoCertificate())
			rp.Tokens(testkit.Doctor, "") // everything that is made at the first login
			ctx, stop := context.WithCancel(context.Background())
			var attackers, good sync.WaitGroup
			var sent atomic.Int64
			for w := range 6 {
				attackers.Go(func() {
					for n := w; ctx.Err() == nil; n++ {
						status, why, err := overlongs[n%len(overlongs)].send(s)
						sent.Add(1)
						if err != nil || status/100 != 4 || strings.TrimSpace(why) == "" {
							t.Errorf("%s is answered %d %.300s %v", overlongs[n%len(overlongs)].name, status, why, err)
							return
						}
					}
				})
			}
			for range 3 {
				good.Go(func() {
					for range 12 {
						if err := wholeLogin(rp, testkit.Doctor); err != nil {
							t.Errorf("a good login: %v", err)
						}
					}
				})
			}
			good.Wait()
			stop()
			attackers.Wait()
			if n := sent.Load(); n < int64(len(overlongs)) {
				t.Errorf("%d attacks were sent", n)
			}
			for _, o := range overlongs {
				status, why, err := o.send(s)
				if err != nil || status/100 != 4 || len(why) > 5000 && o.method != "" {
					t.Errorf("%s is answered %d %.300s %v", o.name, status, why, err)
				}
			}
		})
	}
}

// wholeLogin logs in through the door and takes the tokens; unlike tokens it may
// run beside others.
func wholeLogin(rp *testkit.RelyingParty, who string) error {
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"demo"},
		"redirect_uri":  {testkit.CallbackURL},
		"scope":         {"openid scope_all"},
		"acr_values":    {"eidas1"},
		"login_hint":    {"auto:" + who},
		"state":         {"the-state-of-a-good-one"},
	}
	resp, err := rp.Server.Browser().Get(rp.Server.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		return err
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		return fmt.Errorf("no callback: %s: %w", resp.Status, err)
	}
	token, err := rp.OAuth.Exchange(rp.Context, back.Query().Get("code"))
	if err != nil {
		return err
	}
	if token.AccessToken == "" {
		return errors.New("no access token")
	}
	return nil
}
