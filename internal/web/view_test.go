package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// messagePage is a file system with one page.
func messagePage() *Pages {
	return NewPages(fstest.MapFS{
		"templates/layout.html": {Data: []byte(`{{.Lang}} {{block "main" .}}{{end}}`)},
		"templates/message.html": {
			Data: []byte(`{{define "main"}}{{t .Text}} {{with .Problem}}{{.Code}} {{.Link}}{{end}}{{end}}`),
		},
		"messages/fr.json": {Data: []byte(`{}`)},
		"messages/en.json": {Data: []byte(`{"Refusé":"Refused"}`)},
	})
}

func visit(e *echo.Echo, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for n := 0; n < len(headers); n += 2 {
		r.Header.Add(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestARefusalIsExplainedInTheReadersLanguageUnlessStrict(t *testing.T) {
	strict := false
	choice := &Choice{
		Kept: func(c echo.Context) []string { return []string{c.Request().Header.Get("Cookie")} },
		Keep: func(c echo.Context, lang string) { c.Response().Header().Set("Set-Cookie", lang) },
	}
	v := &View{Pages: messagePage(), Strict: func() bool { return strict }, Lang: choice.Lang,
		Why: func(echo.Context, error) string { return "/why" }}
	e := echo.New()
	e.GET("/", func(c echo.Context) error {
		return v.Refuse(c, http.StatusTeapot, "Refusé", problem.NobodyChosen.Of())
	})
	for _, c := range []struct {
		target, kept, want, keeps string
		strict                    bool
	}{
		{"/", "", "fr Refusé nobody-chosen /why", "", false},
		{"/", "xx", "fr Refusé nobody-chosen /why", "", false},
		{"/", "en", "en Refused nobody-chosen /why", "", false},
		{"/?lang=en", "fr", "en Refused nobody-chosen /why", "en", false},
		{"/?lang=de", "en", "en Refused nobody-chosen /why", "", false},
		{"/", "en", "en Refused", "", true},
	} {
		strict = c.strict
		w := visit(e, http.MethodGet, c.target, "Cookie", c.kept)
		if got := strings.TrimSpace(w.Body.String()); got != c.want || w.Code != http.StatusTeapot {
			t.Errorf("%+v: %d %q", c, w.Code, got)
		}
		if got := w.Header().Get("Set-Cookie"); got != c.keeps {
			t.Errorf("%+v keeps %q", c, got)
		}
	}
}

func TestAFieldIsTrimmedAndBounded(t *testing.T) {
	for _, c := range [][2]string{
		{" 899700000001 ", ""},
		{strings.Repeat("x", MostField+1), "field-too-long"},
		{strings.Repeat(" ", MostField+10), ""},
	} {
		value, code := c[0], c[1]
		r := httptest.NewRequest(http.MethodGet, "/?"+url.Values{"login": {value}}.Encode(), nil)
		got, err := Field(echo.New().NewContext(r, httptest.NewRecorder()), "login")
		if code == "" && (err != nil || got != strings.TrimSpace(value)) || code != "" && !problem.Is(err, code) {
			t.Errorf("%.20q: %q, %v", value, got, err)
		}
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	for _, c := range []struct {
		method string
		header []string
		own    bool
	}{
		{http.MethodGet, []string{"Origin", "https://evil.example"}, true},
		{http.MethodPost, nil, true},
		{http.MethodPost, []string{"Origin", "https://example.com"}, true},
		{http.MethodPost, []string{"Origin", "https://example.com:444"}, false},
		{http.MethodPost, []string{"Origin", "http://example.com"}, false},
		{http.MethodPost, []string{"Origin", "null"}, false},
		{http.MethodPost, []string{"Sec-Fetch-Site", "same-site"}, false},
		{http.MethodPost, []string{"Sec-Fetch-Site", "same-origin"}, true},
	} {
		r := httptest.NewRequest(c.method, "https://example.com/form", nil)
		for n := 0; n < len(c.header); n += 2 {
			r.Header.Set(c.header[n], c.header[n+1])
		}
		if err := OwnForm(r); c.own != (err == nil) || err != nil && !problem.Is(err, "origin-other") {
			t.Errorf("%s %v: %v", c.method, c.header, err)
		}
	}
}

// greeter answers two addresses.
type greeter struct{}

func (greeter) Register(e *echo.Echo) {
	e.POST("/b", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.GET("/a/:id", func(c echo.Context) error { return c.String(http.StatusOK, Param(c, "id")) })
}

func TestTheTableOfRoutesNamesWhoAnswers(t *testing.T) {
	e := echo.New()
	e.GET("/before", func(c echo.Context) error { return nil })
	want := []Route{
		{"GET", "/a/:id", "console", "internal/web", "greeter"},
		{"POST", "/b", "console", "internal/web", "greeter"},
	}
	if got := Mount(e, "console", greeter{}); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got := visit(e, http.MethodGet, "/a/x%2Fy").Body.String(); got != "x/y" {
		t.Errorf("the segment is %q", got)
	}
}

// word is one of the types that our words have.
type word string

func TestTemplatesTakeWordsOfAnyTypeAndNothingElse(t *testing.T) {
	page := func(body string) *Pages {
		return NewPages(fstest.MapFS{
			"templates/layout.html": {Data: []byte(`{{block "main" .}}{{end}}`)},
			"templates/p.html":      {Data: []byte(`{{define "main"}}` + body + `{{end}}`)},
			"messages/fr.json":      {Data: []byte(`{}`)},
			"messages/en.json":      {Data: []byte(`{"carte":"card"}`)},
		})
	}
	data := map[string]any{"Lang": English, "Word": word("carte"), "N": 3,
		"Choices": []struct{ Code, Label string }{{"carte", "Carte"}}}
	for body, want := range map[string]string{
		`{{t .Word}} {{t "carte"}} {{path .Word}}`:                          "card card carte",
		`{{with select "c" .Word .Choices}}{{.Value}} {{.Unlisted}}{{end}}`: "carte false",
		`{{t .N}}`:       "",
		`{{t .Missing}}`: "",
	} {
		got, err := page(body).Render(t.Context(), "p", data)
		if (err != nil) != (want == "") || string(got) != want {
			t.Errorf("%s: %q %v", body, got, err)
		}
	}
}
