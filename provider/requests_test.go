package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pscemu.invalid/pscemu/internal/testkit"
)

// object signs claims as a request object, or as whatever else.
func object(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims string) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: header}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAttack7And8RequestObjectsOfRegisteredKeysOnly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	foreign, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.Register(
		"exact",
		map[string]any{
			"jwks": jose.JSONWebKeySet{
				Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}},
			},
		},
	)
	fetched := make(chan string, 4)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fetched <- r.URL.Path }))
	defer web.Close()
	claims := func(more string) string {
		return `{"client_id":"exact","iss":"exact","aud":"` + s.Issuer + `","state":"from-object","nonce":"n"` + more + `}`
	}
	good := object(t, jose.ES256, key, nil, claims(""))
	public, _ := key.PublicKey.Bytes()
	head := func(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }
	parts := strings.Split(good, ".")
	embedded, _ := json.Marshal(jose.JSONWebKey{Key: foreign.Public()})
	for name, c := range map[string]struct{ object, want string }{
		"signed by the registered key": {good, "code="},
		"alg none":                     {head(`{"alg":"none"}`) + "." + parts[1] + ".", "error=request_not_supported"},
		"alg none with a signature":    {head(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2], "page"},
		"HS256 with the public key":    {object(t, jose.HS256, public, nil, claims("")), "page"},
		"foreign key":                  {object(t, jose.ES256, foreign, nil, claims("")), "page"},
		"foreign key, right kid": {
			object(t, jose.ES256, foreign, map[jose.HeaderKey]any{"kid": "k1"}, claims("")), "page",
		},
		"foreign key in jwk": {
			object(t, jose.ES256, foreign, map[jose.HeaderKey]any{"jwk": json.RawMessage(embedded)}, claims("")), "page",
		},
		"jku and x5u": {
			object(t, jose.ES256, foreign, map[jose.HeaderKey]any{"jku": web.URL + "/jku", "x5u": web.URL + "/x5u"}, claims("")),
			"page",
		},
		"crit": {
			object(t, jose.ES256, key, map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}, claims("")), "page",
		},
		"duplicate member": {
			object(t, jose.ES256, key, nil, claims(`,"scope":"openid","scope":"scope_all"`)), "page",
		},
		"other audience": {
			object(t, jose.ES256, key, nil, `{"client_id":"exact","aud":"https://other"}`), "page",
		},
		"other client": {object(t, jose.ES256, key, nil, `{"client_id":"demo"}`), "page"},
		"expired":      {object(t, jose.ES256, key, nil, claims(`,"exp":1`)), "page"},
		"not valid yet": {
			object(t, jose.ES256, key, nil, claims(fmt.Sprintf(`,"nbf":%d`, testkit.Now().Add(time.Hour).Unix()))), "page",
		},
		"tampered": {parts[0] + "." + head(claims(`,"max_age":1`)) + "." + parts[2], "page"},
		"a redirect URI of its own": {
			object(t, jose.ES256, key, nil, claims(`,"redirect_uri":"https://evil.example/"`)), "page",
		},
		"a megabyte":     {strings.Repeat("a", 60<<10), "page"},
		"within another": {object(t, jose.ES256, key, nil, claims(`,"request":"x"`)), "page"},
	} {
		t.Run(name, func(t *testing.T) {
			status, to := s.AuthorizeWith(url.Values{"request": {c.object}, "state": {"from-query"}})
			if c.want == "page" && (status != 400 || to != "") || c.want != "page" && !strings.Contains(to, c.want) {
				t.Errorf("%d %s", status, to)
			}
			if c.want == "code=" && !strings.Contains(to, "state=from-object") {
				t.Errorf("the signed state does not win: %s", to)
			}
		})
	}
	if len(fetched) > 0 {
		t.Errorf("fetched %s", <-fetched)
	}
	for name, header := range map[string]string{
		"none": `{"alg":"none"}`, "HS256": `{"alg":"HS256"}`, "jku": `{"alg":"RS256","kid":"k","jku":"` + web.URL + `"}`,
	} {
		resp, err := s.HTTP(nil).
			Get(s.Issuer + "/protocol/openid-connect/logout?" + url.Values{
				"id_token_hint":            {head(header) + "." + parts[1] + ".AAAA"},
				"post_logout_redirect_uri": {"http://localhost:8080/"},
			}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 || len(fetched) > 0 {
			t.Errorf("id_token_hint with %s: %s", name, resp.Status)
		}
	}
	if _, to := s.AuthorizeWith(
		url.Values{"client_id": {"demo"}, "redirect_uri": {testkit.CallbackURL}, "request": {good}},
	); !strings.Contains(
		to,
		"error=request_not_supported",
	) {
		t.Errorf("a client without keys: %s", to)
	}
}

func TestAPushedRequestServesOnceForItsClientWithinAMinute(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	form := url.Values{
		"client_id":     {"demo"},
		"client_secret": {s.DemoClient.ClientSecret},
		"response_type": {"code"},
		"redirect_uri":  {testkit.CallbackURL},
		"scope":         {"openid"},
		"state":         {"pushed"},
		"login_hint":    {"auto:" + testkit.Nurse},
	}
	push := func(more url.Values) (int, map[string]any) {
		f := url.Values{}
		for k, v := range form {
			f[k] = v
		}
		for k, v := range more {
			f[k] = v
		}
		return s.Post("ext/par/request", f)
	}
	pull := func(client, uri string) (int, string) {
		resp, err := s.HTTP(nil).
			Get(s.BaseURL + "/auth?" + url.Values{
				"client_id": {client}, "request_uri": {uri}, "state": {"from-the-browser"},
			}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Location")
	}
	status, o := push(nil)
	uri, _ := o["request_uri"].(string)
	if status != 201 || o["expires_in"] != 60.0 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("%d %v", status, o)
	}
	s.AddExactClient()
	if status, to := pull("exact", uri); status != 400 || to != "" {
		t.Errorf("another client: %d %s", status, to)
	}
	if _, to := pull("demo", uri); !strings.Contains(to, "state=pushed") || !strings.Contains(to, "code=") {
		t.Errorf("pulled: %s", to)
	}
	if status, to := pull("demo", uri); status != 400 || to != "" {
		t.Errorf("twice: %d %s", status, to)
	}
	_, o = push(nil)
	s.API("PUT", "/clock", `{"offset":"61s"}`, nil)
	if status, _ := pull("demo", o["request_uri"].(string)); status != 400 {
		t.Errorf("after a minute: %d", status)
	}
	for name, c := range map[string]struct {
		more      url.Values
		err, text string
	}{
		"request_uri": {
			url.Values{"request_uri": {"urn:x"}}, "invalid_request", "It is not allowed to include request_uri to PAR.",
		},
		"redirect_uri": {
			url.Values{"redirect_uri": {"https://evil.example/"}}, "invalid_request", "Invalid parameter: redirect_uri",
		},
		"response_type": {url.Values{"response_type": {"magic"}}, "invalid_request", "Unsupported response type"},
		"scope":         {url.Values{"scope": {"openid bogus"}}, "invalid_request", "Invalid scopes: openid bogus"},
		"implicit": {
			url.Values{"response_type": {"token"}}, "unauthorized_client", "Client is not allowed to initiate browser login",
		},
	} {
		if status, a := push(
			c.more,
		); status != 400 || a["error"] != c.err ||
			!strings.HasPrefix(a["error_description"].(string), c.text) {
			t.Errorf("%s: %d %v", name, status, a)
		}
	}
	if resp, err := s.HTTP(nil).
		PostForm(s.Issuer+"/protocol/openid-connect/ext/par/request", form); err != nil ||
		resp.StatusCode != 401 {
		t.Errorf("without certificate: %v %v", resp, err)
	}
	if _, to := s.AuthorizeWith(
		url.Values{"request_uri": {"https://evil.example/request.jwt"}},
	); !strings.Contains(
		to,
		"error=request_uri_not_supported",
	) {
		t.Errorf("a request_uri of the web: %s", to)
	}
}

func TestResponseTypesAreServedAsTheRegistrationSays(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Register("exact", map[string]any{"response_types": []string{"code id_token", "id_token token", "none"}})
	hash := func(v string) string {
		sum := sha256.Sum256([]byte(v))
		return base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	ask := func(responseType string, more url.Values) url.Values {
		t.Helper()
		p := url.Values{"response_type": {responseType}, "nonce": {"n"}, "state": {"s"}}
		for k, v := range more {
			p[k] = v
		}
		_, to := s.AuthorizeWith(p)
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		q, _ := url.ParseQuery(u.Fragment)
		if u.Fragment == "" {
			q = u.Query()
		}
		return q
	}
	hybrid := ask("id_token code", nil) // the order does not matter
	_, payload := testkit.JWTParts(t, hybrid.Get("id_token"))
	if !strings.Contains(payload, `"c_hash":"`+hash(hybrid.Get("code"))+`"`) || hybrid.Get("state") != "s" ||
		hybrid.Get("iss") != s.Issuer {
		t.Errorf("hybrid: %v %s", hybrid, payload)
	}
	implicit := ask("id_token token", nil)
	_, payload = testkit.JWTParts(t, implicit.Get("id_token"))
	if !strings.Contains(payload, `"at_hash":"`+hash(implicit.Get("access_token"))+`"`) ||
		implicit.Get("token_type") != "Bearer" ||
		implicit.Get("expires_in") != "120" ||
		implicit.Has("code") {
		t.Errorf("implicit: %v", implicit)
	}
	req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+implicit.Get("access_token"))
	if resp, err := s.HTTP(nil).Do(req); err != nil || resp.StatusCode != 200 {
		t.Errorf("UserInfo with the front channel's token: %v %v", resp, err)
	}
	if none := ask("none", nil); none.Has("code") || none.Get("error") != "" || none.Get("session_state") == "" {
		t.Errorf("none: %v", none)
	}
	for name, c := range map[string]struct {
		responseType string
		more         url.Values
		want         string
	}{
		"code, not registered":       {"code", nil, "unauthorized_client"},
		"token, not registered":      {"token", nil, "unauthorized_client"},
		"query for tokens in front":  {"id_token token", url.Values{"response_mode": {"query"}}, "invalid_request"},
		"id_token without nonce":     {"id_token token", url.Values{"nonce": nil}, "invalid_request"},
		"a type that does not exist": {"code magic", nil, "unsupported_response_type"},
	} {
		if got := ask(c.responseType, c.more); got.Get("error") != c.want || got.Get("state") != "s" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestASignedAuthorizationResponse(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.AddExactClient()
	for _, mode := range []string{"jwt", "query.jwt", "fragment.jwt"} {
		_, to := s.AuthorizeWith(url.Values{"response_mode": {mode}, "state": {"s"}})
		i := strings.Index(to, "response=")
		if i < 0 {
			t.Fatalf("%s: %s", mode, to)
		}
		_, payload := testkit.JWTParts(t, to[i+len("response="):])
		if !strings.Contains(payload, `"iss":"`+s.Issuer+`","aud":"exact","exp":`) ||
			!strings.Contains(payload, `"state":"s"`) ||
			!strings.Contains(payload, `"code":"`) {
			t.Errorf("%s: %s", mode, payload)
		}
		if (to[i-1] == '#') != (mode == "fragment.jwt") {
			t.Errorf("%s went to %s", mode, to)
		}
	}
	if _, to := s.AuthorizeWith(
		url.Values{"response_mode": {"jwt"}, "prompt": {"none"}, "login_hint": {""}},
	); !strings.Contains(
		to,
		"response=",
	) {
		t.Errorf("an error is signed too: %s", to)
	}
}

func TestWhatTheSandboxAdvertisesAndIsNotServedAnswersACorrectError(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for name, c := range map[string]struct {
		method, path string
		form         url.Values
		status       int
		err          string
	}{
		"device": {
			"POST", s.Issuer + "/protocol/openid-connect/auth/device", url.Values{"client_id": {"demo"}}, 400,
			"unauthorized_client",
		},
		"registration": {"POST", s.Issuer + "/clients-registrations/openid-connect", nil, 403, "insufficient_scope"},
		"password": {
			"POST", s.Issuer + "/protocol/openid-connect/token",
			url.Values{"grant_type": {"password"}, "client_id": {"demo"}}, 400, "unauthorized_client",
		},
		"client_credentials": {
			"POST", s.Issuer + "/protocol/openid-connect/token",
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo"}}, 401, "unauthorized_client",
		},
		"device grant": {
			"POST", s.Issuer + "/protocol/openid-connect/token",
			url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"demo"}, "device_code": {"x"},
			},
			400, "invalid_grant",
		},
		"token by GET": {"GET", s.Issuer + "/protocol/openid-connect/token", nil, 405, "HTTP 405 Method Not Allowed"},
		"unknown path": {"GET", s.Issuer + "/protocol/openid-connect/nothing", nil, 404, "HTTP 404 Not Found"},
	} {
		req, _ := http.NewRequest(c.method, c.path, strings.NewReader(c.form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := s.HTTP(s.DemoCertificate()).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var a map[string]any
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err := json.Unmarshal(body, &a); err != nil || resp.StatusCode != c.status || a["error"] != c.err {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	var d map[string]any
	resp, err := s.HTTP(nil).Get(s.Discovery)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	for name, v := range d {
		if u, ok := v.(string); ok && strings.HasPrefix(u, "https://") && name != "issuer" {
			resp, err := s.HTTP(nil).Get(u)
			if err != nil || resp.StatusCode == 404 || resp.StatusCode >= 500 {
				t.Errorf("%s at %s: %v %v", name, u, resp, err)
			}
		}
	}
}

func TestAttack17RefreshTokensOfOthersRacedWidenedOrOfDeletedPeople(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	refresh := func(token, scope string) map[string]any {
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {token}}
		if scope != "" {
			form.Set("scope", scope)
		}
		_, a := s.Post("token", form)
		return a
	}
	token := rp.Tokens(testkit.Nurse, "").RefreshToken
	if a := refresh(
		token,
		"openid bogus",
	); a["error"] != "invalid_scope" ||
		!strings.HasPrefix(a["error_description"].(string), "Invalid scopes: openid bogus") {
		t.Errorf("wider scope: %v", a)
	}
	var wg sync.WaitGroup
	answers := make(chan map[string]any, 8)
	for range cap(answers) {
		wg.Go(func() { answers <- refresh(token, "") })
	}
	wg.Wait()
	close(answers)
	good := 0
	for a := range answers {
		if a["access_token"] != nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d of the parallel refreshes succeeded", good)
	}
	token = rp.Tokens(testkit.Asked+";means=card", "").RefreshToken
	s.API("DELETE", "/identities/"+testkit.Asked, "", nil)
	if a := refresh(
		token,
		"",
	); a["error"] != "invalid_grant" ||
		!strings.HasPrefix(a["error_description"].(string), "User not found") {
		t.Errorf("deleted person: %v", a)
	}
}

func TestAttack20ClientAuthenticationThatIsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Register(
		"secret",
		map[string]any{"client_secret": "s3cret", "policies": map[string]string{"client-auth": "secret"}},
	)
	s.Register(
		"either",
		map[string]any{"client_secret": "s3cret", "policies": map[string]string{"client-auth": "either"}},
	)
	ask := func(withCert bool, query string, user, pass string, form url.Values) (int, string) {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", "x")
		req, _ := http.NewRequest(
			http.MethodPost,
			s.Issuer+"/protocol/openid-connect/token"+query,
			strings.NewReader(form.Encode()),
		)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if user != "" {
			req.SetBasicAuth(user, pass)
		}
		c := s.HTTP(nil)
		if withCert {
			c = s.HTTP(s.DemoCertificate())
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var a struct{ Error string }
		_ = json.NewDecoder(resp.Body).Decode(&a)
		return resp.StatusCode, a.Error
	}
	secret := s.DemoClient.ClientSecret
	for name, c := range map[string]struct {
		cert              bool
		query, user, pass string
		form              url.Values
		want              string
	}{
		"nothing":                     {false, "", "", "", url.Values{}, "invalid_client"},
		"mTLS client with its secret": {false, "", "demo", secret, url.Values{}, "invalid_client"},
		"certificate, wrong secret":   {true, "", "demo", "wrong", url.Values{}, "unauthorized_client"},
		"Basic and body disagree":     {true, "", "demo", secret, url.Values{"client_id": {"other"}}, "invalid_client"},
		"secret in the URL": {
			true, "?client_id=demo&client_secret=" + secret, "", "", url.Values{}, "invalid_client",
		},
		"secret client, wrong secret":     {false, "", "secret", "wrong", url.Values{}, "unauthorized_client"},
		"secret client, no secret":        {false, "", "", "", url.Values{"client_id": {"secret"}}, "invalid_client"},
		"secret client, demo certificate": {true, "", "", "", url.Values{"client_id": {"secret"}}, "invalid_client"},
		"client assertion": {
			false, "", "", "",
			url.Values{
				"client_id": {"demo"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
				"client_assertion": {"eyJhbGciOiJub25lIn0.e30."},
			},
			"invalid_client",
		},
		"right secret":      {false, "", "secret", "s3cret", url.Values{}, "invalid_grant"},
		"either, by secret": {false, "", "either", "s3cret", url.Values{}, "invalid_grant"},
		"certificate alone": {true, "", "", "", url.Values{}, "invalid_grant"},
	} {
		if status, got := ask(
			c.cert,
			c.query,
			c.user,
			c.pass,
			c.form,
		); got != c.want ||
			(status == 401) != (c.want != "invalid_grant") {
			t.Errorf("%s: %d %s, want %s", name, status, got, c.want)
		}
	}
	for _, header := range []string{
		"X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert", "SSL_CLIENT_CERT", "X-Client-Cert",
		"X-ARR-ClientCert", "SSL-Client-Cert", "X-SSL-Cert", "ssl-client-verify",
	} {
		req, _ := http.NewRequest(
			http.MethodPost,
			s.Issuer+"/protocol/openid-connect/token",
			strings.NewReader(
				url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"demo"}}.Encode(),
			),
		)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set(header, base64.StdEncoding.EncodeToString(s.DemoCertificate().Certificate[0]))
		resp, err := s.HTTP(nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("attack 10, %s: %s", header, resp.Status)
		}
	}
}

func TestASigningKeyIsRotatedByPublishingUsingAndRetiring(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	kids := func() string {
		resp, err := s.HTTP(nil).Get(s.Issuer + "/protocol/openid-connect/certs")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	kidOf := func(token string) string {
		header, _ := testkit.JWTParts(t, token)
		var h struct{ Kid string }
		_ = json.Unmarshal([]byte(header), &h)
		return h.Kid
	}
	before := rp.Tokens(testkit.Nurse, "")
	old := kidOf(before.AccessToken)
	var next struct{ KID, State string }
	if s.API("POST", "/keys", "", &next); next.State != "published" || !strings.Contains(kids(), next.KID) {
		t.Fatalf("published: %+v", next)
	}
	if kidOf(rp.Tokens(testkit.Nurse, "").AccessToken) != old {
		t.Error("the new key signs before its time")
	}
	s.API("POST", "/keys/"+next.KID+"/use", "", nil)
	if kidOf(rp.Tokens(testkit.Nurse, "").AccessToken) != next.KID || !strings.Contains(kids(), old) {
		t.Error("used: the new key does not sign, or the old one is gone")
	}
	if a := s.Introspect(before.AccessToken); a["active"] != true {
		t.Errorf("a token of the old key is refused: %v", a)
	}
	var p struct{ Code string }
	if s.API("POST", "/keys/"+next.KID+"/retire", "", &p); p.Code != "key-active" {
		t.Errorf("the active key retired: %+v", p)
	}
	s.API("POST", "/keys/"+old+"/retire", "", nil)
	if a := s.Introspect(before.AccessToken); a["active"] != false || strings.Contains(kids(), old) {
		t.Errorf("the retired key lives on: %v", a)
	}
}
