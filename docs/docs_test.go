package docs

import "testing"

func TestHeadingsAreNamedAsCodeHostsNameThem(t *testing.T) {
	var a Anchors
	for _, c := range [][2]string{
		{"The settings", "the-settings"},
		{"Réglages & politiques", "réglages--politiques"},
		{"`pscemu check`: the verdict", "pscemu-check-the-verdict"},
		{"The settings", "the-settings-1"},
	} {
		if got := a.Generate(c[0]); got != c[1] {
			t.Errorf("%q: %q, want %q", c[0], got, c[1])
		}
	}
}
