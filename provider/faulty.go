package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// endpoints names the places that HTTP faults strike, by the end of the path.
var endpoints = []struct {
	ending string
	at     faults.Endpoint
}{
	{"openid-configuration", faults.AtDiscovery},
	{"/certs", faults.AtJWKS},
	{"/ext/ciba/auth", faults.AtCIBA},
	{"/ext/par/request", faults.AtPAR},
	{"/auth", faults.AtAuthorize},
	{"/token/introspect", faults.AtIntrospection},
	{"/token", faults.AtToken},
	{"/userinfo", faults.AtUserInfo},
	{"/revoke", faults.AtRevocation},
	{"/logout", faults.AtLogout},
}

// faulty makes answers late, failing or cut where a fault asks for that. When
// nothing was, it costs nothing.
func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint := faults.Endpoint("")
		if s.faults.Active() {
			for _, e := range endpoints {
				if endpoint == "" && strings.HasSuffix(r.URL.Path, e.ending) {
					endpoint = e.at
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
			map[string]string{"fault": string(fault.Kind), "endpoint": string(endpoint), "client_id": client},
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
	case faults.KindSlow:
		select {
		case <-time.After(f.Late()):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		case <-s.closing:
		}
	case faults.KindStatus:
		http.Error(w, "fault of the emulator: status", f.HTTPStatus())
	case faults.KindMalformed:
		b := &buffered{ResponseWriter: w}
		next.ServeHTTP(b, r)
		b.send(append(b.body[:len(b.body)/2], `"<<>>{`...))
	case faults.KindCut:
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

// callbackLoses tells which parameter a callback fault leaves out.
var callbackLoses = map[faults.Kind][]string{
	faults.KindStateMissing:        {"state"},
	faults.KindIssMissing:          {"iss"},
	faults.KindCodeMissing:         {"code"},
	faults.KindCallbackError:       {"code"},
	faults.KindCallbackServerError: {"code"},
}

// callbackWrong tells which parameter a callback fault replaces.
var callbackWrong = map[faults.Kind][2]string{
	faults.KindStateWrong: {"state", "not-the-state-that-was-sent"},
	faults.KindIssWrong:   {"iss", "https://evil.example/auth/realms/esante-wallet"},
	faults.KindCodeWrong:  {"code", "00000000-0000-4000-8000-000000000000.never.issued"},
}

// faultyCallback changes the callback's parameters where a fault wants that.
func (s *Server) faultyCallback(ctx context.Context, params pairs, who oidc.Authentication, clientID string) pairs {
	fault, ok := s.faults.Take(faults.Callback, "", clientID, who.Person.NationalID)
	if !ok {
		return params
	}
	s.struck(ctx, who.LoginID, fault)
	out := pairs{}
	for _, kv := range params {
		if slices.Contains(callbackLoses[fault.Kind], kv[0]) {
			continue
		}
		if wrong, ok := callbackWrong[fault.Kind]; ok && wrong[0] == kv[0] {
			kv = wrong
		}
		out = append(out, kv)
	}
	switch fault.Kind {
	case faults.KindCallbackError:
		out = append(pairs{{"error", "access_denied"}, {"error_description", "fault of the emulator"}}, out...)
	case faults.KindCallbackServerError:
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
	s.journal.Add(ctx, loginID, journal.KindFault, map[string]string{"fault": string(f.Kind)}, nil)
}

// faultyResponse changes the token response.
func (s *Server) faultyResponse(ctx context.Context, t *oidc.TokenResponse, session *oidc.Session) (any, error) {
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
	if fault.Kind == faults.KindResponseMembersUnknown {
		members["x_unknown"], members["nested"] = "value", map[string]any{"a": []int{1, 2}}
	}
	delete(members, strings.ReplaceAll(strings.TrimSuffix(string(fault.Kind), "-missing"), "-", "_"))
	return members, nil
}

// faultyInfo changes UserInfo.
func (s *Server) faultyInfo(ctx context.Context, claims []byte, session *oidc.Session) ([]byte, error) {
	fault, ok := s.faults.Take(faults.UserInfo, "", session.ClientID, session.NationalID)
	if !ok {
		return claims, nil
	}
	s.struck(ctx, session.LoginID, fault)
	c := map[string]any{}
	if err := json.Unmarshal(claims, &c); err != nil {
		return nil, err
	}
	infoFaults[fault.Kind](c)
	return json.Marshal(c)
}

func names(c map[string]any, given, family string) {
	c["given_name"], c["family_name"] = given, family
	if _, ok := c["name"]; ok {
		c["name"] = given + " " + family
	}
}

// infoFaults tells what each UserInfo fault does.
var infoFaults = map[faults.Kind]func(map[string]any){
	faults.KindOtherPerson: func(c map[string]any) {
		c["sub"], c["SubjectNameID"], c["preferred_username"] = "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:ANS20990000000000", "990000000000", "990000000000"
		names(c, "AUTRE", "PERSONNE")
	},
	faults.KindSubMissingInUserinfo: func(c map[string]any) { delete(c, "sub") },
	faults.KindClaimsMissing: func(c map[string]any) {
		for _, name := range []string{"SubjectNameID", "SubjectRole", "SubjectRefPro", "SubjectOrganization"} {
			delete(c, name)
		}
	},
	faults.KindTypesWrong: func(c map[string]any) {
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
	faults.KindClaimsHTML: func(c map[string]any) {
		names(c, `<img src=x onerror="document.title='pscemu-xss'">`, `<b>pscemu-xss</b>`)
	},
	faults.KindClaimsLong:    func(c map[string]any) { names(c, strings.Repeat("JEAN", 1000), strings.Repeat("LONG", 1000)) },
	faults.KindClaimsUnicode: func(c map[string]any) { names(c, "Zoë 👩‍⚕️ שלום", "D’ÂME-ŒUVRE O'BRIEN \u202eabc") },
}
