package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
)

func TestTheRootIsTakenOffPathsAndKept(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, Root(r.Context())+" "+r.URL.EscapedPath()+" "+Path(r.Context(), "/x"))
	})
	for _, c := range []struct {
		handler   http.Handler
		path, got string
	}{
		{h, "/identities/a%2Fb", " /identities/a%2Fb /x"},
		{Under("/s/one", h), "/s/one", "/s/one / /s/one/x"},
		{Under("/s/one", h), "/s/one/", "/s/one / /s/one/x"},
		{Under("/s/one", h), "/s/one/identities/a%2Fb", "/s/one /identities/a%2Fb /s/one/x"},
		{Under("/psc", Under("/s/one", h)), "/psc/s/one/auth", "/psc/s/one /auth /psc/s/one/x"},
	} {
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if got := w.Body.String(); got != c.got {
			t.Errorf("%s: %q, want %q", c.path, got, c.got)
		}
	}
	w := httptest.NewRecorder()
	if Under("/s/one", h).ServeHTTP(w, httptest.NewRequest("GET", "/s/two", nil)); w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
}

func TestRedirectsGoToTheRootOrElsewhere(t *testing.T) {
	e := echo.New()
	e.GET("/here", func(c echo.Context) error { return Redirect(c, http.StatusSeeOther, "/there?q=/a") })
	e.GET("/away", func(c echo.Context) error { return Leave(c, http.StatusFound, "https://app.example/cb") })
	for path, want := range map[string]string{
		"/s/one/here": "/s/one/there?q=/a", "/s/one/away": "https://app.example/cb",
	} {
		w := httptest.NewRecorder()
		Under("/s/one", e).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
