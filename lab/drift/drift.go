// Package drift compares recorded answers of the real sandbox with the
// emulator's, field by field: what is there, in which order, of which type,
// and which value where the value does not depend on the moment.
package drift

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Documents are the answers that can be compared, by the file they lie in.
var Documents = []string{"discovery.json", "jwks.json", "token.json", "userinfo.json", "introspection.json"}

// words by which a file's name tells what it holds; the first that fits counts.
var words = []struct{ in, document string }{
	{"discovery", "discovery.json"}, {"configuration", "discovery.json"}, {"jwks", "jwks.json"}, {"certs", "jwks.json"},
	{"introspect", "introspection.json"}, {"userinfo", "userinfo.json"}, {"token", "token.json"},
}

// DocumentOf tells what a recorded file holds, by its name; "" when unclear.
func DocumentOf(file string) string {
	for _, w := range words {
		if strings.Contains(strings.ToLower(file), w.in) {
			return w.document
		}
	}
	return ""
}

// Drift is one difference.
type Drift struct {
	Document string `json:"document"`
	Field    string `json:"field"`
	Kind     string `json:"kind"` // missing here, only here, order, type, value, length
	Recorded string `json:"recorded"`
	Ours     string `json:"ours"`
}

// moment are fields whose value belongs to one login, client or key: their
// type counts, and whether they are empty.
var moment = []string{
	"exp",
	"iat",
	"auth_time",
	"jti",
	"sid",
	"session_state",
	"at_hash",
	"kid",
	"azp",
	"aud",
	"client_id",
	"nonce",
	"x5c",
	"x5t",
	"x5t#S256",
	"n",
	"e",
}

// constants are fields whose value is the same for every person.
var constants = []string{
	"typ",
	"alg",
	"kty",
	"use",
	"acr",
	"scope",
	"token_type",
	"active",
	"expires_in",
	"refresh_expires_in",
	"not-before-policy",
	"authMode",
	"UITVersion",
	"Acces_Regulation_Medicale",
	"Mode_Acces_Raison",
	"Palier_Authentification",
	"PSI_Locale",
	"email_verified",
}

// tokens are decoded before they are compared.
var tokens = []string{"access_token", "refresh_token", "id_token"}

type comparison struct {
	document   string
	samePerson bool
	found      []Drift
}

// Compare reads two answers of one kind. samePerson tells whether both are
// about the same person: otherwise only what all people share is compared by
// value.
func Compare(document string, recorded, ours []byte, samePerson bool) ([]Drift, error) {
	c := &comparison{
		document:   document,
		samePerson: samePerson || document == "discovery.json" || document == "jwks.json",
	}
	a, err := parse(recorded)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", document, err)
	}
	b, err := parse(ours)
	if err != nil {
		return nil, fmt.Errorf("the emulator's %s: %w", document, err)
	}
	if document == "jwks.json" {
		a, b = byUse(a), byUse(b)
	}
	c.value("", "", a, b)
	return c.found, nil
}

// parse keeps the order of members; JSON is YAML.
func parse(raw []byte) (v any, err error) {
	return v, yaml.UnmarshalWithOptions(raw, &v, yaml.UseOrderedMap())
}

// byUse keeps one key for each use: how many there are depends on rotation.
func byUse(set any) any {
	object, _ := set.(yaml.MapSlice)
	out := yaml.MapSlice{}
	for _, member := range object {
		keys, _ := member.Value.([]any)
		for _, k := range keys {
			key, _ := k.(yaml.MapSlice)
			use := fmt.Sprint(key.ToMap()["use"])
			if !slices.ContainsFunc(out, func(i yaml.MapItem) bool { return i.Key == use }) {
				out = append(out, yaml.MapItem{Key: use, Value: key})
			}
		}
	}
	return out
}

func (c *comparison) add(field, kind string, recorded, ours any) {
	c.found = append(c.found, Drift{c.document, field, kind, text(recorded), text(ours)})
}

func text(v any) string {
	if v == nil {
		return ""
	}
	s := fmt.Sprint(v)
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120]) + "…"
	}
	return s
}

// value compares two values; name is the last member's.
func (c *comparison) value(path, name string, recorded, ours any) {
	if slices.Contains(tokens, name) {
		if a, b := decode(recorded), decode(ours); a != nil && b != nil {
			recorded, ours = a, b
		}
	}
	if kind(recorded) != kind(ours) {
		c.add(path, "type", kind(recorded), kind(ours))
		return
	}
	switch a := recorded.(type) {
	case yaml.MapSlice:
		c.object(path, a, ours.(yaml.MapSlice))
	case []any:
		c.list(path, name, a, ours.([]any))
	default:
		if c.differ(name, recorded, ours) {
			c.add(path, "value", recorded, ours)
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case yaml.MapSlice:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	}
	return "number"
}

func (c *comparison) object(path string, recorded, ours yaml.MapSlice) {
	a, b := recorded.ToMap(), ours.ToMap()
	var both [2][]string
	for _, m := range recorded {
		if _, there := b[fmt.Sprint(m.Key)]; !there {
			c.add(join(path, m.Key), "missing here", m.Value, nil)
		} else {
			both[0] = append(both[0], fmt.Sprint(m.Key))
		}
	}
	for _, m := range ours {
		if _, there := a[fmt.Sprint(m.Key)]; !there {
			c.add(join(path, m.Key), "only here", nil, m.Value)
		} else {
			both[1] = append(both[1], fmt.Sprint(m.Key))
		}
	}
	if !slices.Equal(both[0], both[1]) {
		c.add(path, "order", strings.Join(both[0], " "), strings.Join(both[1], " "))
	}
	for _, m := range recorded {
		name := fmt.Sprint(m.Key)
		if v, there := lookup(ours, name); there {
			c.value(join(path, name), name, m.Value, v)
		}
	}
}

func lookup(o yaml.MapSlice, name string) (any, bool) {
	for _, m := range o {
		if fmt.Sprint(m.Key) == name {
			return m.Value, true
		}
	}
	return nil, false
}

func join(path string, name any) string {
	return strings.TrimPrefix(path+"."+fmt.Sprint(name), ".")
}

// list compares element by element; about different people only the first's
// shape, since they have other activities.
func (c *comparison) list(path, name string, recorded, ours []any) {
	n := min(len(recorded), len(ours))
	if !c.samePerson {
		n = min(n, 1)
	} else if len(recorded) != len(ours) && !slices.Contains(moment, name) {
		c.add(path, "length", len(recorded), len(ours))
	}
	for i := range n {
		c.value(fmt.Sprintf("%s[%d]", path, i), name, recorded[i], ours[i])
	}
}

var origin = regexp.MustCompile(`https://[^/"]+`)

// differ judges two values of one type. Host names never count.
func (c *comparison) differ(name string, recorded, ours any) bool {
	a, b := origin.ReplaceAllString(
		fmt.Sprint(recorded),
		"https://host",
	), origin.ReplaceAllString(
		fmt.Sprint(ours),
		"https://host",
	)
	switch {
	case slices.Contains(moment, name):
		return (a == "") != (b == "")
	case c.samePerson || slices.Contains(constants, name):
		return !reflect.DeepEqual(a, b)
	}
	return false
}

// decode opens a JWT; nil when it is none.
func decode(v any) any {
	s, _ := v.(string)
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil
	}
	var out yaml.MapSlice
	for i, name := range []string{"header", "payload"} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil
		}
		o, err := parse(raw)
		if err != nil {
			return nil
		}
		out = append(out, yaml.MapItem{Key: name, Value: o})
	}
	return out
}
