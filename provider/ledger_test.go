package provider

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
)

func TestTheLedgerInTheDocumentsIsTheProgramsOwn(t *testing.T) {
	want, err := LedgerMarkdown()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/fidelity.md")
	if err != nil || string(got) != want {
		t.Errorf("docs/fidelity.md is not what `make ledger` writes: %v", err)
	}
}

func TestEveryLedgerRowIsCompleteAndNamesSettingsThatExist(t *testing.T) {
	rows, err := Ledger()
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for _, s := range config.Names() {
		settings = append(settings, s.Name)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if r.Area == "" || r.What == "" || r.Source == "" || r.Date == "" ||
			!slices.Contains([]string{"captured", "documented", "assumed", "differs"}, r.State) {
			t.Errorf("incomplete: %+v", r)
		}
		if seen[r.Area+r.What] {
			t.Errorf("twice: %s", r.What)
		}
		seen[r.Area+r.What] = true
		for _, name := range strings.Split(r.Setting, ", ") {
			if name != "" && !slices.Contains(settings, name) {
				t.Errorf("%s: no setting %s", r.What, name)
			}
		}
	}
}
