package sessions_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/testkit"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/sessions"
)

func TestABrowserLeavesThroughTheFramesOfClients(t *testing.T) {
	pages := web.NewPages(fstest.MapFS{
		"templates/layout.html":           {Data: []byte(`{{block "main" .}}{{end}}`)},
		"templates/message.html":          {Data: []byte(`{{define "main"}}{{.Text}}{{end}}`)},
		"templates/provider/leaving.html": {Data: []byte(`{{define "main"}}{{range .Frames}}{{.}} {{end}}{{end}}`)},
		"messages/fr.json":                {Data: []byte(`{}`)},
		"messages/en.json":                {Data: []byte(`{}`)},
	})
	view := &web.View{Pages: pages, Strict: func() bool { return false },
		Lang: func(echo.Context) string { return web.French }}
	for _, c := range []struct {
		method, target string
		frames         []string
		status         int
		to, csp, text  string
	}{
		{"GET", "", nil, 200, "", "", "session Pro Santé Connect est terminée"},
		{"GET", "https://app/bye", nil, 302, "https://app/bye", "", ""},
		{"POST", "https://app/bye", nil, 303, "https://app/bye", "", ""},
		{"GET", "https://app/bye", []string{"https://b/out?sid=1", "https://a/out", "https://b/2", "https://x;script-src *"},
			200, "", "frame-src https://a https://b", "https://b/out?sid=1"},
	} {
		w := httptest.NewRecorder()
		ctx := echo.New().NewContext(httptest.NewRequest(c.method, "/logout", nil), w)
		if err := sessions.Leave(ctx, view, c.frames, c.target); err != nil {
			t.Fatal(err)
		}
		csp := w.Header().Get("Content-Security-Policy")
		if w.Code != c.status || w.Header().Get("Location") != c.to || !strings.HasSuffix(csp, c.csp) ||
			!strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%+v: %d %v %s", c, w.Code, w.Header(), w.Body)
		}
	}
}

// claims are those of a logout token.
func claims(t *testing.T, body string) (out map[string]any) {
	t.Helper()
	form, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(form.Get("logout_token"), ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %s", body)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// OIDC Back-Channel Logout 1.0 §2.4.
func TestClientsServersAreToldOfTheEndOfASessionOnce(t *testing.T) {
	t.Parallel()
	s, server := testkit.Start(t), testkit.Listen(t, 0)
	s.RegisterDemo(`"backchannel_logout_uri":"` + server.URL + `"`)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	tokens := rp.Tokens(testkit.Nurse, "")
	id, _ := tokens.Extra("id_token").(string)
	for range 2 {
		if err := s.LogOut(id); err != nil {
			t.Fatal(err)
		}
	}
	c := claims(t, server.Next(t))
	sub, _ := c["sub"].(string)
	events, _ := c["events"].(map[string]any)
	if c["iss"] != s.Issuer || c["aud"] != "demo" || !strings.HasSuffix(sub, testkit.Nurse) || c["sid"] == "" ||
		c["nonce"] != nil || events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("%v", c)
	}
	s.Delivered(1)
	if status := s.BearerStatus(tokens.AccessToken); status != http.StatusUnauthorized {
		t.Errorf("the token of an ended session: %d", status)
	}
}

func TestTheSessionsOfOnePersonEndAndNotAnothers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	var own []string
	for range 3 {
		own = append(own, rp.Tokens(testkit.Nurse, "").AccessToken)
	}
	other := rp.Tokens(testkit.Doctor, "").AccessToken
	browser := s.Browser()
	resp, err := browser.Get(s.BaseURL + "/wallet/start/sessions")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	page, _, _ := strings.Cut(resp.Request.URL.String(), "?")
	for _, at := range []string{page + "/ecps", s.BaseURL + "/wallet/sessions"} {
		if resp, err = browser.PostForm(at, url.Values{"login": {testkit.Nurse}}); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, token := range own {
		if status := s.BearerStatus(token); status != http.StatusUnauthorized {
			t.Errorf("a token of the person: %d", status)
		}
	}
	if status := s.BearerStatus(other); status != http.StatusOK {
		t.Errorf("another person's token: %d", status)
	}
}
