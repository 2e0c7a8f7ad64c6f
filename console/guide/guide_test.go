package guide_test

import (
	"html/template"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/guide"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/pscemutest"
)

var two = fstest.MapFS{
	"guide/en/README.md": {Data: []byte("# Guides\n\n" +
		"[People](people.md), [magic](people.md#magic-ones), [fr](../fr/README.md)\n")},
	"guide/en/people.md": {Data: []byte("# `People` here\n\n## Magic ones\n\n" +
		"[up](#magic-ones) [all](README.md) [how](../../performance.md) [sure](../../fidelity.md#a) " +
		"[policy](../../../SECURITY.md) [out](https://example.org/a.md)\n\n<script>alert(1)</script>\n\n" +
		"| a | b |\n|---|:-:|\n| 1 | 2 |\n")},
	"guide/fr/README.md": {Data: []byte("# Les guides\n")},
}

// shown asks a handler on its own, whose page is the guide's body alone.
func shown(t *testing.T, lang, path string) (status int, title, body string) {
	t.Helper()
	e := echo.New()
	page := func(c echo.Context, status int, _ string, data map[string]any) error {
		title = data["Title"].(string)
		return c.HTML(status, string(data["Body"].(template.HTML)))
	}
	guide.New(two, page, func(echo.Context) string { return lang }).Register(e)
	w := httptest.NewRecorder()
	web.Under("/s/one", e).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/s/one"+path, nil))
	return w.Code, title, w.Body.String()
}

func TestLinksLeadToWhereTheirTargetIsShown(t *testing.T) {
	_, title, body := shown(t, "en", "/guide/people")
	if title != "People here" {
		t.Errorf("title %q", title)
	}
	for _, want := range []string{
		`<h2 id="magic-ones">`,
		`<a href="#magic-ones">up</a>`,
		`<a href="/s/one/guide">all</a>`,
		`<a href="/s/one/fidelity#a">sure</a>`,
		`how (docs/performance.md)`,
		`policy (SECURITY.md)`,
		`<a href="https://example.org/a.md">out</a>`,
		`<td>2</td>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	_, _, body = shown(t, "en", "/guide")
	for _, want := range []string{`"/s/one/guide/people#magic-ones"`, `"/s/one/guide?lang=fr"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestHTMLWithinAGuideIsLeftOut(t *testing.T) {
	if _, _, body := shown(t, "en", "/guide/people"); strings.Contains(body, "script") {
		t.Error(body)
	}
}

func TestAGuideThatIsNotThereIsNotFound(t *testing.T) {
	for _, path := range []string{"/guide/none", "/guide/..%2Fen%2Fpeople", "/guide/%2e%2e", "/guide/a%00"} {
		if status, _, _ := shown(t, "en", path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

var ownLink = regexp.MustCompile(`href="(/[^"]*)"`)

// reader is a browser that walks the console.
type reader struct {
	t    *testing.T
	base string
	http *http.Client
}

func (r reader) get(path string) (*http.Response, string) {
	r.t.Helper()
	resp, err := r.http.Get(r.base + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(body)
}

// Every page that a guide leads to is walked, in both languages.
func TestTheConsoleShowsEveryGuideAndWhereItLeads(t *testing.T) {
	t.Parallel()
	for lang, heading := range map[string]string{web.French: "Les guides", web.English: "The guides"} {
		jar, _ := cookiejar.New(nil) // never fails without options
		r := reader{t, pscemutest.Start(t).ConsoleURL, &http.Client{Jar: jar}}
		resp, first := r.get("/guide?lang=" + lang)
		if !strings.Contains(first, "<h1 id=") || !strings.Contains(first, heading) ||
			!strings.Contains(first, `<html lang="`+lang+`">`) {
			t.Errorf("%s: %s", lang, first)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "style-src 'self'") {
			t.Errorf("CSP %q", csp)
		}
		r.walk("/guide", map[string]bool{})
	}
}

func (r reader) walk(path string, seen map[string]bool) {
	if path, _, _ = strings.Cut(path, "#"); seen[path] {
		return
	}
	seen[path] = true
	resp, body := r.get(path)
	if resp.StatusCode != http.StatusOK {
		r.t.Errorf("%s: %s", path, resp.Status)
	}
	if !strings.HasPrefix(path, "/guide") || strings.Contains(path, "lang=") {
		return
	}
	if strings.Contains(body, "style=") {
		r.t.Errorf("%s has styles that the policy of the page refuses", path)
	}
	for _, m := range ownLink.FindAllStringSubmatch(body, -1) {
		r.walk(m[1], seen)
	}
}
