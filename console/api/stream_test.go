package api

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Who reads an answer that failed half-way is told: it does not end as if it was
// whole. One that fails before anything left is a refusal like any other.
func TestAnAnswerThatFailsHalfWayIsBrokenOff(t *testing.T) {
	e := echo.New()
	e.Use(middleware.Recover())
	answer := func(n int) echo.HandlerFunc {
		return func(c echo.Context) error {
			return answerStream(c, http.StatusOK, "text/plain", func(w *bufio.Writer) error {
				_, _ = w.WriteString(strings.Repeat("x", n))
				return errors.New("no more")
			})
		}
	}
	e.GET("/late", answer(1<<20))
	e.GET("/early", answer(10))
	s := httptest.NewServer(e)
	defer s.Close()
	resp, err := http.Get(s.URL + "/late")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the late failure: %v", err)
	}
	early, err := http.Get(s.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	defer early.Body.Close()
	if body, err := io.ReadAll(
		early.Body,
	); err != nil || early.StatusCode != http.StatusInternalServerError ||
		strings.Contains(string(body), "xxx") {
		t.Errorf("the early failure: %v %s %s", err, early.Status, body)
	}
}
