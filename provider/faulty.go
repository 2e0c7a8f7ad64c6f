package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// endpoints names the places that HTTP faults strike, by the end of the path.
var endpoints = []struct{ ending, name string }{
	{
		"openid-configuration",
		"discovery",
	},
	{"/certs", "jwks"},
	{"/ext/ciba/auth", "ciba"},
	{"/ext/par/request", "par"},
	{"/auth", "authorize"},
	{"/token/introspect", "introspection"},
	{"/token", "token"},
	{"/userinfo", "userinfo"},
	{"/revoke", "revocation"},
	{"/logout", "logout"},
}

// faulty makes answers late, failing or broken where that was ordered. When
// nothing was, it costs nothing.
func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint := ""
		if s.faults.Active() {
			for _, e := range endpoints {
				if endpoint == "" && strings.HasSuffix(r.URL.Path, e.ending) {
					endpoint = e.name
				}
			}
		}
		if endpoint == "" {
			next.ServeHTTP(w, r)
			return
		}
		client, identity := s.whose(r)
		fault, ok := s.faults.Take(faults.HTTP, endpoint, client, identity)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		s.journal.Add(
			r.Context(),
			s.oidc.LoginOf(r),
			journal.KindFault,
			map[string]string{"fault": fault.Kind, "endpoint": endpoint, "client_id": client},
			nil,
		)
		s.strike(fault, w, r, next)
	})
}

// whose request is it, and about whom, as far as can be told beforehand.
func (s *Server) whose(r *http.Request) (client, identity string) {
	_ = r.ParseForm() // what cannot be read is judged later
	client, _, _ = r.BasicAuth()
	if id := r.Form.Get("client_id"); id != "" {
		client = id
	}
	if session := s.oidc.SessionOf(r); session != nil {
		client, identity = session.ClientID, session.NationalID
	}
	return client, identity
}

func (s *Server) strike(f faults.Fault, w http.ResponseWriter, r *http.Request, next http.Handler) {
	switch f.Kind {
	case "slow":
		select {
		case <-time.After(f.Late()):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		case <-s.closing:
		}
	case "status":
		http.Error(w, "fault of the emulator: status", f.HTTPStatus())
	case "malformed":
		b := &buffered{ResponseWriter: w}
		next.ServeHTTP(b, r)
		b.send(append(b.body[:len(b.body)/2], `"<<>>{`...))
	case "cut":
		b := &buffered{ResponseWriter: w}
		next.ServeHTTP(b, r)
		w.Header().Set("Content-Length", itoa(len(b.body)+64))
		b.send(b.body[:len(b.body)/2])
		panic(http.ErrAbortHandler)
	}
}

// buffered holds an answer back.
type buffered struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (b *buffered) WriteHeader(status int) { b.status = status }

func (b *buffered) Write(p []byte) (int, error) {
	b.body = append(b.body, p...)
	return len(p), nil
}

func (b *buffered) send(body []byte) {
	if b.status != 0 {
		b.ResponseWriter.WriteHeader(b.status)
	}
	_, _ = b.ResponseWriter.Write(body)
	if f, ok := b.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// spoiledCallback changes the callback's parameters where a fault wants that.
func (s *Server) spoiledCallback(ctx context.Context, params pairs, who oidc.Authentication, clientID string) pairs {
	fault, ok := s.faults.Take(faults.Callback, "", clientID, who.Person.NationalID)
	if !ok {
		return params
	}
	s.struck(ctx, who.LoginID, fault)
	out := pairs{}
	for _, kv := range params {
		switch {
		case fault.Kind == kv[0]+"-missing", strings.HasPrefix(fault.Kind, "callback-") && kv[0] == "code":
			continue
		case fault.Kind == kv[0]+"-wrong":
			kv[1] = map[string]string{"state": "not-the-state-that-was-sent", "iss": "https://evil.example/auth/realms/esante-wallet", "code": "00000000-0000-4000-8000-000000000000.never.issued"}[kv[0]]
		}
		out = append(out, kv)
	}
	switch fault.Kind {
	case "callback-error":
		out = append(pairs{{"error", "access_denied"}, {"error_description", "fault of the emulator"}}, out...)
	case "callback-server-error":
		out = append(
			pairs{
				{"error", "server_error"},
				{"error_description", `<img src=x onerror='document.title=/pscemu-xss/.source'><b>pscemu-xss</b>`},
			},
			out...)
	}
	return out
}

// struck notes a fault in the login's story.
func (s *Server) struck(ctx context.Context, loginID string, f faults.Fault) {
	s.journal.Add(ctx, loginID, journal.KindFault, map[string]string{"fault": f.Kind}, nil)
}

// spoiledResponse changes the token response.
func (s *Server) spoiledResponse(ctx context.Context, t *oidc.TokenResponse, session *oidc.Session) (any, error) {
	fault, ok := s.faults.Take(faults.TokenResponse, "", session.ClientID, session.NationalID)
	if !ok {
		return t, nil
	}
	s.struck(ctx, session.LoginID, fault)
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	members := map[string]any{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if fault.Kind == "response-members-unknown" {
		members["x_unknown"], members["nested"] = "value", map[string]any{"a": []int{1, 2}}
	}
	delete(members, strings.ReplaceAll(strings.TrimSuffix(fault.Kind, "-missing"), "-", "_"))
	return members, nil
}

// spoiledInfo changes UserInfo.
func (s *Server) spoiledInfo(ctx context.Context, claims []byte, session *oidc.Session) ([]byte, error) {
	fault, ok := s.faults.Take(faults.UserInfo, "", session.ClientID, session.NationalID)
	if !ok {
		return claims, nil
	}
	s.struck(ctx, session.LoginID, fault)
	c := map[string]any{}
	if err := json.Unmarshal(claims, &c); err != nil {
		return nil, err
	}
	spoil[fault.Kind](c)
	return json.Marshal(c)
}

func names(c map[string]any, given, family string) {
	c["given_name"], c["family_name"] = given, family
	if _, ok := c["name"]; ok {
		c["name"] = given + " " + family
	}
}

// spoil tells what each UserInfo fault does.
var spoil = map[string]func(map[string]any){
	"other-person": func(c map[string]any) {
		c["sub"], c["SubjectNameID"], c["preferred_username"] = "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:ANS20990000000000", "990000000000", "990000000000"
		names(c, "AUTRE", "PERSONNE")
	},
	"sub-missing-in-userinfo": func(c map[string]any) { delete(c, "sub") },
	"claims-missing": func(c map[string]any) {
		for _, name := range []string{"SubjectNameID", "SubjectRole", "SubjectRefPro", "SubjectOrganization"} {
			delete(c, name)
		}
	},
	"types-wrong": func(c map[string]any) {
		for name, v := range c {
			switch v.(type) {
			case []any:
				c[name] = "a string"
			case map[string]any:
				c[name] = nil
			case string:
				if name != "sub" {
					c[name] = 42
				}
			}
		}
	},
	"claims-html": func(c map[string]any) {
		names(c, `<img src=x onerror="document.title='pscemu-xss'">`, `<b>pscemu-xss</b>`)
	},
	"claims-long":    func(c map[string]any) { names(c, strings.Repeat("JEAN", 1000), strings.Repeat("LONG", 1000)) },
	"claims-unicode": func(c map[string]any) { names(c, "Zoë 👩‍⚕️ שלום", "D’ÂME-ŒUVRE O'BRIEN \u202eabc") },
}
