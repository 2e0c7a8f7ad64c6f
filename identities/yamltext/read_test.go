package yamltext_test

import (
	"errors"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/identities/yamltext"
)

func TestSplitHandsOverItemsAndMembers(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a list":           {"# people\n- a: 1\n  b: 2\n\n- c\n", "[:2] [:5]"},
		"a list, indented": {"items:\n  - a: 1\n    b:\n      - x\n  - c\nname: x\n", "items[:2] items[:5] name:6"},
		"a map": {
			"---\nname: x\nclock: {offset: 1h}\npeople:\n- a: 1\n- b: 1\n\"faults\":\n# none\n- kind: cut\n",
			"name:2 clock:3 people[:5] people[:6] faults[:9]",
		},
		"text of many lines": {"about: |\n  - no item\n  x: y\npeople:\n- a\n", "about:1 people[:5]"},
		"a list in a map":    {"settings:\n  a:\n  - x\n", "settings:1"},
		"no end of line":     {"- a\n- b", "[:1] [:2]"},
		"nothing":            {"# nothing\n", ""},
	} {
		var got []string
		err := yamltext.Split(strings.NewReader(c.text), func(p yamltext.Part) error {
			mark := ":"
			if p.Item {
				mark = "[:"
			}
			got = append(got, p.Key+mark+string(rune('0'+p.Line)))
			if _, err := yamltext.ToJSON(p.Text, yamltext.Reading{}); err != nil {
				t.Errorf("%s: %v in %q", name, err, p.Text)
			}
			return nil
		})
		want := strings.ReplaceAll(c.want, "]", "")
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v %q, want %q", name, err, got, want)
		}
	}
}

func TestWhatIsNotLaidOutInLinesIsRefused(t *testing.T) {
	for _, text := range []string{
		"[a, b]",
		"{a: b}",
		"  a: b\n",
		"&x\n- a\n",
		"a\n",
		"- a\nb: c\n",
		"a: b\n---\nc: d\n",
		"%YAML 1.2\n---\na: b\n",
	} {
		if err := yamltext.Split(strings.NewReader(text), func(yamltext.Part) error { return nil }); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if err := yamltext.Split(
		strings.NewReader("- "+strings.Repeat("x", 2<<20)),
		func(yamltext.Part) error { return nil },
	); !errors.Is(
		err,
		yamltext.ErrTooLarge,
	) {
		t.Error(err)
	}
}

func TestAliasesAreTakenWithinBounds(t *testing.T) {
	how := yamltext.Reading{Typed: true, Aliases: true}
	got, err := yamltext.ToJSON([]byte("a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2\n"), how)
	if err != nil || string(got) != `{"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2}}` {
		t.Errorf("%v %s", err, got)
	}
	bomb := "a: &a [" + strings.Repeat("x,", 99) + "x]\n"
	for c := 'b'; c < 'g'; c++ {
		bomb += string(
			c,
		) + ": &" + string(
			c,
		) + " [" + strings.Repeat(
			"*"+string(c-1)+",",
			99,
		) + "*" + string(
			c-1,
		) + "]\n"
	}
	if _, err := yamltext.ToJSON([]byte(bomb), how); err == nil || !strings.Contains(err.Error(), "million") {
		t.Errorf("a bomb: %v", err)
	}
	for _, text := range []string{"a: &x 1\n", "a: *x\n", "a: !!str 1\n", "<<: {a: b}\n", "a: 1\na: 2\n"} {
		if got, err := yamltext.ToJSON([]byte(text), yamltext.Reading{}); err == nil {
			t.Errorf("%q became %s", text, got)
		}
	}
}
