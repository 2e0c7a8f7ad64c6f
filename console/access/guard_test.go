package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/static"
)

const token = "the-token-of-the-api"

// house is a console of four rooms, one for each reach.
type house struct {
	echo *echo.Echo
	gate *Gate
	new  []string // links that took a used one's place
}

func build(link bool) *house {
	h := &house{echo: echo.New()}
	cookies := shell.Cookies{Instance: "test"}
	door := NewDoor(cookies, token, link)
	views := shell.NewViews(static.Pages(), cookies, func() bool { return false }, door.Welcome)
	h.gate = NewGate(door, views.Bare, "http://127.0.0.1:9440", func(at string) { h.new = append(h.new, at) })
	guard := NewGuard(door, h.gate, "http://127.0.0.1:9440")
	h.echo.HTTPErrorHandler = views.Error
	h.echo.Use(guard.OwnHostOnly, guard.Access)
	in := func(c echo.Context) error { return c.String(http.StatusOK, "inside") }
	for _, path := range []string{"/identities", "/healthz", "/demo", "/api/v1/identities"} {
		h.echo.GET(path, in)
		h.echo.POST(path, in)
	}
	h.echo.GET("/page", func(c echo.Context) error {
		return views.Whole.Show(c, http.StatusOK, "message", map[string]any{"Title": "Page", "Text": "", "Kind": ""})
	})
	h.gate.Register(h.echo)
	guard.Knows(h.echo.Routes())
	return h
}

// ask sends a request with these headers; a body is a form.
func (h *house) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:9440"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for n := 0; n < len(headers); n += 2 {
		if headers[n] == "Host" {
			r.Host = headers[n+1]
		} else {
			r.Header.Set(headers[n], headers[n+1])
		}
	}
	w := httptest.NewRecorder()
	h.echo.ServeHTTP(w, r)
	return w
}

// cookie is the session that an answer left, "" for none.
func cookie(w *httptest.ResponseRecorder) string {
	for _, c := range w.Result().Cookies() {
		if strings.HasPrefix(c.Name, "pscemu-console-") {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

func TestEachReachLetsInWhomItNames(t *testing.T) {
	evil := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}
	led := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	bearer := []string{"Authorization", "bearer " + token}
	page := []string{"Accept", "text/html"}
	for _, c := range []struct {
		link         bool
		method, path string
		headers      []string
		want         int
		says         string
	}{
		{true, "GET", "/healthz", evil, 200, "inside"},
		{true, "GET", "/demo", led, 200, "inside"},
		{true, "GET", "/demo", evil, 403, "origin-foreign"},
		{true, "GET", "/api/v1/identities", bearer, 200, "inside"},
		{true, "GET", "/api/v1/identities", nil, 401, "api-token-wrong"},
		{true, "GET", "/api/v1/identities", append(evil, bearer...), 403, "origin-foreign"},
		{true, "GET", "/identities", nil, 401, "console-closed"},
		{true, "GET", "/identities", page, 401, `action="/open"`},
		{true, "GET", "/identities", bearer, 200, "inside"},
		{true, "POST", "/identities", nil, 403, "console-cookie-missing"},
		{true, "GET", "/identities", evil, 403, "origin-foreign"},
		{true, "GET", "/identities", led, 403, `href="/identities"`},
		{false, "GET", "/identities", nil, 200, "inside"},
		{false, "POST", "/identities", nil, 403, "console-cookie-missing"},
		{false, "POST", "/identities", evil, 403, "origin-foreign"},
		{false, "GET", "/nowhere", nil, 404, "http-not-found"},
		{false, "PUT", "/identities", nil, 405, "http-method-not-allowed"},
		{false, "GET", "/healthz", []string{"Host", "evil.example"}, 403, "host-foreign"},
		{false, "GET", "/healthz", []string{"Host", "localhost"}, 200, "inside"},
		{false, "GET", "/healthz", []string{"Host", "[::1]:9440"}, 200, "inside"},
	} {
		w := build(c.link).ask(c.method, c.path, "", c.headers...)
		if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("link %v, %s %s %v: %d %.900s", c.link, c.method, c.path, c.headers, w.Code, w.Body)
		}
		if c.want == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s: 401 without saying what it wants", c.method, c.path)
		}
	}
}

func TestTheLinkOpensTheConsoleOnceAndLeadsOn(t *testing.T) {
	h := build(true)
	link := strings.TrimPrefix(h.gate.OpenURL(), "http://127.0.0.1:9440")
	if w := h.ask("GET", link, "", "Purpose", "prefetch"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a prefetch uses it up: %d", w.Code)
	}
	w := h.ask("GET", link+"&to="+url.QueryEscape("/identities?q=a"), "")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/identities?q=a" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	session := cookie(w)
	if w := h.ask("GET", "/identities", "", "Cookie", session); w.Code != http.StatusOK {
		t.Errorf("the session: %d", w.Code)
	}
	if w := h.ask("POST", "/identities", "", "Cookie", session); w.Code != http.StatusOK {
		t.Errorf("its form: %d", w.Code)
	}
	if len(h.new) != 1 || h.new[0] != h.gate.OpenURL() {
		t.Errorf("the next link was told as %v", h.new)
	}
	if w := h.ask("GET", link, ""); w.Code != http.StatusForbidden || cookie(w) != "" {
		t.Errorf("it opens again: %d", w.Code)
	}
	if w := h.ask("GET", link, "", "Cookie", session); w.Code != http.StatusSeeOther {
		t.Errorf("who is in already: %d", w.Code)
	}
	if w := h.ask("GET", "/open", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `name="token"`) {
		t.Errorf("the page for the token: %d", w.Code)
	}
}

func TestTheTokenOpensTheConsoleUntilTooManyWrongOnesCame(t *testing.T) {
	h := build(true)
	w := h.ask("POST", "/open", url.Values{"token": {" " + token + " "}, "to": {"logins"}}.Encode())
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/logins" || cookie(w) == "" {
		t.Errorf("the right one: %d to %q", w.Code, w.Header().Get("Location"))
	}
	for range maxTries {
		if w := h.ask("POST", "/open", "token=wrong"); w.Code != http.StatusForbidden || cookie(w) != "" {
			t.Fatalf("a wrong one: %d", w.Code)
		}
	}
	if w := h.ask("POST", "/open", "token="+token); w.Code != http.StatusTooManyRequests ||
		w.Header().Get("Retry-After") == "" {
		t.Errorf("after too many: %d", w.Code)
	}
}

func TestAnOpenConsoleGivesItsSessionWithAPageButNotToAnotherSitesVisitor(t *testing.T) {
	h := build(false)
	if cookie(h.ask("GET", "/page", "")) == "" {
		t.Error("no session")
	}
	w := h.ask(
		"GET",
		"/page",
		"",
		"Sec-Fetch-Site",
		"cross-site",
		"Sec-Fetch-Mode",
		"navigate",
		"Sec-Fetch-Dest",
		"document",
	)
	if w.Code != http.StatusForbidden || cookie(w) != "" {
		t.Errorf("another site's visitor: %d %q", w.Code, cookie(w))
	}
	if cookie(build(true).ask("GET", "/page", "", "Authorization", "Bearer "+token)) != "" {
		t.Error("a program with the token has a session")
	}
}

func TestWhoSeesWhatIsOfALogin(t *testing.T) {
	for _, c := range []struct {
		link   bool
		header []string
		want   bool
	}{
		{false, nil, true}, {true, nil, false}, {true, []string{"Authorization", "Bearer " + token}, true},
		{true, []string{"Authorization", "Basic " + token}, false}, {false, []string{"Sec-Fetch-Site", "same-site"}, false},
	} {
		door := NewDoor(shell.Cookies{Instance: "test"}, token, c.link)
		r := httptest.NewRequest("GET", "http://127.0.0.1:9440/why/x?login=y", nil)
		for n := 0; n < len(c.header); n += 2 {
			r.Header.Set(c.header[n], c.header[n+1])
		}
		if got := door.Sees(echo.New().NewContext(r, httptest.NewRecorder())); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
