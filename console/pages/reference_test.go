package pages_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/testkit"
)

// The page of the control API has each operation with its parameters, its types
// and its example, in French and in English, without a script.
func TestThePageOfTheAPIShowsEveryOperation(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	page := func(query string) string {
		resp, err := http.Get(s.ConsoleURL + "/api" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status, err)
		}
		return string(body)
	}
	french := page("")
	for _, o := range (&api.API{}).Operations() {
		if !strings.Contains(french, `<details id="`+o.ID+`"`) {
			t.Errorf("no %s", o.ID)
		}
	}
	for _, want := range []string{"API de pilotage",
		`id="type-Person"`,
		`href="#type-PersonPage"`,
		"national_id",
		"pin-wrong",
		"application/x-pkcs12", "/static/api.js"} {
		if !strings.Contains(french, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if english := page("?lang=en"); !strings.Contains(english, "Control API") {
		t.Error("it speaks no English")
	}
}
