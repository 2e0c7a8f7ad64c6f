package wire

import (
	"strings"
	"testing"
)

func TestTheTextOfAnErrorHoldsTheCharactersOfRFC6749Alone(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"Code not valid":                 "Code not valid",
		"IGC-Santé":                      "IGC-Sante",
		"à ç É œuvre Æ ß Ø":              "a c E oeuvre AE ss O",
		"l’âge de l'été…":                "l'age de l'ete...",
		"« ceci »":                       "'ceci'",
		"«\u00a0ceci\u00a0»":             "'ceci'",
		`say "x" and \n`:                 "say 'x' and /n",
		"a\r\nSet-Cookie: x=1\tb\x00c":   "a  Set-Cookie: x=1 b c",
		"décomposé e\u0301":              "decompose e",
		"– — → € ½ ²":                    "- - -> EUR 1/2 2",
		"日本 👩‍⚕️":                        "?? ???",
		"\xff\xfe not UTF-8":             "?? not UTF-8",
		"\u202eabc\u2028d\u0085":         "?abc d ",
		"ﬁn ＡＢＣ":                         "fin ABC",
		strings.Repeat("é", 599) + "é":   strings.Repeat("e", 600),
		strings.Repeat("x", 601):         strings.Repeat("x", 600) + "...",
		strings.Repeat("\u0301", 10_000): "...",
	} {
		if got := Text(text); got != want {
			t.Errorf("%.60q: %.80q, want %.80q", text, got, want)
		}
	}
	for _, a := range Answers {
		if Text(a.Text) != a.Text || Text(a.Error) != a.Error {
			t.Errorf("%s is written otherwise than it leaves: %s", a.Key, a.Text)
		}
	}
}

// lawful tells whether every byte is one that RFC 6749 §5.2 allows.
func lawful(text string) bool {
	for _, b := range []byte(text) {
		if b < 0x20 || b == 0x22 || b == 0x5c || b > 0x7e {
			return false
		}
	}
	return true
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "IGC-Santé…", `"\`, "\xff", "« ’ »", strings.Repeat("ﷺ", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if !lawful(got) || len(got) > maxText+3 {
			t.Errorf("%q", got)
		}
		if again := Text(got); len(got) <= maxText && again != got {
			t.Errorf("%q twice is %q", got, again)
		}
	})
}
