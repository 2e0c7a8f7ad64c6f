package rp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// all are the checks of a good login, in order.
var all = []Name{
	CallbackOnce, CallbackState, CallbackIssuer, CallbackCode, TokenAnswer, TokenType,
	IDTokenForm, IDTokenAlgorithm, IDTokenSignature, IDTokenIssuer, IDTokenAudience, IDTokenParty, IDTokenSubject,
	IDTokenExpiry, IDTokenIssued, IDTokenNonce, IDTokenHash, IDTokenLevel, IDTokenAuthTime,
	UserInfoAnswer, UserInfoSubject, UserInfoClaims,
}

func TestAGoodLoginPassesEveryCheck(t *testing.T) {
	p := newProvider(t)
	in, err := p.login(p.client(nil))
	if err != nil {
		t.Fatal(err)
	}
	var names []Name
	for _, c := range in.Checks {
		names = append(names, c.Name)
		if !c.OK || c.Source == "" || c.Expected == "" {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal(names, all) {
		t.Errorf("checks:\n%v, want\n%v", names, all)
	}
	if in.Claims.Text("sub") != "person" || !strings.Contains(string(in.UserInfo), "DOE") ||
		in.Tokens.Refresh != "refresh-2" || !in.Fresh(p.now(), time.Minute) || in.Fresh(p.now(), time.Hour) {
		t.Errorf("%+v", in)
	}
	if f := p.form; f.Get("client_secret") != "secret" || f.Get("redirect_uri") != redirect ||
		len(f.Get("code_verifier")) < 43 {
		t.Errorf("the token call: %v", f)
	}
}

func TestTheAuthorizeRequestHoldsEverythingThatComesBack(t *testing.T) {
	p := newProvider(t)
	l := p.begin()
	l.Extra = url.Values{"kc_idp_hint": {"OKTA_1"}}
	at, err := p.client(nil).AuthorizeURL(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(at)
	got := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "redirect_uri": redirect, "scope": "openid scope_all",
		"state": l.State, "nonce": l.Nonce, "code_challenge_method": "S256", "acr_values": "eidas1", "max_age": "3600",
		"code_challenge": oauth2.S256ChallengeFromVerifier(l.Verifier), "kc_idp_hint": "OKTA_1",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
	other := NewLogin(redirect)
	if other.State == l.State || other.Nonce == l.Nonce || other.Verifier == l.Verifier {
		t.Error("two logins share a value")
	}
	l.Nonce, l.Verifier = "", ""
	if at, _ = p.client(nil).AuthorizeURL(context.Background(), l); strings.Contains(at, "nonce") ||
		strings.Contains(at, "challenge") {
		t.Errorf("what is empty was sent: %s", at)
	}
}

func set(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func without(name string) func(map[string]any) {
	return func(m map[string]any) { delete(m, name) }
}

func both(all ...func(map[string]any)) func(map[string]any) {
	return func(m map[string]any) {
		for _, change := range all {
			change(m)
		}
	}
}

// moved sets times by seconds from now.
func moved(by map[string]int64) func(map[string]any) {
	return func(m map[string]any) {
		for name, seconds := range by {
			m[name] = time.Now().Unix() + seconds
		}
	}
}

// manipulated are id tokens that must not open a session, by the check that
// finds each.
var manipulated = map[string]struct {
	check  Name
	claims func(map[string]any)
	sign   func(p *provider) func(good string, c []byte) string
}{
	"another issuer":          {check: IDTokenIssuer, claims: set("iss", "https://evil.example")},
	"no issuer":               {check: IDTokenIssuer, claims: without("iss")},
	"another audience":        {check: IDTokenAudience, claims: set("aud", "another")},
	"no audience":             {check: IDTokenAudience, claims: without("aud")},
	"an audience of numbers":  {check: IDTokenAudience, claims: set("aud", []any{1, clientID})},
	"a second audience":       {check: IDTokenAudience, claims: set("aud", []string{clientID, "another"})},
	"another party":           {check: IDTokenParty, claims: set("azp", "another")},
	"a party that is no text": {check: IDTokenParty, claims: set("azp", 1)},
	"no sub":                  {check: IDTokenSubject, claims: without("sub")},
	"a sub that is no text":   {check: IDTokenSubject, claims: set("sub", 1)},
	"a sub of 256 characters": {check: IDTokenSubject, claims: set("sub", strings.Repeat("a", 256))},
	"expired":                 {check: IDTokenExpiry, claims: moved(map[string]int64{"exp": -61})},
	"no exp":                  {check: IDTokenExpiry, claims: without("exp")},
	"exp is a text":           {check: IDTokenExpiry, claims: set("exp", "9999999999")},
	"issued a day ago":        {check: IDTokenIssued, claims: moved(map[string]int64{"iat": -86400})},
	"issued ahead":            {check: IDTokenIssued, claims: moved(map[string]int64{"iat": 3600, "exp": 7200})},
	"no iat":                  {check: IDTokenIssued, claims: without("iat")},
	"not yet valid":           {check: IDTokenNotBefore, claims: moved(map[string]int64{"nbf": 3600})},
	"another nonce":           {check: IDTokenNonce, claims: set("nonce", "another")},
	"no nonce":                {check: IDTokenNonce, claims: without("nonce")},
	"another at_hash":         {check: IDTokenHash, claims: set("at_hash", accessHash("RS256", "another"))},
	"an at_hash of nothing":   {check: IDTokenHash, claims: set("at_hash", "")},
	"a weaker level":          {check: IDTokenLevel, claims: set("acr", "eidas0")},
	"another kind of level":   {check: IDTokenLevel, claims: set("acr", "1")},
	"no level":                {check: IDTokenLevel, claims: without("acr")},
	"an old authentication":   {check: IDTokenAuthTime, claims: moved(map[string]int64{"auth_time": -3700})},
	"no auth_time":            {check: IDTokenAuthTime, claims: without("auth_time")},
	"a signature changed": {check: IDTokenSignature, sign: func(*provider) func(string, []byte) string {
		return resigned
	}},
	"another payload": {check: IDTokenSignature, sign: func(*provider) func(string, []byte) string {
		return func(good string, c []byte) string {
			parts := strings.Split(good, ".")
			other := strings.Replace(string(c), `"sub":"person"`, `"sub":"victim"`, 1)
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(other)) + "." + parts[2]
		}
	}},
	"a foreign key under a known kid": {check: IDTokenSignature, sign: func(p *provider) func(string, []byte) string {
		return func(_ string, c []byte) string { return p.signed(keyTwo(), p.kid, jose.RS256, c) }
	}},
	"a kid that is not published": {check: IDTokenSignature, sign: func(p *provider) func(string, []byte) string {
		return func(_ string, c []byte) string { return p.signed(keyTwo(), "unknown", jose.RS256, c) }
	}},
	"a key in its own header": {check: IDTokenSignature, sign: func(p *provider) func(string, []byte) string {
		return func(_ string, c []byte) string {
			signer, err := jose.NewSigner(
				jose.SigningKey{Algorithm: jose.RS256, Key: keyTwo()},
				&jose.SignerOptions{EmbedJWK: true},
			)
			if err != nil {
				p.t.Fatal(err)
			}
			jws, _ := signer.Sign(c)
			raw, _ := jws.CompactSerialize()
			return raw
		}
	}},
	"no signature": {check: IDTokenAlgorithm, sign: func(*provider) func(string, []byte) string {
		return func(_ string, c []byte) string {
			head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
			return head + "." + base64.RawURLEncoding.EncodeToString(c) + "."
		}
	}},
	"HS256 with a secret": {check: IDTokenAlgorithm, sign: func(p *provider) func(string, []byte) string {
		secret := []byte(strings.Repeat("a", 32))
		return func(_ string, c []byte) string { return p.signed(secret, p.kid, jose.HS256, c) }
	}},
	"an algorithm that was not agreed": {check: IDTokenAlgorithm, sign: func(p *provider) func(string, []byte) string {
		return func(_ string, c []byte) string { return p.signed(p.key, p.kid, jose.PS512, c) }
	}},
	"no token": {check: IDTokenForm, sign: func(*provider) func(string, []byte) string {
		return func(string, []byte) string { return "this is no token" }
	}},
	"a token without claims": {check: IDTokenForm, sign: func(*provider) func(string, []byte) string {
		return func(string, []byte) string { return "e30.bnVsbA.AAAA" }
	}},
	"an encrypted token": {check: IDTokenForm, sign: func(*provider) func(string, []byte) string {
		return func(string, []byte) string { return "eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.BBBB.CCCC.DDDD" }
	}},
}

// refused tells that a login ended with this check and opened nothing.
func refused(t *testing.T, name string, in *Session, err error, want Name) {
	t.Helper()
	failed := in.Checks.Failed()
	if err == nil || failed == nil || failed.Name != want ||
		in.UserInfo != nil && !strings.HasPrefix(string(want), "userinfo") {
		t.Errorf("%s: %v; failed %+v, want %s; UserInfo %s", name, err, failed, want, in.UserInfo)
	}
}

func TestAManipulatedIDTokenOpensNoSession(t *testing.T) {
	for name, m := range manipulated {
		p := newProvider(t)
		p.claims = m.claims
		if m.sign != nil {
			p.sign = m.sign(p)
		}
		in, err := p.login(p.client(nil))
		refused(t, name, in, err, m.check)
		var unverified *Unverified
		if !errors.As(err, &unverified) || !strings.Contains(err.Error(), string(m.check)) {
			t.Errorf("%s: the error does not name the check: %v", name, err)
		}
	}
}

func TestEveryCheckOfTheIDTokenIsMadeAlsoAfterOneFailed(t *testing.T) {
	p := newProvider(t)
	p.claims = both(set("iss", "https://evil.example"), set("nonce", "another"))
	in, _ := p.login(p.client(nil))
	for name, ok := range map[Name]bool{
		IDTokenIssuer:   false,
		IDTokenNonce:    false,
		IDTokenAudience: true,
		IDTokenHash:     true,
	} {
		if got := in.Checks.Named(name); got == nil || got.OK != ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if in.Checks.Named(UserInfoAnswer) != nil {
		t.Error("UserInfo was asked with a token that was refused")
	}
}

func TestACallbackThatIsNotOursIsNotExchanged(t *testing.T) {
	for name, c := range map[string]struct {
		change url.Values
		check  Name
	}{
		"another state":    {url.Values{"state": {"another"}}, CallbackState},
		"no state":         {url.Values{"state": nil}, CallbackState},
		"two states":       {url.Values{"state": {"a", "b"}}, CallbackOnce},
		"another issuer":   {url.Values{"iss": {"https://evil.example"}}, CallbackIssuer},
		"no issuer":        {url.Values{"iss": nil}, CallbackIssuer},
		"no code":          {url.Values{"code": nil}, CallbackCode},
		"a refusal":        {url.Values{"code": nil, "error": {"access_denied"}}, CallbackCode},
		"code and refusal": {url.Values{"error": {"server_error"}}, CallbackCode},
	} {
		p := newProvider(t)
		l := p.begin()
		in, err := p.client(nil).Finish(context.Background(), l, p.back(l, c.change))
		refused(t, name, in, err, c.check)
		if p.form != nil {
			t.Errorf("%s: the code was exchanged", name)
		}
		var refusal *Refusal
		if c.change.Has("error") && (!errors.As(err, &refusal) || refusal.Code != c.change.Get("error")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newProvider(t)
	if in, err := p.client(nil).Finish(context.Background(), &Login{}, p.back(&Login{}, nil)); err == nil ||
		in.Checks.Failed().Name != CallbackState {
		t.Errorf("a login without a state: %v", err)
	}
}

func TestTheIssuerOfACallbackIsOptionalWhereTheProviderSendsNone(t *testing.T) {
	p := newProvider(t)
	p.document = without("authorization_response_iss_parameter_supported")
	l := p.begin()
	if _, err := p.client(nil).Finish(context.Background(), l, p.back(l, url.Values{"iss": nil})); err != nil {
		t.Error(err)
	}
	l = p.begin()
	in, err := p.client(nil).Finish(context.Background(), l, p.back(l, url.Values{"iss": {"https://evil.example"}}))
	refused(t, "another issuer", in, err, CallbackIssuer)
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestAnAnswerThatIsNoAnswerOpensNoSession(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"sub":`)
	}
	for name, c := range map[string]struct {
		at    string
		serve http.HandlerFunc
		check Name
	}{
		"token: an error":          {"/token", answers(400, `{"error":"invalid_grant"}`), TokenAnswer},
		"token: a page":            {"/token", answers(503, `<h1>no</h1>`), TokenAnswer},
		"token: a redirect":        {"/token", http.RedirectHandler("/userinfo", http.StatusFound).ServeHTTP, TokenAnswer},
		"token: no JSON":           {"/token", answers(200, `<h1>yes</h1>`), TokenAnswer},
		"token: cut":               {"/token", cut, TokenAnswer},
		"UserInfo: an error":       {"/userinfo", answers(401, ``), UserInfoAnswer},
		"UserInfo: no JSON":        {"/userinfo", answers(200, `{"sub":`), UserInfoAnswer},
		"UserInfo: cut":            {"/userinfo", cut, UserInfoAnswer},
		"the keys: an error":       {"/certs", answers(500, ``), IDTokenSignature},
		"the keys: no JSON":        {"/certs", answers(200, `{`), IDTokenSignature},
		"the keys: others, no kid": {"/certs", answers(200, `{"keys":[]}`), IDTokenSignature},
	} {
		p := newProvider(t)
		p.instead[c.at] = c.serve
		client := p.client(func(c *Config) {
			c.HTTP = Transport{Roots: p.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}.Client()
		})
		in, err := p.login(client)
		refused(t, name, in, err, c.check)
	}
}

func TestATokenAnswerThatLacksSomething(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		check  Name // "" where the login works all the same
	}{
		"no access token":   {without("access_token"), TokenAnswer},
		"no id token":       {without("id_token"), TokenAnswer},
		"another type":      {set("token_type", "mac"), TokenType},
		"a type in capital": {set("token_type", "BEARER"), ""},
		"no type":           {without("token_type"), ""},
		"no expires_in":     {without("expires_in"), ""},
		"no refresh token":  {without("refresh_token"), ""},
		"unknown members":   {set("unknown", map[string]any{"a": 1}), ""},
		"a number as token": {set("access_token", 1), TokenAnswer},
	} {
		p := newProvider(t)
		p.tokens = c.change
		in, err := p.login(p.client(nil))
		if c.check != "" {
			refused(t, name, in, err, c.check)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUserInfoMustBeAboutTheSamePersonAndHoldItsClaims(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		check  Name
	}{
		"another person":      {set("sub", "victim"), UserInfoSubject},
		"no sub":              {without("sub"), UserInfoSubject},
		"no SubjectNameID":    {without("SubjectNameID"), UserInfoClaims},
		"an empty one":        {set("SubjectNameID", ""), UserInfoClaims},
		"a number":            {set("SubjectNameID", 12), UserInfoClaims},
		"roles as a text":     {set("SubjectRole", "10"), UserInfoClaims},
		"an activity of null": {set("SubjectRefPro", nil), UserInfoClaims},
		"no role at all":      {without("SubjectRole"), ""},
		"claims nobody knows": {set("PSISubjectNameID", ""), ""},
	} {
		p := newProvider(t)
		p.info = c.change
		in, err := p.login(p.client(nil))
		if c.check != "" {
			refused(t, name, in, err, c.check)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysAreKeptAndFetchedAgainForAnUnknownKid(t *testing.T) {
	p := newProvider(t)
	c := p.client(nil)
	for range 3 {
		if _, err := p.login(c); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.fetched.Load(); got != 1 {
		t.Errorf("the keys were fetched %d times in three logins", got)
	}
	p.key, p.kid = keyTwo(), "two" // rotated
	if _, err := p.login(c); err != nil || p.fetched.Load() != 2 {
		t.Errorf("after a rotation: %v, fetched %d times", err, p.fetched.Load())
	}
}

func TestAtHashFollowsTheAlgorithmAndIsOptional(t *testing.T) {
	p := newProvider(t)
	p.claims = set("at_hash", accessHash("RS512", "access"))
	p.sign = func(_ string, c []byte) string { return p.signed(p.key, p.kid, jose.RS512, c) }
	agreed := func(c *Config) { c.Algorithms = []string{"RS256", "RS384", "RS512"} }
	if _, err := p.login(p.client(agreed)); err != nil {
		t.Error(err)
	}
	p.claims, p.sign = without("at_hash"), nil
	in, err := p.login(p.client(nil))
	if err != nil || in.Checks.Named(IDTokenHash) != nil {
		t.Errorf("without at_hash: %v", err)
	}
	if accessHash("ES384", "a") == accessHash("ES256", "a") {
		t.Error("ES384 hashes as ES256")
	}
}

func TestAStrongerLevelWillDo(t *testing.T) {
	for acr, want := range map[string]bool{
		"eidas1": true, "eidas2": true, "eidas3": true,
		"eidas0": false, "eidas": false, "eidas10": false, "loa1": false,
	} {
		if got := reaches(acr, []string{"eidas1"}); got != want {
			t.Errorf("%s for eidas1: %v", acr, got)
		}
	}
	if reaches("eidas1", []string{"eidas2"}) || !reaches("loa1", []string{"eidas2", "loa1"}) {
		t.Error("of two levels")
	}
}

func TestTheSecretGoesWhereTheClientRegistered(t *testing.T) {
	for place, want := range map[SecretPlace]string{InForm: "secret", "": "secret", InHeader: "", Nowhere: ""} {
		p := newProvider(t)
		var user, password string
		p.instead["/token"] = func(w http.ResponseWriter, r *http.Request) {
			user, password, _ = r.BasicAuth()
			p.token(w, r)
		}
		if _, err := p.login(p.client(func(c *Config) { c.SecretIn = place })); err != nil {
			t.Error(err)
		}
		if got := p.form.Get("client_secret"); got != want {
			t.Errorf("%q: the form holds %q", place, got)
		}
		if basic := place == InHeader; basic != (user == clientID && password == "secret") ||
			basic == p.form.Has("client_id") {
			t.Errorf("%q: the header holds %q", place, user)
		}
	}
}

func TestARefreshKeepsThePersonAndRotates(t *testing.T) {
	p := newProvider(t)
	c := p.client(nil)
	first, err := p.login(c)
	if err != nil {
		t.Fatal(err)
	}
	auth := first.Claims["auth_time"]
	p.claims = set("auth_time", auth)
	p.tokens = set("refresh_token", "refresh-3")
	next, err := c.Refresh(context.Background(), first)
	if err != nil || next.Tokens.Refresh != "refresh-3" || p.form.Get("refresh_token") != "refresh-2" ||
		string(next.UserInfo) != string(first.UserInfo) {
		t.Fatalf("%v %+v, sent %v", err, next.Tokens, p.form)
	}
	p.tokens = both(without("refresh_token"), without("id_token"))
	again, err := c.Refresh(context.Background(), next)
	if err != nil || again.Tokens.Refresh != "refresh-3" || again.Tokens.ID != next.Tokens.ID {
		t.Errorf("without new ones: %v %+v", err, again.Tokens)
	}
	p.tokens = nil
	for name, c2 := range map[string]struct {
		change func(map[string]any)
		check  Name
	}{
		"another person":         {both(set("auth_time", auth), set("sub", "victim")), RefreshSubject},
		"another authentication": {set("auth_time", 1), RefreshAuthTime},
		"another client":         {set("aud", "another"), IDTokenAudience},
		"another issuer":         {set("iss", "https://evil.example"), IDTokenIssuer},
	} {
		p.claims = c2.change
		got, err := c.Refresh(context.Background(), first)
		if failed := got.Checks.Failed(); err == nil || failed == nil || failed.Name != c2.check {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.instead["/token"] = answers(400, `{"error":"invalid_grant"}`)
	var refusal *Refusal
	if _, err := c.Refresh(context.Background(), first); !errors.As(err, &refusal) || refusal.Code != "invalid_grant" {
		t.Errorf("a refresh token that ended: %v", err)
	}
}

func TestALogoutNamesItsSessionAndComesBack(t *testing.T) {
	p := newProvider(t)
	c := p.client(nil)
	in, err := p.login(c)
	if err != nil {
		t.Fatal(err)
	}
	at, err := c.LogoutURL(context.Background(), in, "https://app.example/", "s")
	u, _ := url.Parse(at)
	if q := u.Query(); err != nil || !strings.HasPrefix(at, p.URL+"/logout?") ||
		q.Get("id_token_hint") != in.Tokens.ID ||
		q.Get("state") != "s" ||
		q.Get("post_logout_redirect_uri") != "https://app.example/" {
		t.Errorf("%v %s", err, at)
	}
	for got, ok := range map[string]bool{"s": true, "x": false, "": false} {
		if all := c.LoggedOut("s", url.Values{"state": {got}}); (all.Failed() == nil) != ok {
			t.Errorf("back with state %q: %+v", got, all)
		}
	}
	if c.LoggedOut("", url.Values{}).Failed() == nil {
		t.Error("a return that nobody asked for")
	}
}

func TestALogoutTokenIsVerified(t *testing.T) {
	p := newProvider(t)
	c := p.client(nil)
	token := func(change func(map[string]any)) string {
		now := p.now().Unix()
		claims := map[string]any{
			"iss":    p.URL,
			"aud":    []string{clientID, "another"},
			"iat":    now,
			"exp":    now + 120,
			"jti":    "j",
			"sub":    "person",
			"sid":    "session",
			"events": map[string]any{logoutEvent: map[string]any{}},
		}
		if change != nil {
			change(claims)
		}
		return p.sealed(claims)
	}
	got, err := c.VerifyLogout(context.Background(), token(nil))
	if err != nil || got.ID != "j" || got.Subject != "person" || got.SID != "session" {
		t.Fatalf("%v %+v", err, got)
	}
	if _, err := c.VerifyLogout(context.Background(), token(without("sub"))); err != nil {
		t.Errorf("sid alone: %v", err)
	}
	for name, m := range map[string]struct {
		change func(map[string]any)
		check  Name
	}{
		"an id token":      {both(without("events"), set("nonce", "n")), LogoutEvent},
		"with a nonce":     {set("nonce", "n"), LogoutNoNonce},
		"of nobody":        {both(without("sub"), without("sid")), LogoutSession},
		"without an id":    {without("jti"), LogoutID},
		"another event":    {set("events", map[string]any{"x": map[string]any{}}), LogoutEvent},
		"an event of null": {set("events", map[string]any{logoutEvent: nil}), LogoutEvent},
		"another client":   {set("aud", "another"), IDTokenAudience},
		"another issuer":   {set("iss", "https://evil.example"), IDTokenIssuer},
		"expired":          {moved(map[string]int64{"exp": -61}), IDTokenExpiry},
		"an old one":       {moved(map[string]int64{"iat": -86400}), IDTokenIssued},
	} {
		got, err := c.VerifyLogout(context.Background(), token(m.change))
		if failed := got.Checks.Failed(); err == nil || failed == nil || failed.Name != m.check {
			t.Errorf("%s: %v, failed %+v", name, err, failed)
		}
	}
	p.sign = resigned
	if got, err := c.VerifyLogout(
		context.Background(),
		token(nil),
	); err == nil ||
		got.Checks.Failed().Name != IDTokenSignature {
		t.Errorf("a signature changed: %v", err)
	}
	if got, err := c.VerifyLogout(context.Background(), "x"); err == nil || got.Checks.Failed().Name != IDTokenForm {
		t.Errorf("no token: %v", err)
	}
}

func TestALoginWithoutABrowser(t *testing.T) {
	p := newProvider(t)
	c := p.client(nil)
	l := p.begin()
	l.MaxAge = 0
	asked, err := c.Ask(context.Background(), l, "899700000001", "42")
	if err != nil || asked.ID != "asked" || asked.Interval != time.Second ||
		p.form.Get("login_hint") != "899700000001" ||
		p.form.Get("binding_message") != "42" ||
		p.form.Get("acr_values") != "eidas1" {
		t.Fatalf("%v %+v, sent %v", err, asked, p.form)
	}
	p.instead["/token"] = answers(400, `{"error":"authorization_pending"}`)
	var refusal *Refusal
	if _, err := c.Poll(
		context.Background(),
		asked,
	); !errors.As(err, &refusal) ||
		refusal.Code != "authorization_pending" {
		t.Errorf("not yet: %v", err)
	}
	delete(p.instead, "/token")
	in, err := c.Poll(context.Background(), asked)
	if err != nil || in.UserInfo == nil || p.form.Get("auth_req_id") != "asked" ||
		in.Checks.Named(IDTokenNonce) != nil {
		t.Errorf("%v %+v, sent %v", err, in, p.form)
	}
	p.instead["/ciba"] = answers(200, `{}`)
	if _, err := c.Ask(context.Background(), l, "x", "42"); err == nil {
		t.Error("an answer without auth_req_id was taken")
	}
	p = newProvider(t)
	p.document = without("backchannel_authentication_endpoint")
	if _, err := p.client(nil).Ask(context.Background(), l, "x", "42"); err == nil {
		t.Error("a provider without such logins was asked")
	}
}

func TestDiscoveryIsVerifiedAndTriedAgain(t *testing.T) {
	p := newProvider(t)
	c := p.client(nil)
	p.document = set("issuer", "https://evil.example")
	if _, err := c.Metadata(context.Background()); err == nil {
		t.Error("the document of another issuer was taken")
	}
	p.document = without("token_endpoint")
	if _, err := c.Metadata(context.Background()); err == nil {
		t.Error("a document without a token endpoint was taken")
	}
	p.document = nil
	if m, err := c.Metadata(context.Background()); err != nil || m.Token != p.URL+"/token" {
		t.Errorf("once it is right: %v", err)
	}
}

func TestWhatIsSkippedIsLetPass(t *testing.T) {
	p := newProvider(t)
	p.claims = set("nonce", "another")
	in, err := p.login(p.client(func(c *Config) { c.Skip = []Name{IDTokenNonce} }))
	if err != nil || !in.Checks.Named(IDTokenNonce).OK {
		t.Error(err)
	}
	p.claims = both(set("nonce", "another"), set("azp", "another"))
	in, err = p.login(p.client(func(c *Config) { c.Skip = []Name{IDTokenNonce} }))
	refused(t, "another", in, err, IDTokenParty)
}

func TestAProviderWithoutUserInfoIsNotAsked(t *testing.T) {
	p := newProvider(t)
	p.document = without("userinfo_endpoint")
	if in, err := p.login(p.client(nil)); err != nil || in.UserInfo != nil {
		t.Error(err)
	}
}

func TestTokensThatCameOtherwiseAreVerified(t *testing.T) {
	p := newProvider(t)
	l := p.begin()
	tokens := Tokens{Access: "access", ID: p.idToken(true)}
	in, err := p.client(nil).Verify(context.Background(), l, tokens)
	if err != nil || in.Claims.Text("sub") != "person" || in.Checks.Named(IDTokenHash) == nil {
		t.Errorf("%v %+v", err, in)
	}
	l.Nonce = "another"
	in, err = p.client(nil).Verify(context.Background(), l, tokens)
	refused(t, "another nonce", in, err, IDTokenNonce)
}

func TestWithoutTheScopeOpenIDThereIsNoIDToken(t *testing.T) {
	p := newProvider(t)
	p.tokens, p.info = without("id_token"), without("sub")
	l := p.begin()
	l.Scope = "scope_all"
	in, err := p.client(nil).Finish(context.Background(), l, p.back(l, nil))
	if err != nil || in.Checks.Named(IDTokenForm) != nil || in.UserInfo == nil {
		t.Errorf("%v %+v", err, in.Checks.Failed())
	}
}

func TestTheClientPresentsTheCertificateOfTheMoment(t *testing.T) {
	seen := ""
	op := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = fmt.Sprint(len(r.TLS.PeerCertificates))
	}))
	op.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	op.StartTLS()
	defer op.Close()
	roots := op.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	own := op.TLS.Certificates[0]
	for want, certificate := range map[string]func() *tls.Certificate{
		"1": func() *tls.Certificate { return &own },
		"0": func() *tls.Certificate { return nil },
	} {
		resp, err := Transport{Roots: roots, Certificate: certificate}.Client().Get(op.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if seen != want {
			t.Errorf("%s certificates came, want %s", seen, want)
		}
	}
}

func TestALoginUnderWayServesOnceAndInItsBrowserAlone(t *testing.T) {
	now := time.Now()
	p := NewPending(time.Minute, func() time.Time { return now })
	one, two := NewLogin(redirect), NewLogin(redirect)
	p.Keep("browser", one)
	p.Keep("browser", two) // in another tab
	if _, ok := p.Take([]string{"another"}, one.State); ok {
		t.Error("another browser took it")
	}
	if _, ok := p.Take([]string{"browser"}, "another"); ok {
		t.Error("another state took it")
	}
	if got, ok := p.Take([]string{"planted", "browser"}, one.State); !ok || got != one {
		t.Error("its browser did not find it")
	}
	if _, ok := p.Take([]string{"browser"}, one.State); ok {
		t.Error("it served twice")
	}
	if !p.Began([]string{"browser"}) || p.Began([]string{"another"}) {
		t.Error("who has a login under way")
	}
	now = now.Add(2 * time.Minute)
	if _, ok := p.Take([]string{"browser"}, two.State); ok || p.Began([]string{"browser"}) {
		t.Error("it served after its end")
	}
}

func TestLoginsUnderWayAreBounded(t *testing.T) {
	now := time.Now()
	p := NewPending(time.Hour, func() time.Time { return now })
	first := NewLogin(redirect)
	p.Keep("browser", first)
	for n := range maxPending {
		now = now.Add(time.Millisecond)
		p.all.all[fmt.Sprint(n)] = kept[pending]{pending{"x", nil}, now.Add(time.Hour)}
	}
	p.Keep("browser", NewLogin(redirect))
	if _, there := p.all.all[first.State]; there || len(p.all.all) > maxPending+1 {
		t.Errorf("%d are kept", len(p.all.all))
	}
}

func TestDecodeShowsClaimsWithoutVerifying(t *testing.T) {
	c := Decode("e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"a":"b"}`)) + ".")
	if c.Text("a") != "b" || Decode("x") != nil {
		t.Error(c)
	}
	if b, err := json.Marshal(
		Check{Name: CallbackCode, OK: true},
	); err != nil ||
		!strings.Contains(string(b), `"name":"callback-code"`) {
		t.Error(string(b), err)
	}
}
