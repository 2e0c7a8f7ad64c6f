package shell_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/static"
)

// answered serves one request with what a handler makes of the views.
func answered(target string, handle func(shell.Views, echo.Context) error, headers ...string) (
	w *httptest.ResponseRecorder, welcomed int) {
	e := echo.New()
	v := shell.NewViews(static.Pages(), shell.Cookies{Instance: "test"}, func() bool { return false },
		func(echo.Context) { welcomed++ })
	e.HTTPErrorHandler = v.Error
	e.GET("/*", func(c echo.Context) error { return handle(v, c) })
	r := httptest.NewRequest("GET", "http://127.0.0.1:9440"+target, nil)
	for n := 0; n < len(headers); n += 2 {
		r.Header.Add(headers[n], headers[n+1])
	}
	w = httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w, welcomed
}

func TestPagesOfTheMenuAreFrenchAndPagesWithoutItSpeakTheReadersLanguage(t *testing.T) {
	whole := func(v shell.Views, c echo.Context) error {
		return v.Whole.Show(c, http.StatusOK, "message", map[string]any{"Title": "e-CPS", "Text": "", "Kind": ""})
	}
	guide := func(v shell.Views, c echo.Context) error {
		return v.Guide.Show(c, http.StatusOK, "message", map[string]any{"Title": "e-CPS", "Text": "", "Kind": ""})
	}
	bare := func(v shell.Views, c echo.Context) error {
		return v.Bare.Show(c, http.StatusOK, "message", map[string]any{"Title": "e-CPS", "Text": "", "Kind": ""})
	}
	kept := []string{"Cookie", "pscemu-lang-test=xx", "Cookie", "pscemu-lang-test=en"}
	for name, c := range map[string]struct {
		handle       func(shell.Views, echo.Context) error
		target       string
		headers      []string
		lang, cookie string
		menu         bool
	}{
		"a page of the menu":           {whole, "/?lang=en", kept, "fr", "", true},
		"a guide":                      {guide, "/", kept, "en", "", true},
		"a phone":                      {bare, "/", nil, "fr", "", false},
		"a phone, chosen":              {bare, "/?lang=en", nil, "en", "pscemu-lang-test=en", false},
		"a phone, kept":                {bare, "/", kept, "en", "", false},
		"a phone, by another site":     {bare, "/?lang=en", []string{"Sec-Fetch-Site", "cross-site"}, "en", "", false},
		"a phone, in no language":      {bare, "/?lang=de", nil, "fr", "", false},
		"a phone, chosen against kept": {bare, "/?lang=fr", kept, "fr", "pscemu-lang-test=fr", false},
	} {
		w, welcomed := answered(c.target, c.handle, c.headers...)
		page := w.Body.String()
		if !strings.Contains(page, `<html lang="`+c.lang+`">`) || strings.Contains(page, "<nav") != c.menu || welcomed != 1 {
			t.Errorf("%s: welcomed %d times\n%.900s", name, welcomed, page)
		}
		if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, c.cookie) || c.cookie == "" && got != "" {
			t.Errorf("%s: the cookie %q", name, got)
		}
	}
}

func TestARefusalIsAPageForPeopleAndProblemDetailsForPrograms(t *testing.T) {
	page := []string{"Accept", "text/html,*/*"}
	known := problem.Code("card-blocked").Of()
	for name, c := range map[string]struct {
		target  string
		err     error
		headers []string
		status  int
		says    []string
	}{
		"a program":       {"/cards", known, nil, 403, []string{`"code":"card-blocked"`, `"status":403`}},
		"a person":        {"/cards", known, page, 403, []string{`data-testid="error"`, `href="/why/card-blocked"`}},
		"a person's API":  {"/api/v1/cards", known, page, 403, []string{`"code":"card-blocked"`}},
		"no such address": {"/x", echo.ErrNotFound, nil, 404, []string{"http-not-found", "GET /x"}},
		"no such method":  {"/x", echo.ErrMethodNotAllowed, nil, 405, []string{"http-method-not-allowed"}},
		"another status":  {"/x", echo.ErrTeapot, nil, 418, []string{"http-other", "teapot"}},
		"no session":      {"/x", &shell.Unauthorised{Refusal: known}, nil, 401, []string{"card-blocked"}},
		"what went wrong": {"/x", errors.New("no disk"), nil, 500, []string{`"status":500`}},
	} {
		w, welcomed := answered(c.target, func(shell.Views, echo.Context) error { return c.err }, c.headers...)
		for _, want := range c.says {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: no %s in %.900s", name, want, w.Body)
			}
		}
		if w.Code != c.status || welcomed != 0 {
			t.Errorf("%s: %d, welcomed %d times", name, w.Code, welcomed)
		}
	}
	if got := (&shell.Unauthorised{Refusal: known}).Error(); got != known.Error() {
		t.Errorf("the error says %q", got)
	}
}

func TestAFormShowsWhatWasRefused(t *testing.T) {
	refusal := problem.Code("field-too-long").Of()
	w, _ := answered("/", func(v shell.Views, c echo.Context) error {
		return v.Whole.Form(c, "message", map[string]any{"Title": "", "Text": "", "Kind": ""}, refusal)
	})
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "field-too-long") {
		t.Errorf("%d %.900s", w.Code, w.Body)
	}
}

func TestAPageShowsAPartOfAListAndLinksToTheRest(t *testing.T) {
	numbers := func(after string, limit int) ([]int, string, error) {
		switch after {
		case "":
			return make([]int, limit), "100", nil
		case "100":
			return make([]int, 7), "", nil
		}
		return nil, "", store.NoPlace(after)
	}
	for target, want := range map[string]string{
		"/":          "d’autres suivent|list-next /n?after=100&q=a|",
		"/?at=100":   "fin de la liste|list-first /n?q=a|",
		"/?at=wrong": "after-invalid",
	} {
		w, _ := answered(strings.Replace(target, "at=", "after=", 1), func(_ shell.Views, c echo.Context) error {
			list := shell.List{Path: "/n", Filter: map[string][]string{"q": {"a"}, "none": {""}}}
			rows, part, err := shell.Shown(c, list, numbers)
			if err != nil {
				return err
			}
			out := part.Said + "|"
			for _, l := range part.Links {
				out += l.Hook + " " + l.Target + "|"
			}
			if len(rows) == 0 {
				t.Error("no rows")
			}
			return c.String(http.StatusOK, out)
		})
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
}

func TestAFewCardsSayWhetherThereAreOthers(t *testing.T) {
	some, err := shell.FewCards("899700000013", func(_ string, limit int) ([]cards.Card, string, error) {
		return make([]cards.Card, limit), "more", nil
	})
	if err != nil || !some.More || some.NationalID != "899700000013" || len(some.List) == 0 {
		t.Errorf("%+v %v", some, err)
	}
}

func TestTheAddressOfAnExplanationNamesTheLogin(t *testing.T) {
	for want, got := range map[string]string{
		"/s/one/why/card-blocked": shell.WhyURL("/s/one", "card-blocked", ""),
		"/why/a%2Fb?login=X+Y":    shell.WhyURL("", "a/b", "X Y"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
