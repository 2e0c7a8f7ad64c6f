package problem

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Why explains a code to whoever meets it.
type Why struct {
	Code  string `json:"code"`
	Area  string `json:"area"`
	Means string `json:"means"`
	Do    string `json:"remedy"`
	// PSC is the key of what Pro Santé Connect answers, where that is not the code.
	PSC string `json:"psc,omitempty"`
	// Spec is where the rule stands: an RFC, or a fact of Pro Santé Connect.
	Spec string `json:"spec,omitempty"`
}

// Catalogue explains every code, in the order of the catalogue.
func Catalogue(lang string) []Why {
	out := make([]Why, len(entries))
	for i := range entries {
		out[i] = entries[i].why(lang)
	}
	return out
}

// WhyOf explains one code.
func WhyOf(code, lang string) (Why, bool) {
	e := entryOf(Code(code))
	return e.why(lang), e != unknown
}

// why says what the refusal itself says where the catalogue adds nothing.
func (e *entry) why(lang string) Why {
	w, blank := e.said[place(lang)], &Error{}
	means, do := w.means, w.do
	if means == "" {
		means = sentence(blank.fill(w.reason))
	}
	if do == "" {
		do = sentence(blank.fill(w.remedy))
	}
	if do == "" && w.expected != "" {
		do = map[string]string{English: "Expected: ", French: "Attendu : "}[lang] + blank.fill(w.expected)
	}
	return Why{Code: string(e.code), Area: e.area, Means: means, Do: do, PSC: e.psc, Spec: e.spec}
}

// sentence is a text with a capital and a full stop.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, "…") {
		return capital(s)
	}
	return strings.TrimSuffix(capital(s), ".") + "."
}

// capital is a text that begins with a capital, but for what is to be typed or
// read as it is.
func capital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || strings.ContainsAny(s[:1], "`-/") || strings.ContainsAny(word, "_=.[:") || word == "pscemu" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
