package problem

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wordings are all of an entry, by the name of their case.
func (e *entry) wordings() map[string][2]wording {
	out := map[string][2]wording{"": e.said}
	for name, v := range e.cases {
		out[name] = v.said
	}
	return out
}

func (w *wording) texts() []string {
	return []string{w.reason, w.received, w.expected, w.remedy, w.means, w.do}
}

// Both languages say the same things, with the same values.
func TestEveryRefusalIsWordedInBothLanguages(t *testing.T) {
	if len(entries) < 400 {
		t.Fatalf("only %d codes", len(entries))
	}
	for i := range entries {
		e := &entries[i]
		for name, said := range e.wordings() {
			english, french := said[0].texts(), said[1].texts()
			if english[0] == "" {
				t.Errorf("%s %s has no reason", e.code, name)
			}
			for n := range english {
				if (english[n] == "") != (french[n] == "") {
					t.Errorf("%s %s: %q in English is %q in French", e.code, name, english[n], french[n])
				}
				if !slices.Equal(valuesIn(english[n]), valuesIn(french[n])) {
					t.Errorf("%s %s: not the same values in %q and %q", e.code, name, english[n], french[n])
				}
			}
		}
		for _, lang := range []string{English, French} {
			if w := e.why(lang); w.Means == "" || w.Do == "" {
				t.Errorf("%s has no why in %s, or no remedy: %+v", e.code, lang, w)
			}
		}
	}
	for p, said := range phrases {
		if said[0] == "" || said[1] == "" {
			t.Errorf("the phrase %s lacks a language", p)
		}
	}
}

func valuesIn(text string) []string {
	found := holes.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// No text of one language stands in the place of the other's.
func TestNoRefusalMixesTheLanguages(t *testing.T) {
	french := regexp.MustCompile(`(?i)\b(le|les|une|est|sont|avec|sans|dans|pas|votre|cette|recommencez|chiffres|` +
		`octets)\b`)
	english := regexp.MustCompile(`(?i)\b(the|is|was|are|cannot|with|without|this|these|your|bytes|digits|such as)\b`)
	named := regexp.MustCompile("`[^`]*`|[A-Z]+ /[^ ]*|pscemu [^,;.]*|carte de service|démarche " +
		"simplifiée|[a-z]+_[a-z_]+|\\{[^}]*\\}")
	for i := range entries {
		for name, said := range entries[i].wordings() {
			for n, text := range said[0].texts() {
				if found := french.FindString(named.ReplaceAllString(text, "")); found != "" {
					t.Errorf("%s %s says %q in English: %s", entries[i].code, name, found, text)
				}
				text = said[1].texts()[n]
				if found := english.FindString(named.ReplaceAllString(text, "")); found != "" {
					t.Errorf("%s %s says %q in French: %s", entries[i].code, name, found, text)
				}
			}
		}
	}
}

// A sentence of a refusal stands among others: it begins small and has no stop.
func TestRefusalsReadAsPartsOfALine(t *testing.T) {
	begins := regexp.MustCompile(`^[A-ZÀÉ][a-zéèà]+ `)
	for i := range entries {
		for name, said := range entries[i].wordings() {
			for _, w := range said {
				for _, text := range []string{w.reason, w.expected, w.remedy} {
					if begins.MatchString(text) && !strings.HasPrefix(text, "Token ") || strings.HasSuffix(text, ".") {
						t.Errorf("%s %s: %q", entries[i].code, name, text)
					}
				}
			}
		}
	}
}

func TestARefusalIsWordedInItsReadersLanguage(t *testing.T) {
	p := LimitInvalid.With("most", 1000).With("usual", 100).Got("0")
	if p.Kind != Invalid || p.Code != "limit-invalid" || p.Expected != "limit from 1 to 1000; 100 when it is left out" {
		t.Errorf("%+v", p)
	}
	french := p.In(French)
	if french.Expected != "limit de 1 à 1000 ; 100 quand il manque" || french.Received != "0" ||
		!strings.Contains(french.Error(), "attendu : limit") {
		t.Errorf("%+v", french)
	}
	if p.In(French).In(English).Error() != p.Error() {
		t.Error("it does not come back")
	}
	if page := p.Page(French).Reason; page != "Ce n'est pas un nombre de lignes" {
		t.Error(page)
	}
}

func TestValuesAreSaidInTheReadersLanguage(t *testing.T) {
	p := CodeUnknown.Case("table").With("field", "x").With("tables", Or([]string{"R21", "R85"})).With("table", "R21")
	if p.Kind != Invalid || p.Expected != "a code of R21 or R85 (pscemu codes R21)" ||
		p.In(French).Expected != "un code de R21 ou R85 (pscemu codes R21)" {
		t.Errorf("%+v %+v", p, p.In(French))
	}
	nth := p.About(NthPerson, 3, "899")
	if nth.Reason != "person 3 (899): x is not in its table" ||
		nth.In(French).Reason != "personne 3 (899) : x n'est pas dans sa table" {
		t.Errorf("%q %q", nth.Reason, nth.In(French).Reason)
	}
	masked := SubjectDNInvalid.With("error", "a secret").Map(func(s string) string {
		return strings.ReplaceAll(s, "secret", "***")
	})
	if said := masked.In(French).Reason; !strings.Contains(said, "a ***") {
		t.Error(said)
	}
}

// What came as JSON has no values: its texts stay.
func TestARefusalFromElsewhereKeepsItsWords(t *testing.T) {
	p := &Error{Code: "limit-invalid", Reason: "something else", Expected: "a value"}
	if got := p.In(French); got.Reason != p.Reason || got.Expected != p.Expected {
		t.Errorf("%+v", got)
	}
	if p = (&Error{Code: "unheard-of", Reason: "no"}).In(French); p.Reason != "no" {
		t.Errorf("%+v", p)
	}
	if Known("unheard-of") || !Known("limit-invalid") {
		t.Error("Known")
	}
}
