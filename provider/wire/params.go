package wire

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Params are parameters in the order they are written.
type Params [][2]string

// Add appends a parameter, unless it is empty.
func (p *Params) Add(name, value string) {
	if value != "" {
		*p = append(*p, [2]string{name, value})
	}
}

// Encode writes a query.
func (p Params) Encode() string {
	parts := make([]string, len(p))
	for i, kv := range p {
		parts[i] = kv[0] + "=" + url.QueryEscape(kv[1])
	}
	return strings.Join(parts, "&")
}

// AddedTo is an address with these parameters behind those it has.
func (p Params) AddedTo(target string) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return target + separator + p.Encode()
}

// rawMembers are written as they are: numbers and objects.
var rawMembers = []string{"exp", "iat", "events"}

// MarshalJSON writes an object of strings in the order of the pairs.
func (p Params) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, kv := range p {
		value, err := json.Marshal(kv[1])
		if err != nil {
			return nil, err
		}
		if slices.Contains(rawMembers, kv[0]) {
			value = []byte(kv[1])
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + kv[0] + `":`)
		b.Write(value)
	}
	return []byte("{" + b.String() + "}"), nil
}

// errorParams are the parameters of a response that hold an error's text.
var errorParams = map[string]bool{"error": true, "error_description": true}

// Spelt gives the texts of errors among the parameters their form.
func (p Params) Spelt() Params {
	out := make(Params, len(p))
	for i, kv := range p {
		if errorParams[kv[0]] {
			kv[1] = Text(kv[1])
		}
		out[i] = kv
	}
	return out
}
