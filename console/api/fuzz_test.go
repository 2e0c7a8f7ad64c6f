package api

import (
	"bytes"
	"testing"
)

// FuzzParseScenario: a scenario is read, or refused with a reason; nothing else.
func FuzzParseScenario(f *testing.F) {
	for _, s := range []string{
		"",
		"name: x\npeople:\n  - national_id: \"899790011177\"\n",
		"faults:\n  - kind: slow\n    times: 2\nclock: {offset: 3m}\n",
		"a: &a [*a]",
		"{{{{",
		"people: 1",
		"x: !!binary x",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := readScenario(bytes.NewReader(raw))
		if err == nil && s == nil {
			t.Error("neither a scenario nor an error")
		}
	})
}
