package testkit

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Backchannel starts a CIBA login as a plain form, over mTLS.
func (s *Server) Backchannel(more url.Values) (int, map[string]any) {
	s.T.Helper()
	form := url.Values{
		"client_id":       {"demo"},
		"scope":           {"openid scope_all"},
		"login_hint":      {Asked},
		"acr_values":      {"eidas1"},
		"binding_message": {"Ordonnance 42"},
		"channel":         {"MOBILE"},
	}
	for k, v := range more {
		form[k] = v
	}
	return s.Post("ext/ciba/auth", form)
}

// Poll asks for the tokens of a CIBA login.
func (s *Server) Poll(id any) map[string]any {
	s.T.Helper()
	text, _ := id.(string)
	_, a := s.Post(
		"token",
		url.Values{"grant_type": {"urn:openid:params:grant-type:ciba"}, "client_id": {"demo"}, "auth_req_id": {text}},
	)
	return a
}

// Waiting are the requests that wait for the person who is asked.
func (s *Server) Waiting(path string) []struct{ ID, State, Client, Message string } {
	var list struct {
		Items []struct{ ID, State, Client, Message string }
	}
	s.API("GET", path+"?national_id="+Asked, "", &list)
	return list.Items
}

// Post sends a form to an endpoint of the realm with the demo certificate.
func (s *Server) Post(endpoint string, form url.Values) (int, map[string]any) {
	s.T.Helper()
	resp, err := s.HTTP(s.DemoCertificate()).PostForm(s.Issuer+"/protocol/openid-connect/"+endpoint, form)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	b, _ := io.ReadAll(resp.Body)
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out); err != nil {
			s.T.Fatalf("%s: %v in %s", endpoint, err, b)
		}
	}
	return resp.StatusCode, out
}

// Introspect is what the emulator says of a token.
func (s *Server) Introspect(token string) map[string]any {
	_, a := s.Post("token/introspect", url.Values{"token": {token}, "client_id": {"demo"}})
	return a
}

// JWTParts are the header and the payload of a signed token.
func JWTParts(t testing.TB, token string) (header, payload string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWS: %q", token)
	}
	h, _ := base64.RawURLEncoding.DecodeString(parts[0])
	p, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return string(h), string(p)
}

// Register replaces a client's registration.
func (s *Server) Register(id string, more map[string]any) {
	s.T.Helper()
	c := map[string]any{"client_id": id, "redirect_uris": []string{"https://app.example/cb?x=1"}}
	for k, v := range more {
		c[k] = v
	}
	body, _ := json.Marshal(c)
	var answer map[string]any
	if status := s.API("PUT", "/clients/"+id, string(body), &answer); status != 200 {
		s.T.Fatalf("registration of %s: %d %v", id, status, answer)
	}
}

// Realm calls an endpoint of the realm with a form, or with a bearer token, as
// many may do at once.
func (s *Server) Realm(
	cert *tls.Certificate,
	method, path string,
	form url.Values,
	bearer string,
) (int, map[string]any, error) {
	s.T.Helper()
	req, err := http.NewRequest(method, s.Issuer+"/protocol/openid-connect"+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.T.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := s.HTTP(cert).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	out := map[string]any{}
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	return resp.StatusCode, out, err
}
