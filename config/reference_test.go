package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
)

// words are the headings of the reference, by language.
var words = map[string]struct{ setting, initial, does, scope, client, identity string }{
	"en": {"setting", "default", "what it does", "for one", "client", "identity"},
	"fr": {"réglage", "défaut", "rôle", "pour un", "client", "identité"},
}

// table writes the settings, or the policies among them, as Markdown.
func table(lang string, policies bool) string {
	w := words[lang]
	var b strings.Builder
	if policies {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n|---|---|---|---|\n", w.setting, w.initial, w.does, w.scope)
	} else {
		fmt.Fprintf(&b, "| %s | %s | %s |\n|---|---|---|\n", w.setting, w.initial, w.does)
	}
	for _, s := range config.Names() {
		if s.Live != policies {
			continue
		}
		initial := ""
		if s.Default != "" {
			initial = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |", s.Name, initial, s.HelpIn(lang))
		if policies {
			scopes := strings.NewReplacer("client", w.client, "identity", w.identity).Replace(strings.Join(s.For, ", "))
			b.WriteString(" " + scopes + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// between replaces what lies between two comments that name a part.
func between(t *testing.T, page, part, text string) string {
	t.Helper()
	head, rest, begun := strings.Cut(page, "<!-- "+part+" -->\n")
	_, tail, ended := strings.Cut(rest, "<!-- end of "+part+" -->")
	if !begun || !ended {
		t.Fatalf("no part %s", part)
	}
	return head + "<!-- " + part + " -->\n\n" + text + "\n<!-- end of " + part + " -->" + tail
}

// `make settings` writes the tables of the guides anew.
func TestTheSettingsReferenceIsTheTable(t *testing.T) {
	for lang := range words {
		file := "../docs/guide/" + lang + "/settings.md"
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := between(t, string(page), "settings", table(lang, false))
		want = between(t, want, "policies", table(lang, true))
		if want == string(page) {
			continue
		}
		if os.Getenv("UPDATE") == "" {
			t.Errorf("%s does not hold the table: make settings writes it", file)
		} else if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
