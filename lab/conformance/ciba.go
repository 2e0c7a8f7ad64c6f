package conformance

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// backchannel starts a CIBA login.
func (rp *relyingParty) backchannel(more url.Values) (int, object) {
	form := url.Values{
		"client_id":       {rp.client.ID},
		"scope":           {"openid scope_all"},
		"login_hint":      {rp.Person},
		"acr_values":      {"eidas1"},
		"binding_message": {"1234"},
		"channel":         {"MOBILE"},
	}
	for k, v := range more {
		if form[k] = v; v == nil {
			form.Del(k)
		}
	}
	return rp.post(rp.server, rp.endpoint("backchannel_authentication_endpoint"), form, "")
}

// started is backchannel that must succeed; it returns the auth_req_id.
func (rp *relyingParty) started(more url.Values) (string, object) {
	status, o := rp.backchannel(more)
	rp.check(status == 200 && o.text("auth_req_id") != "" && o.number("expires_in") > 0, "%d %v", status, o)
	return o.text("auth_req_id"), o
}

func (rp *relyingParty) poll(id string) (int, object) {
	return rp.token(url.Values{"grant_type": {"urn:openid:params:grant-type:ciba"}, "auth_req_id": {id}})
}

// collected polls once and verifies what comes.
func (rp *relyingParty) collected(id string) object {
	status, t := rp.poll(id)
	rp.check(status == 200, "%d %v", status, t)
	claims := rp.verified(t.text("id_token"))
	rp.check(
		strings.HasSuffix(claims.text("sub"), ":"+rp.Person) && claims.text("aud") == rp.client.ID,
		"id token: %v",
		claims,
	)
	return t
}

func (rp *relyingParty) refusedPoll(id, want string) {
	status, o := rp.poll(id)
	rp.check(status == 400 && o.text("error") == want, "%d %v, want %s", status, o, want)
}

// startsWith is a CIBA request that must lead to tokens.
func startsWith(more url.Values) func(*relyingParty) {
	return func(rp *relyingParty) {
		id, _ := rp.started(more)
		rp.collected(id)
	}
}

// pinged is ping mode with a notification endpoint that answers like this:
// only a 2xx matters, nothing is followed, nothing repeated.
func pinged(answer http.HandlerFunc) func(*relyingParty) {
	return func(rp *relyingParty) {
		elsewhere := rp.listen(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		l := rp.listen(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere.url)
			answer(w, r)
		})
		rp.configure(
			map[string]any{
				"backchannel_token_delivery_mode":          "ping",
				"backchannel_client_notification_endpoint": l.url,
			},
		)
		id, _ := rp.started(url.Values{"client_notification_token": {"notification-token"}})
		c := rp.wait(l)
		var body object
		rp.must(json.Unmarshal([]byte(c.body), &body))
		rp.check(
			body.text("auth_req_id") == id && c.header.Get("Authorization") == "Bearer notification-token",
			"the ping holds %s, Authorization %q",
			c.body,
			c.header.Get("Authorization"),
		)
		rp.collected(id)
		rp.check(len(l.calls) == 0 && len(elsewhere.calls) == 0, "the provider called again, or followed the redirect")
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

const signed = "PSC takes plain CIBA requests: signed request objects are refused"

var ciba = plan{"fapi-ciba-id1-test-plan", slices.Concat([]check{
	{"fapi-ciba-id1-discovery-end-point-verification", "", func(rp *relyingParty) {
		d := rp.discovery()
		rp.check(
			strings.HasPrefix(d.text("backchannel_authentication_endpoint"), "https://"),
			"backchannel_authentication_endpoint is %q",
			d.text("backchannel_authentication_endpoint"),
		)
		for _, mode := range []string{"poll", "ping"} {
			rp.check(
				holds(d, "backchannel_token_delivery_modes_supported", mode),
				"delivery mode %s is not offered",
				mode,
			)
		}
		rp.check(holds(d, "grant_types_supported", "urn:openid:params:grant-type:ciba"), "the grant is not offered")
		rp.check(
			d["tls_client_certificate_bound_access_tokens"] == true,
			"tls_client_certificate_bound_access_tokens is %v",
			d["tls_client_certificate_bound_access_tokens"],
		)
	}},
	{"fapi-ciba-id1", "", startsWith(nil)},
	{"fapi-ciba-id1 (channel CARD)", "", func(rp *relyingParty) {
		rp.must(rp.answer("ask"))
		id, _ := rp.started(url.Values{"channel": {"CARD"}})
		waiting := rp.atReader()
		rp.check(len(waiting) == 1, "%d logins wait at the reader", len(waiting))
		rp.must(rp.present(waiting[0].Id))
		t := rp.collected(id)
		rp.check(rp.verified(t.text("access_token")).text("authMode") == "CARD", "authMode is not CARD")
	}},
	{"fapi-ciba-id1-user-rejects-authentication", "", func(rp *relyingParty) {
		rp.must(rp.answer("refuse"))
		id, _ := rp.started(nil)
		rp.refusedPoll(id, "access_denied")
	}},
	{"fapi-ciba-id1-multiple-call-to-token-endpoint", "", func(rp *relyingParty) {
		rp.must(rp.answer("ask"))
		id, o := rp.started(nil)
		rp.refusedPoll(id, "authorization_pending")
		rp.refusedPoll(id, "slow_down")
		rp.advance(int(o.number("interval")) + 1) // no longer enough: the interval grew
		rp.refusedPoll(id, "slow_down")
	}},
	{"fapi-ciba-id1-auth-req-id-expired", "", func(rp *relyingParty) {
		rp.must(rp.answer("ask"))
		id, o := rp.started(url.Values{"requested_expiry": {"10"}})
		rp.check(o.number("expires_in") == 10, "expires_in is %v", o["expires_in"])
		rp.advance(11)
		rp.refusedPoll(id, "expired_token")
	}},
	{
		"fapi-ciba-id1-ensure-authorization-request-with-binding-message-succeeds",
		"",
		startsWith(url.Values{"binding_message": {"1234"}}),
	},
	{"fapi-ciba-id1-ensure-authorization-request-with-potentially-bad-binding-message", "", func(rp *relyingParty) {
		code, o := rp.backchannel(url.Values{"binding_message": {strings.Repeat("1234 ⌘ 🎉 ", 40)}})
		rp.check(code == 200 || code == 400 && o.text("error") == "invalid_binding_message", "%d %v", code, o)
	}},
	{"fapi-ciba-id1-ensure-other-scope-order-succeeds", "", startsWith(url.Values{"scope": {"scope_all openid"}})},
	{
		"fapi-ciba-id1-ensure-requested-expiry-as-string-succeeds",
		"",
		startsWith(url.Values{"requested_expiry": {"30"}}),
	},
	{"fapi-ciba-id1-ensure-authorization-request-with-multiple-hints-fails", "", func(rp *relyingParty) {
		t, _ := rp.tokens(nil)
		code, o := rp.backchannel(url.Values{"id_token_hint": {t.text("id_token")}})
		rp.check(code == 400 && o.text("error") == "invalid_request", "%d %v", code, o)
	}},
	{"fapi-ciba-id1-ensure-wrong-auth-req-id-in-token-endpoint-request", "", func(rp *relyingParty) {
		id, _ := rp.started(nil)
		code, o := rp.other().poll(id)
		rp.check(code == 400 && o.text("error") == "invalid_grant", "%d %v", code, o)
		rp.collected(id)
		rp.refusedPoll(id, "invalid_grant") // used twice
	}},
	{"fapi-ciba-id1-ensure-wrong-client-id-in-token-endpoint-request", "", func(rp *relyingParty) {
		id, _ := rp.started(nil)
		code, o := rp.token(
			url.Values{
				"client_id":   {rp.B.ID},
				"grant_type":  {"urn:openid:params:grant-type:ciba"},
				"auth_req_id": {id},
			},
		)
		rp.check(code == 401 && o.text("error") == "invalid_client", "%d %v", code, o)
	}},
	{"fapi-ciba-id1-ensure-wrong-client-id-in-backchannel-authorization-request", "", func(rp *relyingParty) {
		code, o := rp.backchannel(url.Values{"client_id": {rp.B.ID}})
		rp.check(
			slices.Contains([]string{"access_denied", "invalid_request", "invalid_client"}, o.text("error")),
			"%d %v",
			code,
			o,
		)
	}},
	{"fapi-ciba-id1-ensure-mtls-holder-of-key-required", "", func(rp *relyingParty) {
		id, _ := rp.started(nil)
		rp.server = rp.http(nil, nil)
		code, o := rp.poll(id)
		rp.check(code >= 400 && o.text("error") != "", "%d %v", code, o)
	}},
	{"fapi-ciba-id1-refresh-token", "", func(rp *relyingParty) {
		id, _ := rp.started(nil)
		t := rp.collected(id)
		code, fresh := rp.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.text("refresh_token")}})
		rp.check(code == 200 && fresh.text("access_token") != "", "%d %v", code, fresh)
	}},
	{"fapi-ciba-id1 (ping)", "", pinged(status(http.StatusNoContent))},
	{
		"fapi-ciba-id1-ping-with-backchannel-notification-endpoint-response-body",
		"",
		pinged(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a body that is ignored")) }),
	},
	{"fapi-ciba-id1-ping-backchannel-notification-endpoint-response-401", "", pinged(status(http.StatusUnauthorized))},
	{"fapi-ciba-id1-ping-backchannel-notification-endpoint-response-403", "", pinged(status(http.StatusForbidden))},
	{
		"fapi-ciba-id1-ping-backchannel-notification-endpoint-response-301",
		"",
		pinged(status(http.StatusMovedPermanently)),
	},
	{
		"fapi-ciba-id1-ensure-unsigned-backchannel-authorization-request-fails",
		"it must fail on PSC by nature: plain requests are the only ones",
		nil,
	},
}, inapplicable(
	signed,
	"missing-aud-fails",
	"bad-aud-fails",
	"missing-iss-fails",
	"bad-iss-fails",
	"missing-exp-fails",
	"expired-exp-fails",
	"exp-is-70-minutes-in-future-fails",
	"missing-iat-fails",
	"missing-nbf-fails",
	"nbf-is-10-minutes-in-future-fails",
	"nbf-is-70-minutes-in-past-fails",
	"missing-jti-fails",
	"signature-algorithm-is-none-fails",
	"signature-algorithm-is-bad-fails",
	"signature-algorithm-is-RS256-fails",
	"signed-by-other-client-fails",
), []check{
	{
		"fapi-ciba-id1-ensure-without-client-assertion-in-backchannel-authorization-request-fails",
		"clients authenticate by mTLS, not by client_assertion",
		nil,
	},
	{
		"fapi-ciba-id1-ensure-without-client-assertion-in-token-endpoint-request-fails",
		"clients authenticate by mTLS, not by client_assertion",
		nil,
	},
})}

func inapplicable(why string, names ...string) (out []check) {
	for _, n := range names {
		out = append(out, check{"fapi-ciba-id1-ensure-request-object-" + n, why, nil})
	}
	return out
}

const advanced = "fapi1-advanced-final-"

var fapi = plan{"fapi1-advanced-final-test-plan (modules worth copying)", []check{
	{advanced + "ensure-pkce-code-verifier-required", "", func(rp *relyingParty) {
		_, challenge := pkce()
		code, _ := rp.code(url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}})
		c, o := rp.exchange(code, nil)
		rp.check(c == 400 && o.text("error") == "invalid_grant", "%d %v", c, o)
	}},
	{advanced + "incorrect-pkce-code-verifier-rejected", "", func(rp *relyingParty) {
		_, challenge := pkce()
		wrong, _ := pkce()
		code, _ := rp.code(url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}})
		c, o := rp.exchange(code, url.Values{"code_verifier": {wrong}})
		rp.check(c == 400 && o.text("error") == "invalid_grant", "%d %v", c, o)
	}},
	{advanced + "par-plain-pkce-rejected", "PSC advertises plain, so it is accepted", nil},
	{advanced + "par-attempt-reuse-request_uri", "", func(rp *relyingParty) {
		uri := rp.pushed()
		e := rp.authorize(rp.pulled(uri, rp.client.ID))
		rp.check(e.back.Get("code") != "", "%d %s", e.status, e.url)
		e = rp.look(rp.pulled(uri, rp.client.ID))
		rp.check(e.page && e.status >= 400, "%d led to %s", e.status, e.url)
	}},
	{advanced + "par-attempt-to-use-expired-request_uri", "", func(rp *relyingParty) {
		uri := rp.pushed()
		rp.advance(61)
		e := rp.look(rp.pulled(uri, rp.client.ID))
		rp.check(e.page && e.status >= 400, "%d led to %s", e.status, e.url)
	}},
	{advanced + "par-attempt-to-use-request_uri-for-different-client", "", func(rp *relyingParty) {
		e := rp.look(rp.pulled(rp.pushed(), rp.B.ID))
		rp.check(e.page && e.status >= 400, "%d led to %s", e.status, e.url)
	}},
}}

func (rp *relyingParty) pushed() string {
	code, o := rp.post(rp.server, rp.endpoint("pushed_authorization_request_endpoint"), rp.params(nil), "")
	rp.check(
		code == 201 && strings.HasPrefix(o.text("request_uri"), "urn:ietf:params:oauth:request_uri:") &&
			o.number("expires_in") == 60,
		"%d %v",
		code,
		o,
	)
	return o.text("request_uri")
}

func (rp *relyingParty) pulled(uri, client string) url.Values {
	return url.Values{"client_id": {client}, "request_uri": {uri}}
}
