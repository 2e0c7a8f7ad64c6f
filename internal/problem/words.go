package problem

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// The languages of the catalogue.
const (
	English = "en"
	French  = "fr"
)

// value is what stands for {name}, in English and in French.
type value struct {
	name string
	said [2]string
}

func valueOf(name string, v any) value {
	return value{name, [2]string{say(v, English), say(v, French)}}
}

// say writes a value in a language.
func say(v any, lang string) string {
	switch v := v.(type) {
	case string:
		return v
	case *Error:
		return v.In(lang).Error()
	case error:
		return v.Error()
	case Phrase:
		return v.In(lang)
	case phrased:
		return fmt.Sprintf(v.phrase.In(lang), v.args...)
	case expected:
		return v.of.In(lang).Expected
	case choice:
		return strings.Join(v.of, v.between[place(lang)])
	case fmt.Stringer:
		return v.String()
	}
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
		texts := make([]string, list.Len())
		for n := range texts {
			texts[n] = say(list.Index(n).Interface(), lang)
		}
		return strings.Join(texts, ", ")
	}
	return fmt.Sprint(v)
}

// place is where a language stands in a pair.
func place(lang string) int {
	if lang == French {
		return 1
	}
	return 0
}

// choice is a list with a word between its members.
type choice struct {
	of      []string
	between [2]string
}

// Or is a list of which one will do.
func Or(of []string) any { return choice{of, [2]string{" or ", " ou "}} }

// Nor is a list of what is missing.
func Nor(of []string) any { return choice{of, [2]string{" and ", " ni "}} }

// phrased is a phrase with its arguments.
type phrased struct {
	phrase Phrase
	args   []any
}

// Of is the phrase with arguments, written as fmt does.
func (p Phrase) Of(args ...any) any { return phrased{p, args} }

// expected is what another refusal expected.
type expected struct{ of *Error }

// Expected is what another refusal expected, to be said by this one.
func Expected(p *Error) any { return expected{p} }

// Phrase names a group of words of the catalogue that several refusals use.
type Phrase string

// In is the phrase in a language.
func (p Phrase) In(lang string) string { return phrases[p][place(lang)] }

var holes = regexp.MustCompile(`\{[a-z_]+\}`)

// fill puts the values into a text of the catalogue.
func (e *Error) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return holes.ReplaceAllStringFunc(text, func(hole string) string {
		for _, v := range e.values {
			if hole == "{"+v.name+"}" {
				return v.said[place(e.lang)]
			}
		}
		return "…"
	})
}

// NearestOf is the candidate closest to s alone, or all when none is near.
func NearestOf[S ~string](s S, candidates []string) []string {
	if near := Nearest(string(s), candidates); near != "" {
		return []string{near}
	}
	return candidates
}

// Nearest returns the candidate closest to s by edit distance, or "" when
// nothing is near enough to be a slip of the keyboard.
func Nearest(s string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		if d := distance(s, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
