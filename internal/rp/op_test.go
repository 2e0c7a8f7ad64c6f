package rp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID = "client"
	redirect = "https://app.example/callback"
)

// newKey makes a key, each once a process: they are dear.
func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

var keyOne, keyTwo = sync.OnceValue(newKey), sync.OnceValue(newKey)

// provider is a small OpenID provider, whose answers a test changes.
type provider struct {
	*httptest.Server
	t     *testing.T
	clock atomic.Int64 // seconds that it is ahead

	kid     string
	key     *rsa.PrivateKey
	fetched atomic.Int64 // times its keys were

	nonce    string
	claims   func(map[string]any)               // changes the id token's
	sign     func(good string, c []byte) string // signs it otherwise
	tokens   func(map[string]any)               // changes the token answer
	info     func(map[string]any)               // changes UserInfo
	instead  map[string]http.HandlerFunc        // answers at a path
	form     url.Values                         // of the last token call
	document func(map[string]any)
}

func newProvider(t *testing.T) *provider {
	p := &provider{t: t, kid: "one", key: keyOne(), instead: map[string]http.HandlerFunc{}}
	mux := http.NewServeMux()
	for path, serve := range map[string]http.HandlerFunc{
		"/.well-known/openid-configuration": p.discovery,
		"/certs":                            p.certs,
		"/token":                            p.token,
		"/userinfo":                         p.userInfo,
		"/ciba":                             p.ciba,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if other := p.instead[path]; other != nil {
				other(w, r)
				return
			}
			serve(w, r)
		})
	}
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) now() time.Time {
	return time.Now().Add(time.Duration(p.clock.Load()) * time.Second)
}

func (p *provider) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	d := map[string]any{
		"issuer":                              p.URL,
		"authorization_endpoint":              p.URL + "/auth",
		"token_endpoint":                      p.URL + "/token",
		"userinfo_endpoint":                   p.URL + "/userinfo",
		"jwks_uri":                            p.URL + "/certs",
		"end_session_endpoint":                p.URL + "/logout",
		"backchannel_authentication_endpoint": p.URL + "/ciba",
		"authorization_response_iss_parameter_supported": true,
	}
	if p.document != nil {
		p.document(d)
	}
	p.answer(w, d)
}

func (p *provider) certs(w http.ResponseWriter, _ *http.Request) {
	p.fetched.Add(1)
	p.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.kid, Use: "sig"}}})
}

// signed makes a JWT.
func (p *provider) signed(key any, kid string, alg jose.SignatureAlgorithm, payload []byte) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		nil,
	)
	if err != nil {
		p.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return raw
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.t.Error(err)
	}
	p.form = r.PostForm
	answer := map[string]any{
		"access_token": "access", "token_type": "Bearer", "refresh_token": "refresh-2", "expires_in": 120,
		"id_token": p.idToken(r.PostFormValue("grant_type") == "authorization_code"),
	}
	if p.tokens != nil {
		p.tokens(answer)
	}
	p.answer(w, answer)
}

// idToken is the one of the next answer.
func (p *provider) idToken(nonce bool) string {
	now := p.now().Unix()
	c := map[string]any{
		"iss": p.URL, "aud": clientID, "azp": clientID, "sub": "person", "exp": now + 120, "iat": now,
		"auth_time": now - 10, "acr": "eidas1", "at_hash": accessHash("RS256", "access"),
	}
	if nonce {
		c["nonce"] = p.nonce
	}
	if p.claims != nil {
		p.claims(c)
	}
	return p.sealed(c)
}

func (p *provider) sealed(c map[string]any) string {
	payload, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	good := p.signed(p.key, p.kid, jose.RS256, payload)
	if p.sign != nil {
		return p.sign(good, payload)
	}
	return good
}

func (p *provider) userInfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer access" {
		http.Error(w, "{}", http.StatusUnauthorized)
		return
	}
	answer := map[string]any{
		"sub": "person", "SubjectNameID": "899700000001", "family_name": "DOE", "given_name": "Jane",
		"SubjectRole": []string{"10^1.2"}, "SubjectRefPro": map[string]any{},
	}
	if p.info != nil {
		p.info(answer)
	}
	p.answer(w, answer)
}

func (p *provider) ciba(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.t.Error(err)
	}
	p.form = r.PostForm
	p.answer(w, map[string]any{"auth_req_id": "asked", "expires_in": 120, "interval": 1})
}

// client is a relying party of the provider.
func (p *provider) client(change func(*Config)) *Client {
	c := Config{
		Issuer:   p.URL,
		ClientID: clientID,
		Secret:   func() string { return "secret" },
		HTTP:     p.Client(),
		Now:      p.now,
		Claims:   Person,
	}
	if change != nil {
		change(&c)
	}
	return New(c)
}

// begin makes a login, which the provider knows.
func (p *provider) begin() *Login {
	l := NewLogin(redirect)
	l.MaxAge = 3600
	p.nonce = l.Nonce
	return l
}

// back is the callback of a login, changed.
func (p *provider) back(l *Login, change url.Values) url.Values {
	q := url.Values{"state": {l.State}, "code": {"the-code"}, "iss": {p.URL}}
	maps.Copy(q, change)
	for name, values := range q {
		if values == nil {
			q.Del(name)
		}
	}
	return q
}

// login is a whole login at a client.
func (p *provider) login(c *Client) (*Session, error) {
	l := p.begin()
	return c.Finish(context.Background(), l, p.back(l, nil))
}

// resigned replaces the signature's first byte.
func resigned(good string, _ []byte) string {
	n := strings.LastIndexByte(good, '.') + 1
	first := "A"
	if good[n] == 'A' {
		first = "B"
	}
	return good[:n] + first + good[n+1:]
}
