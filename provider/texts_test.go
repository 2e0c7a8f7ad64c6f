package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
	protocol "pscemu.invalid/pscemu/provider/wire"
)

// oddText is what somebody may type: letters that OAuth does not allow, both
// quotes, markup, line ends, bytes that are no text.
const oddText = "é«…»’ \"\\<b>\r\nX-Evil: 1\x00\xff 👩‍⚕️ "

// wire is one error as it left: where it stood, and what it held.
type wire struct{ where, text string }

// errorTexts takes apart whatever holds an error's text.
func errorTexts(t *testing.T, resp *http.Response) (out []wire) {
	t.Helper()
	body := testkit.Text(t, resp)
	add := func(where string, texts ...string) {
		for _, s := range texts {
			if s != "" {
				out = append(out, wire{where, s})
			}
		}
	}
	add(
		"WWW-Authenticate",
		regexp.MustCompile(`="([^"]*)"`).ReplaceAllString(resp.Header.Get("WWW-Authenticate"), "=$1"),
	)
	if at, err := resp.Location(); err == nil {
		for where, raw := range map[string]string{"redirect": at.RawQuery, "fragment": at.Fragment} {
			q, _ := url.ParseQuery(raw)
			add(where, q.Get("error"), q.Get("error_description"))
			add("JARM", claimTexts(q.Get("response"))...)
		}
	}
	var answer map[string]any
	if json.Unmarshal([]byte(body), &answer) == nil {
		for _, name := range []string{"error", "error_description"} {
			s, _ := answer[name].(string)
			add("JSON", s)
		}
	}
	texts := regexp.MustCompile(`name="(error|error_description|response)" value="([^"]*)"`)
	for _, m := range texts.FindAllStringSubmatch(body, -1) {
		if m[1] == "response" {
			add("JARM", claimTexts(html.UnescapeString(m[2]))...)
			continue
		}
		add("form_post", html.UnescapeString(m[2]))
	}
	return out
}

func claimTexts(jwt string) []string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var c map[string]any
	_ = json.Unmarshal(raw, &c)
	return []string{fmt.Sprint(c["error"]), fmt.Sprint(c["error_description"])}
}

// Every error of the protocol that a request can bring about, with what was
// sent in it, holds the characters of RFC 6749 §5.2 alone.
func TestAttack52ErrorTextsHoldTheCharactersOfOAuth(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		args := []string{}
		if strict {
			args = append(args, "strict=true")
		}
		s := testkit.Start(t, args...)
		s.Register(
			"exact",
			map[string]any{
				"redirect_uris": []string{"https://app.example/é"},
				"policies":      map[string]string{"require-pkce": "true"},
			},
		)
		reached, places, seen := map[string]bool{}, map[string]int{}, 0
		look := func(what string, resp *http.Response) {
			t.Helper()
			for _, e := range errorTexts(t, resp) {
				seen++
				places[e.where]++
				for _, b := range []byte(e.text) {
					if b < 0x20 || b == 0x22 || b == 0x5c || b > 0x7e {
						t.Errorf("strict %v: %s, %s holds %q: %q", strict, what, e.where, b, e.text)
						break
					}
				}
				if len(e.text) > 700 {
					t.Errorf("strict %v: %s, %s is %d bytes long", strict, what, e.where, len(e.text))
				}
				for _, a := range protocol.Answers {
					if head, _, _ := strings.Cut(a.Text, "{}"); head != "" && strings.HasPrefix(e.text, head) {
						reached[a.Key] = true
					}
				}
			}
		}
		client := s.HTTP(s.DemoCertificate())
		form := func(endpoint string, good url.Values, tries ...url.Values) {
			t.Helper()
			for _, v := range tries {
				q := url.Values{}
				for name, values := range good {
					q[name] = values
				}
				for name, values := range v {
					if q[name] = values; values == nil {
						delete(q, name)
					}
				}
				resp, err := client.PostForm(s.Issuer+"/protocol/openid-connect/"+endpoint, q)
				if err != nil {
					t.Fatal(err)
				}
				look(endpoint+" "+v.Encode(), resp)
			}
		}
		tokenForm := url.Values{
			"client_id":     {"demo"},
			"client_secret": {s.DemoClient.ClientSecret},
			"grant_type":    {"authorization_code"},
			"code":          {"x"},
			"redirect_uri":  {testkit.CallbackURL},
		}
		tries := []url.Values{
			{},
			{"code": nil},
			{"grant_type": nil},
			{"client_id": {"exact"}},
			{"grant_type": {"password"}},
			{"grant_type": {"client_credentials"}},
			{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}},
			{"code": {"a", "b"}},
			{"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
			{"grant_type": {"refresh_token"}},
			{
				"grant_type": {"urn:openid:params:grant-type:ciba"},
			},
			{"grant_type": {"urn:openid:params:grant-type:ciba"}, "auth_req_id": {oddText}},
			{"code": {strings.Repeat("é", 5000)}},
		}
		for _, name := range []string{"client_id", "client_secret", "grant_type", "code", "redirect_uri", "code_verifier"} {
			tries = append(tries, url.Values{name: {oddText}})
		}
		form("token", tokenForm, tries...)
		form(
			"token",
			url.Values{"client_id": {"demo"}, "grant_type": {"refresh_token"}},
			url.Values{"refresh_token": {oddText}},
			url.Values{"refresh_token": {"x"}, "scope": {oddText}},
		)
		form(
			"ext/ciba/auth",
			url.Values{
				"client_id":       {"demo"},
				"scope":           {"openid scope_all"},
				"login_hint":      {testkit.Asked},
				"binding_message": {"ok"},
			},
			url.Values{
				"login_hint": nil,
			},
			url.Values{"login_hint_token": {"x"}},
			url.Values{"request": {"x"}},
			url.Values{"login_hint": {oddText}},
			url.Values{"scope": nil},
			url.Values{"scope": {oddText}},
			url.Values{"scope": {"openid no-such-" + strings.Repeat("é", 900)}},
			url.Values{"binding_message": {oddText}},
			url.Values{"requested_expiry": {oddText}},
			url.Values{"channel": {oddText}},
			url.Values{"user_code": {oddText}},
			url.Values{"client_notification_token": {oddText}},
			url.Values{"client_id": {oddText}},
			url.Values{"acr_values": {oddText}},
		)
		form(
			"ext/par/request",
			url.Values{
				"client_id":     {"demo"},
				"response_type": {"code"},
				"redirect_uri":  {testkit.CallbackURL},
				"scope":         {"openid"},
			},
			url.Values{"request_uri": {oddText}},
			url.Values{"redirect_uri": {oddText}},
			url.Values{"response_type": {oddText}},
			url.Values{"request": {oddText}},
			url.Values{"scope": {oddText}},
			url.Values{"client_id": {oddText}},
			url.Values{oddText: {oddText}},
		)
		form("token/introspect", url.Values{"client_id": {"demo"}}, url.Values{}, url.Values{"client_id": {oddText}})
		form(
			"revoke",
			url.Values{"client_id": {"demo"}},
			url.Values{},
			url.Values{"token": {oddText}},
			url.Values{"client_id": {oddText}, "token": {"x"}},
		)
		form("auth/device", url.Values{"client_id": {"demo"}}, url.Values{}, url.Values{"client_id": {oddText}})
		for _, v := range []url.Values{{}, {"access_token": {oddText}}} {
			resp, err := client.PostForm(s.Issuer+"/protocol/openid-connect/userinfo", v)
			if err != nil {
				t.Fatal(err)
			}
			look("userinfo", resp)
		}
		for _, other := range []string{
			"/nowhere/é%22", "/protocol/openid-connect/x%5c", "/clients-registrations/openid-connect",
		} {
			resp, err := client.Post(s.Issuer+other, "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			look(other, resp)
		}
		// The front channel, in each response mode.
		for _, mode := range []string{
			"", "query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt",
		} {
			good := url.Values{
				"response_type": {"code"},
				"client_id":     {"demo"},
				"scope":         {"openid"},
				"redirect_uri":  {testkit.CallbackURL},
				"state":         {"s"},
			}
			if mode != "" {
				good.Set("response_mode", mode)
			}
			for _, v := range []url.Values{
				{"response_type": {oddText}}, {"response_type": nil}, {"scope": {"openid " + oddText}},
				{"scope": {"openid " + strings.Repeat("é", 900)}}, {"code_challenge_method": {oddText}},
				{"code_challenge": {oddText}}, {"code_challenge_method": {"S256"}}, {"max_age": {oddText}},
				{"claims": {oddText}}, {"prompt": {"none"}}, {"request": {"eyJhbGciOiJub25lIn0.e30."}},
				{"request_uri": {"https://evil.example/" + oddText}}, {"response_mode": {oddText}},
			} {
				q := url.Values{}
				for name, values := range good {
					q[name] = values
				}
				for name, values := range v {
					if q[name] = values; values == nil {
						delete(q, name)
					}
				}
				resp, err := s.HTTP(nil).Get(s.BaseURL + "/auth?" + q.Encode())
				if err != nil {
					t.Fatal(err)
				}
				look("authorize "+mode+" "+v.Encode(), resp)
			}
		}
		// A person cancels: the reason is the emulator's own, in French.
		browser, page := s.LoginPage()
		resp, err := browser.PostForm(page+"/cancel", url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		look("cancelled", resp)
		t.Logf("strict %v: %d texts of %d rows, %v", strict, seen, len(reached), places)
		if len(reached) < 40 || seen < 150 {
			t.Errorf("strict %v: %d texts of %d rows of the table", strict, seen, len(reached))
		}
		for _, where := range []string{"WWW-Authenticate", "JSON", "redirect", "fragment", "form_post", "JARM"} {
			if places[where] == 0 {
				t.Errorf("strict %v: no error in %s was seen", strict, where)
			}
		}
	}
}
