package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"crypto/rand"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
)

// out sends the browser to the logout endpoint and tells where it ended.
func (rp *relyingParty) out(q url.Values) (e ended, body string) {
	u := rp.endpoint("end_session_endpoint")
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	resp, err := rp.browser.Get(u)
	rp.must(err)
	defer resp.Body.Close()
	if to, err := resp.Location(); err == nil {
		return ended{status: resp.StatusCode, url: to.String(), back: to.Query()}, ""
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	rp.must(err)
	return ended{status: resp.StatusCode, page: true}, string(b)
}

func (rp *relyingParty) loggedOut() {
	e := rp.look(rp.params(url.Values{"prompt": {"none"}}))
	rp.check(e.back.Get("error") == "login_required", "the session lasts: %d %v", e.status, e.back)
}

// stays is a logout request that must not redirect: an error or a page.
func stays(change func(rp *relyingParty, id string, q url.Values)) func(*relyingParty) {
	return func(rp *relyingParty) {
		t, _ := rp.tokens(nil)
		q := url.Values{
			"id_token_hint":            {t.text("id_token")},
			"post_logout_redirect_uri": {rp.client.PostLogoutURI},
			"state":                    {"s"},
		}
		change(rp, t.text("id_token"), q)
		e, _ := rp.out(q)
		rp.check(e.page, "redirected to %s", e.url)
	}
}

var rpLogout = plan{
	"oidcc-rp-initiated-logout-certification-test-plan",
	[]check{
		{"oidcc-rp-initiated-logout-discovery-endpoint-verification", "", func(rp *relyingParty) {
			rp.check(
				strings.HasPrefix(rp.endpoint("end_session_endpoint"), "https://"),
				"end_session_endpoint is %q",
				rp.endpoint("end_session_endpoint"),
			)
		}},
		{"oidcc-rp-initiated-logout", "", func(rp *relyingParty) {
			t, _ := rp.tokens(nil)
			e, _ := rp.out(
				url.Values{
					"id_token_hint":            {t.text("id_token")},
					"post_logout_redirect_uri": {rp.client.PostLogoutURI},
					"state":                    {"bye"},
				},
			)
			rp.check(
				strings.HasPrefix(e.url, rp.client.PostLogoutURI) && e.back.Get("state") == "bye",
				"led to %q",
				e.url,
			)
			rp.loggedOut()
		}},
		{
			"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
			"",
			stays(func(_ *relyingParty, _ string, q url.Values) {
				q.Set("post_logout_redirect_uri", "https://rp.example/bad")
			}),
		},
		{"oidcc-rp-initiated-logout-modified-id-token-hint", "", stays(func(rp *relyingParty, id string, q url.Values) {
			var claims map[string]any
			rp.must(json.Unmarshal(rp.payload(id), &claims))
			q.Set("id_token_hint", unsignedObject(claims))
		})},
		{"oidcc-rp-initiated-logout-bad-id-token-hint", "", stays(func(rp *relyingParty, id string, q url.Values) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			rp.must(err)
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
			rp.must(err)
			jws, err := signer.Sign(rp.payload(id))
			rp.must(err)
			forged, err := jws.CompactSerialize()
			rp.must(err)
			q.Set("id_token_hint", forged)
		})},
		{
			"oidcc-rp-initiated-logout-no-id-token-hint",
			"",
			stays(func(_ *relyingParty, _ string, q url.Values) { q.Del("id_token_hint") }),
		},
		{"oidcc-rp-initiated-logout-no-params", "", func(rp *relyingParty) {
			rp.tokens(nil)
			e, _ := rp.out(nil)
			rp.check(e.page && e.status == 200, "%d %s", e.status, e.url)
			resp, err := rp.browser.PostForm(
				rp.endpoint("end_session_endpoint"),
				url.Values{"confirm": {"yes"}},
			) // the person's answer
			rp.must(err)
			resp.Body.Close()
			rp.check(resp.StatusCode == 200, "confirmed: %s", resp.Status)
			rp.loggedOut()
		}},
		{"oidcc-rp-initiated-logout-no-post-logout-redirect-uri", "", func(rp *relyingParty) {
			t, _ := rp.tokens(nil)
			e, _ := rp.out(url.Values{"id_token_hint": {t.text("id_token")}, "state": {"s"}})
			rp.check(e.page && e.status == 200, "%d %s", e.status, e.url)
			rp.loggedOut()
		}},
		{"oidcc-rp-initiated-logout-no-state", "", func(rp *relyingParty) {
			t, _ := rp.tokens(nil)
			e, _ := rp.out(
				url.Values{
					"id_token_hint":            {t.text("id_token")},
					"post_logout_redirect_uri": {rp.client.PostLogoutURI},
				},
			)
			rp.check(e.url == rp.client.PostLogoutURI, "led to %q", e.url)
		}},
		{"oidcc-rp-initiated-logout-only-state", "", func(rp *relyingParty) {
			rp.tokens(nil)
			e, _ := rp.out(url.Values{"state": {"s"}})
			rp.check(e.page && e.status == 200, "%d %s", e.status, e.url)
		}},
		{
			"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
			"",
			stays(func(rp *relyingParty, _ string, q url.Values) {
				q.Set("post_logout_redirect_uri", rp.client.PostLogoutURI+"?foo=bar")
			}),
		},
	},
}

func (rp *relyingParty) payload(token string) []byte {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	rp.must(err)
	return jws.UnsafePayloadWithoutVerification()
}

var frame = regexp.MustCompile(`<iframe src="([^"]+)"`)

var channelLogout = plan{
	"oidcc-backchannel- and oidcc-frontchannel-rp-initiated-logout-certification-test-plan",
	[]check{
		{
			"oidcc-backchannel-logout-discovery-endpoint-verification",
			"",
			advertises("backchannel_logout_supported", "backchannel_logout_session_supported"),
		},
		{"oidcc-backchannel-rp-initiated-logout", "", func(rp *relyingParty) {
			l := rp.listen(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
			rp.configure(map[string]any{"backchannel_logout_uri": l.url, "backchannel_logout_session_required": true})
			t, id := rp.tokens(nil)
			rp.out(
				url.Values{
					"id_token_hint":            {t.text("id_token")},
					"post_logout_redirect_uri": {rp.client.PostLogoutURI},
				},
			)
			token := rp.verified(rp.wait(l).form.Get("logout_token"))
			events, _ := token["events"].(map[string]any)
			_, there := events["http://schemas.openid.net/event/backchannel-logout"]
			rp.check(
				there && token.text("iss") == rp.Issuer && token.text("aud") == rp.client.ID && token.text("jti") != "" &&
					token.number("iat") > 0,
				"logout token: %v",
				token,
			)
			rp.check(
				token.text("sid") == id.text("sid") && token.text("sub") == id.text("sub") && token["nonce"] == nil,
				"sid, sub or nonce: %v",
				token,
			)
			rp.loggedOut()
		}},
		{
			"oidcc-frontchannel-logout-discovery-endpoint-verification",
			"",
			advertises("frontchannel_logout_supported", "frontchannel_logout_session_supported"),
		},
		{"oidcc-frontchannel-rp-initiated-logout", "", func(rp *relyingParty) {
			rp.configure(
				map[string]any{
					"frontchannel_logout_uri":              "https://rp.example/frontchannel?x=1",
					"frontchannel_logout_session_required": true,
				},
			)
			t, id := rp.tokens(nil)
			e, body := rp.out(
				url.Values{
					"id_token_hint":            {t.text("id_token")},
					"post_logout_redirect_uri": {rp.client.PostLogoutURI},
				},
			)
			m := frame.FindStringSubmatch(body)
			rp.check(e.page && m != nil, "no frame in the page: %d %s", e.status, e.url)
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			rp.must(err)
			rp.check(
				u.Host == "rp.example" && u.Query().Get("iss") == rp.Issuer && u.Query().Get("sid") == id.text("sid"),
				"the frame shows %s",
				u,
			)
			rp.check(
				strings.Contains(body, rp.client.PostLogoutURI),
				"the page does not lead on to %s",
				rp.client.PostLogoutURI,
			)
			rp.loggedOut()
		}},
	},
}

func advertises(names ...string) func(*relyingParty) {
	return func(rp *relyingParty) {
		for _, n := range names {
			rp.check(rp.discovery()[n] == true, "%s is %v", n, rp.discovery()[n])
		}
	}
}
