package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// member is one value of a JSON text: what names it, and where it stands.
type member struct {
	name       string
	secret     bool // a name around it is one of secrets
	value      any  // a string, a json.Number, a bool or nil
	start, end int
}

// eachMember calls fn for the values of a JSON text, in order; false when it
// is none.
func eachMember(raw string, fn func(member)) bool {
	type level struct {
		object, secret, wantsKey bool
		name                     string
	}
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	stack, last := []level{{}}, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return len(stack) == 1 && last > 0
		}
		if err != nil {
			return false
		}
		start := last + len(raw[last:]) - len(strings.TrimLeft(raw[last:], " \t\r\n,:"))
		last = int(d.InputOffset())
		top := &stack[len(stack)-1]
		delimiter, isDelimiter := token.(json.Delim)
		switch {
		case isDelimiter && (delimiter == '}' || delimiter == ']'):
			stack = stack[:len(stack)-1]
		case top.wantsKey:
			top.name, top.wantsKey = token.(string), false
			continue
		case isDelimiter:
			stack = append(
				stack,
				level{
					object:   delimiter == '{',
					wantsKey: delimiter == '{',
					secret:   top.secret || isSecret(top.name),
					name:     top.name,
				},
			)
			continue
		default:
			fn(member{top.name, top.secret || isSecret(top.name), token, start, last})
		}
		if top = &stack[len(stack)-1]; top.object {
			top.wantsKey = true
		}
	}
}

// json masks the members of a JSON text, however deep, and leaves the rest as
// it stands.
func (m *masker) json(raw string, depth int) (string, bool) {
	var out strings.Builder
	last := 0
	ok := eachMember(raw, func(at member) {
		came := fmt.Sprint(at.value)
		text, isText := at.value.(string)
		number, isNumber := at.value.(json.Number)
		masked := came
		switch {
		case isText && at.secret:
			masked = Mask(text)
		case isText:
			masked = m.value(at.name, text, depth)
		case isNumber && (at.secret || m.knows(number.String())):
			masked = "…"
		}
		if masked != came {
			out.WriteString(raw[last:at.start] + quoted(masked))
			last = at.end
		}
	})
	return out.String() + raw[last:], ok
}

func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string
	return strings.TrimSpace(b.String())
}

func (m *masker) learnJSON(raw []byte) {
	eachMember(string(raw), func(at member) {
		if text, ok := at.value.(string); ok && at.secret {
			m.learn(text)
		}
	})
}

var namedText = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"(\s*:\s*)"((?:[^"\\]|\\.)*)("?)`)

// torn masks what a fault left of a JSON text, or what was cut off.
func (m *masker) torn(raw string) string {
	return m.text(namedText.ReplaceAllStringFunc(raw, func(found string) string {
		part := namedText.FindStringSubmatch(found)
		if !m.hides(part[1], part[3]) {
			return found
		}
		return `"` + part[1] + `"` + part[2] + `"` + Mask(part[3]) + part[4]
	}))
}
