package yamltext_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/goccy/go-yaml"

	"pscemu.invalid/pscemu/identities/yamltext"
)

// What is written is what the YAML library writes, where that can be read back.
func TestItemsAreWrittenAsTheLibraryWritesThem(t *testing.T) {
	for _, raw := range []string{
		`{"a":"x","b":"899700366240","c":["1","y"],"d":[],"e":{},"f":null,"g":true,"h":12,"i":{"j":{"k":["l"]}}}`,
		`{"a":[{"b":"c","d":[{"e":"f"},{"g":"h"}]},{"i":"j"}]}`,
		`{"a":"two\nlines","b":[{"notes":"two\nlines\n"}],"c":"- x","d":"a: ` +
			`b","e":"#","f":"it's","g":"\"q\"","h":"{x}","i":"true","j":"2026-01-01","k":"~"}`,
		`["a",["b",["c"]],{"d":"e"}]`,
		`"x"`,
		`"007"`,
		`"01000"`,
		`"75000"`,
		`"9.9"`,
		`"CABINET DU PARC"`,
		`"Solène"`,
		`"899700366240"`,
		`"12345678901234567890"`,
		`"SM54"`,
		`"RUE-DU BAC"`,
		`"octave.barochard@exemple.invalid"`,
		`"+33639980001"`,
		`"abcdef "`,
		`"abcdef:"`,
		`"ab#cdef"`,
		`"true"`,
		`"FALSE"`,
		`"no"`,
		`"yes"`,
		`"é"`,
	} {
		want, err := yaml.JSONToYAML([]byte("[" + raw + "]"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := yamltext.AppendItem(nil, []byte(raw), 0)
		if err != nil || string(got) != string(want) {
			t.Errorf("%v\n%s\nthe library:\n%s", err, got, want)
		}
	}
}

func readBack(t *testing.T, text []byte) any {
	t.Helper()
	back, err := yamltext.ToJSON(text, yamltext.Reading{Typed: true})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var v any
	if err := json.Unmarshal(back, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Text comes back as it was, whatever is in it.
func TestTextComesBackAsItWas(t *testing.T) {
	for _, s := range []string{
		"",
		" ",
		"a ",
		"a\n",
		"a\n\n",
		"\na",
		"a\n b",
		" a\nb",
		"a \nb",
		"a\n\nb",
		"a\r\nb",
		"a\tb",
		"\t",
		"\x00",
		"\x1b[31m",
		"a\u2028b",
		"\ufeffx",
		"é\nè",
		"-",
		"- a",
		"---",
		"...",
		"a\n---\nb",
		"a # b",
		"a\n# b",
		"|",
		">",
		"null",
		"Null",
		"1e3",
		"0x1f",
		"0b1",
		"1_000",
		".inf",
		"12:30:45",
		"!x",
		"&x",
		"*x",
		"%x",
		"@x",
		"`x",
		"?x",
		"? x",
		": x",
		"x:",
		"[",
		"]",
		"{",
		"}",
		",",
		"'",
		"\"",
		"\\",
		"a'b",
		"a\"b",
		"<<",
		"=",
		"y",
		"n",
		"on",
		"off",
		"Y",
		"key: |\n  x",
	} {
		raw, err := json.Marshal(map[string]any{"a": s, "b": []any{map[string]any{"c": s, "d": "e"}, s}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := yamltext.AppendItem(nil, raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal([]byte("["+string(raw)+"]"), &want); err != nil {
			t.Fatal(err)
		}
		if got := readBack(t, text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q by\n%s", want, got, text)
		}
	}
}

func TestMembersStandAtTheMargin(t *testing.T) {
	var text []byte
	for _, m := range [][2]string{{"name", `"x"`}, {"clock", `{"offset":"1h"}`}, {"people", `[{"a":"b"}]`}} {
		var err error
		if text, err = yamltext.AppendMember(text, m[0], []byte(m[1])); err != nil {
			t.Fatal(err)
		}
	}
	want, err := yaml.JSONToYAML([]byte(`{"name":"x","clock":{"offset":"1h"},"people":[{"a":"b"}]}`))
	if err != nil || string(text) != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
}
