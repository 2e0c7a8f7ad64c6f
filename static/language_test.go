package static_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/static"
)

// Every text of the templates that can be said in English is.
func TestEveryTextOfThePagesHasItsEnglish(t *testing.T) {
	files, err := filepath.Glob("templates/*/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	texts := regexp.MustCompile(`{{t "([^"]*)"}}`)
	same := map[string]bool{} // the same word in both languages
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range texts.FindAllStringSubmatch(string(raw), -1) {
			if static.Pages().Translate("en", m[1]) == m[1] && !same[m[1]] {
				t.Errorf("%s: no English for %q", f, m[1])
			}
		}
	}
}

func TestNumbersInATextStay(t *testing.T) {
	if got := static.Pages().Translate("en", "3 affichés, d’autres suivent"); got != "3 shown, more follow" {
		t.Error(got)
	}
	if got := static.Pages().Translate("en", "inconnu 7"); got != "inconnu 7" {
		t.Error(got)
	}
	if got := static.Pages().Translate(web.French, "lost"); got != "perdu" {
		t.Error(got)
	}
	if web.Speaks("de") || !web.Speaks("en") {
		t.Error("the languages")
	}
}
