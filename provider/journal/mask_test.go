package journal

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

const (
	aJWT    = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWl0"
	aJWE    = "eyJhbGciOiJkaXIifQ..aXZpdml2aXY.Y2lwaGVydGV4dA.dGFndGFnd"
	aCode   = "1b671a64-40d5-491e-99b0-da01ff1f3341.5f0e1c1e-7e0e-4f57-9a39-3d1ce0a4f2ab.demo"
	aSecret = "s3cr3t-of-the-client"
	aRandom = "ABCDEFGHIJKLMNOPQRSTUVWX23"
)

// leaks are what must not be seen of each.
var leaks = []string{"c2lnbmF0dXJlLW9mLWl0", "Y2lwaGVydGV4dA", aCode, aSecret, aRandom, "7391", "hunter2"}

func TestSecretsAreMaskedByWhatTheyAre(t *testing.T) {
	m := &masker{}
	m.learn(aSecret, "7391", "hunter2 and more")
	for _, c := range []struct{ name, value string }{
		{"token ", aJWT}, {"Refresh_Token", "r-opaque-7391-c2lnbmF0dXJlLW9mLWl0"}, {"refresh-token", aSecret},
		{"accessToken", "x hunter2"}, {"ACCESS%20TOKEN", "hunter2"}, {"to\u200bken", "hunter2"},
		{"client_secret\r", "hunter2"}, {"X-Api-Key", "hunter2"}, {"pin_", "7391"}, {"[pin]", "7391"},
		{"anything", aJWT}, {"anything", "before " + aJWT + " after"}, {"anything", aJWE}, {
			"anything", "eyAiYWxnIjoiUlMyNTYifQ.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWl0",
		}, {
			"anything", "ewogImFsZyI6IlJTMjU2In0.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWl0",
		}, {"anything", aCode}, {"anything", aSecret}, {"anything", "in " + aSecret + " it"}, {"anything", "7391"},
		{"anything", " 7391 "}, {"anything", aRandom},
		{
			"redirect_uri", "https://app.example/cb?a=1&Code=" + aCode + "#access_token=" + aJWT,
		}, {"redirect_uri", "https://app.example/#/cb?token%20=hunter2"},
		{"redirect_uri", "https://user:hunter2@app.example/"},
		{
			"next", "/cb?to=" + url.QueryEscape("https://x.example/?to="+url.QueryEscape("/y?pass=hunter2")),
		}, {"u", "?a=1;token=hunter2"},
		{
			"claims", `{"a":{"b":[{"Token ":"hunter2"}]},"n":"` + aJWT + `"}`,
		}, {"claims", `{"token":{"value":"hunter2","n":7391}}`}, {"claims", `["` + aCode + `"]`},
		{"Authorization", "Bearer " + aJWT}, {"Authorization", "dpop hunter2"}, {"Authorization", "hunter2"},
		{"Authorization", "Weird hunter2 hunter2"}, {"Proxy-Authorization", "Basic aHVudGVyMg"},
		{"X-Authorization", "hunter2"},
		{"pem", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"},
	} {
		got := m.value(c.name, c.value, 0)
		for _, leak := range leaks {
			if strings.Contains(got, leak) {
				t.Errorf("%q: %q shows as %q", c.name, c.value, got)
			}
		}
	}
}

func TestWhatIsNoSecretStaysAsItCame(t *testing.T) {
	m := &masker{}
	m.learn(aSecret, "7391")
	for name, value := range map[string]string{
		"token_type_hint": "refresh_token", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		"code_challenge_method": "S256", "state": aRandom, "nonce": aRandom, "response_type": "code",
		"response_mode": "form_post",
		"scope":         "openid scope_all", "redirect_uri": "http://localhost:5555/callback?x=1&y=%20#z",
		"client_id":   "demo",
		"national_id": "899707391177", "session_state": "5f0e1c1e-7e0e-4f57-9a39-3d1ce0a4f2ab",
		"claims":       `{"userinfo": {"acr": {"essential": true, "n": 1.50}}, "e": "é<"}`,
		"Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)",
		"WWW-Authenticate":  `Bearer realm="esante-wallet", error="invalid_token"`,
		"error_description": "Invalid refresh token", "token_endpoint": "https://localhost/token", "acr_values": "eidas1",
	} {
		if got := m.value(name, value, 0); got != value {
			t.Errorf("%s: %q shows as %q", name, value, got)
		}
	}
}

func TestAnExchangeShowsNoSecretInAnyForm(t *testing.T) {
	x := &Exchange{
		Method: "PO`id`ST",
		URL:    "https://localhost/x/" + aJWT + "?Token+=" + aSecret + "#id_token=" + aJWT,
		Status: 200,
		Header: http.Header{
			"Cookie":        {"a=hunter2; JSESSIONID=hunter2hunter2"},
			"Authorization": {"`id` " + aSecret},
			"Accept":        {"$(id)"},
			"Referer":       {"https://app.example/?code=" + aCode},
		},
		Form: url.Values{
			"token ":        {aJWT},
			"x\"$(id)":      {aSecret},
			"Client_Secret": {aSecret},
			"state":         {"it's"},
			"foo":           {"hunter2hunter2"},
		},
		Answer: http.Header{
			"Content-Type": {"application/json; charset=utf-8"},
			"Set-Cookie":   {"any=hunter2hunter2; Path=/; HttpOnly"},
			"Location":     {"https://app.example/cb#access_token=" + aJWT},
		},
		Body: []byte(`{"a" : [ {"Refresh_Token":"` + aSecret + `"}, "` + aJWT + `"], "expires_in":120}`),
	}
	l := &Login{Events: []Event{{Exchange: x}}}
	har, _ := quotedJSON(l.HAR("test"))
	view, _ := quotedJSON(x)
	for name, shown := range map[string]string{"view": view, "har": har, "curl": x.Curl()} {
		for _, leak := range leaks {
			if strings.Contains(shown, leak) {
				t.Errorf("the %s shows %s\n%s", name, leak, shown)
			}
		}
	}
	if v := x.View(); !strings.HasPrefix(v.Body, `{"a" : [ {"Refresh_Token":"…"}, "eyJ`) ||
		!strings.HasSuffix(v.Body, `"expires_in":120}`) {
		t.Errorf("the body is %s", v.Body)
	}
	// Outside of single quotes a shell finds variables alone.
	outside := ""
	for i, part := range strings.Split(strings.ReplaceAll(x.Curl(), `'\''`, ""), "'") {
		if i%2 == 0 {
			outside += part
		}
	}
	if strings.Contains(outside, "`") || strings.Contains(outside, "$(") {
		t.Errorf("a shell would run it: %s", outside)
	}
	x.Body = []byte(
		`{"access_token":"` + aSecret + `","id_token":"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWl0`,
	)
	if v := x.View(); strings.Contains(v.Body, aSecret) || strings.Contains(v.Body, leaks[0]) {
		t.Errorf("a broken body is %s", v.Body)
	}
}

func TestWhatIsSecretInOneExchangeIsSecretInTheWholeLogin(t *testing.T) {
	j := New(fixed{}, Limits{Logins: 10, Bytes: 1 << 20})
	j.Secret = func(id string) string { return map[string]string{"demo": aSecret}[id] }
	j.append(
		"L",
		Event{
			Kind:   KindAuthorize,
			Detail: map[string]string{"client_id": "demo"},
			Exchange: &Exchange{
				URL:    "https://localhost/auth?state=x",
				Status: 302,
				Answer: http.Header{"Location": {"https://app.example/?code=opaque-code-1"}},
			},
		},
	)
	j.append(
		"L",
		Event{
			Kind: KindToken,
			Exchange: &Exchange{
				URL:  "https://localhost/token?x=opaque-code-1",
				Form: url.Values{"y": {aSecret}, "z": {"opaque-code-1 again"}},
			},
		},
	)
	shown, _ := quotedJSON(j.Get("L"))
	if strings.Contains(shown, "opaque-code-1") || strings.Contains(shown, aSecret) {
		t.Error(shown)
	}
}

func TestAReasonQuotesNoSecret(t *testing.T) {
	r := &recording{
		request: &http.Request{
			URL:      &url.URL{RawQuery: "a=1"},
			Header:   http.Header{},
			PostForm: url.Values{"client_secret": {aSecret}},
		},
	}
	p := r.maskProblem(problem.SubjectDNInvalid.With("error", "the secret "+aSecret).Got(aJWT))
	if strings.Contains(p.Error(), aSecret) || strings.Contains(p.Error(), leaks[0]) {
		t.Error(p)
	}
	if d := r.maskDetail(
		map[string]string{"hint": aJWT, "a": "b"},
	); strings.Contains(d["hint"], leaks[0]) ||
		d["a"] != "b" {
		t.Error(d)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("token ", `{"a":"b","c":[1,{"d":"`+aJWT+`"}]}`)
	f.Add("x", "https://a:b@c/d?e=f#g=h")
	f.Add("x", `{"a":"`)
	f.Fuzz(func(t *testing.T, name, value string) {
		m := &masker{}
		m.learn(aSecret)
		if got := m.value(name, value+aSecret, 0); strings.Contains(got, aSecret) {
			t.Errorf("%q %q", name, got)
		}
		_ = m.torn(value)
		_, _ = m.json(value, 0)
	})
}

// fixed is a clock that stands.
type fixed struct{}

func (fixed) Now() time.Time { return time.Unix(1_800_000_000, 0) }

func quotedJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
