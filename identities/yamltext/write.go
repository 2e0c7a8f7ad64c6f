// Package yamltext writes and reads the YAML that people and scenarios are kept
// in, a piece at a time: a list of a million is never in memory as a whole.
package yamltext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/token"
)

// AppendItem adds an item of a list, whose value is this JSON, to YAML that
// stands this many columns in.
func AppendItem(dst, value []byte, indent int) ([]byte, error) {
	dst = append(spaces(dst, indent), '-', ' ')
	dst, err := appendValue(dst, value, indent+2, true)
	return append(dst, '\n'), err
}

// AppendMember adds a key and its value, which is this JSON, at the margin.
func AppendMember(dst []byte, key string, value []byte) ([]byte, error) {
	dst = append(appendText(dst, key, 0), ':')
	dst, err := appendValue(dst, value, 0, false)
	return append(dst, '\n'), err
}

// appendValue adds a value whose lines stand this many columns in. In a list it
// begins on the line of the dash.
func appendValue(dst, value []byte, indent int, listed bool) ([]byte, error) {
	w := writer{out: dst, in: json.NewDecoder(bytes.NewReader(value))}
	w.in.UseNumber()
	err := w.value(indent, listed)
	return w.out, err
}

// writer turns JSON into YAML as it reads it.
type writer struct {
	out []byte
	in  *json.Decoder
}

// value writes the next value. In a list the dash is written already and the
// value goes on behind it; else it is behind a key's colon, and indent is the
// key's own.
func (w *writer) value(indent int, listed bool) error {
	t, err := w.in.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return w.mapping(indent, listed)
	case json.Delim('['):
		return w.list(indent, listed)
	}
	if !listed {
		w.out = append(w.out, ' ')
	}
	switch t := t.(type) {
	case nil:
		w.out = append(w.out, "null"...)
	case string:
		w.out = appendText(w.out, t, indent)
	default: // a number or a truth value
		w.out = fmt.Append(w.out, t)
	}
	return nil
}

func (w *writer) mapping(indent int, listed bool) error {
	if !w.in.More() {
		return w.empty("{}", listed)
	}
	if !listed {
		indent += 2
	}
	for first := listed; w.in.More(); first = false {
		if !first {
			w.line(indent)
		}
		key, err := w.in.Token()
		if err != nil {
			return err
		}
		w.out = append(appendText(w.out, fmt.Sprint(key), indent), ':')
		if err := w.value(indent, false); err != nil {
			return err
		}
	}
	_, err := w.in.Token()
	return err
}

func (w *writer) list(indent int, listed bool) error {
	if !w.in.More() {
		return w.empty("[]", listed)
	}
	for first := listed; w.in.More(); first = false {
		if !first {
			w.line(indent)
		}
		w.out = append(w.out, '-', ' ')
		if err := w.value(indent+2, true); err != nil {
			return err
		}
	}
	_, err := w.in.Token()
	return err
}

// empty writes a map or a list without members.
func (w *writer) empty(as string, listed bool) error {
	if !listed {
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, as...)
	_, err := w.in.Token()
	return err
}

func (w *writer) line(indent int) { w.out = spaces(append(w.out, '\n'), indent) }

func spaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

// appendText adds text: as it is where YAML takes it for text, in quotes where
// it would not, and line by line where it has several.
func appendText(dst []byte, s string, indent int) []byte {
	switch {
	case clearly(s):
		return append(dst, s...)
	case s == "", s == "?", strings.HasPrefix(s, "? "), number(s), token.IsNeedQuoted(s), strings.ContainsFunc(s, escaped):
		return strconv.AppendQuote(dst, s)
	case strings.Contains(s, "\n"):
		return appendLines(dst, s, indent)
	}
	return append(dst, s...)
}

// clearly tells, for what most text is, that it needs no quotes: to ask the library
// costs a hundred times as much, since it tries to read a time.
func clearly(s string) bool {
	if len(s) < 6 || s[0] < 'A' || s[0] > 'z' || s[0] > 'Z' && s[0] < 'a' {
		return false // a keyword, perhaps, or a number
	}
	for n := range len(s) {
		if c := s[n]; c < ' ' || c == ':' || c == '#' || c == '\\' || c == '-' || c >= 0x7f {
			return false
		}
	}
	return s[len(s)-1] != ' '
}

// number tells that text is digits, which are quoted: YAML would take it for a
// number.
func number(s string) bool {
	if len(s) == 0 || len(s) > 18 || s[0] == '0' {
		return false
	}
	for n := range len(s) {
		if s[n] < '0' || s[n] > '9' {
			return false
		}
	}
	return true
}

// escaped characters are written with an escape.
func escaped(r rune) bool {
	switch r {
	case '\n':
		return false
	case unicode.ReplacementChar, '\ufeff', '\u2028', '\u2029':
		return true
	}
	return unicode.IsControl(r)
}

// appendLines adds text of several lines, or in quotes where spaces at the end
// of a line would be lost.
func appendLines(dst []byte, s string, indent int) []byte {
	if strings.Contains(s, " \n") || strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n\n") {
		return strconv.AppendQuote(dst, s)
	}
	text, ended := strings.CutSuffix(s, "\n")
	dst = append(dst, '|')
	if !ended {
		dst = append(dst, '-')
	}
	for line := range strings.SplitSeq(text, "\n") {
		dst = append(dst, '\n')
		if line != "" {
			dst = append(spaces(dst, indent+2), line...)
		}
	}
	return dst
}
