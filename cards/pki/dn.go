package pki

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// further spellings of attribute types that people and programs write.
var longNames = map[string]asn1.ObjectIdentifier{
	"COMMONNAME": oidCN, "SURNAME": oidSurname, "COUNTRYNAME": oidCountry, "LOCALITYNAME": oidLocality,
	"S": oidState, "STATEORPROVINCENAME": oidState, "ORGANIZATIONNAME": oidOrg, "ORGANIZATIONALUNITNAME": oidUnit,
	"G": oidGivenName, "GIVENNAME": oidGivenName, "T": oidTitle,
	"SERIALNUMBER": {2, 5, 4, 5}, "STREET": {2, 5, 4, 9}, "ORGANIZATIONIDENTIFIER": {2, 5, 4, 97},
	"E": {1, 2, 840, 113549, 1, 9, 1}, "EMAILADDRESS": {1, 2, 840, 113549, 1, 9, 1},
	"DC": {0, 9, 2342, 19200300, 100, 1, 25}, "UID": {0, 9, 2342, 19200300, 100, 1, 1},
}

// ParseDN reads a distinguished name as text (RFC 4514), in whatever order and
// with the blanks, quotes and escapes that OpenSSL, Java or a person writes.
func ParseDN(text string) (Name, error) {
	r := &dnReader{rest: text}
	var n Name
	for {
		var parts rdn
		for {
			a, err := r.attribute()
			if err != nil {
				return nil, err
			}
			parts = append(parts, a)
			if !r.skip('+') {
				break
			}
		}
		n = append(n, parts)
		if r.skip(',') || r.skip(';') {
			continue
		}
		return n, nil
	}
}

// Same tells whether two names are the same, read in either order: certificates
// begin with the country, RFC 4514 begins with the CN. Values count by the byte.
func (n Name) Same(other Name) bool {
	if len(n) == 0 || len(n) != len(other) {
		return false
	}
	if slices.EqualFunc(n, other, rdn.same) {
		return true
	}
	reversed := slices.Clone(other)
	slices.Reverse(reversed)
	return slices.EqualFunc(n, reversed, rdn.same)
}

// same compares two relative names, whose attributes have no order.
func (r rdn) same(other rdn) bool {
	if len(r) != len(other) {
		return false
	}
	sorted := func(of rdn) []string {
		var out []string
		for _, a := range of {
			out = append(out, a.oid.String()+"="+a.value)
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(sorted(r), sorted(other))
}

type dnReader struct{ rest string }

func (r *dnReader) blanks() { r.rest = strings.TrimLeft(r.rest, " \t\r\n") }

func (r *dnReader) skip(c byte) bool {
	r.blanks()
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *dnReader) attribute() (a attribute, err error) {
	name, rest, ok := strings.Cut(r.rest, "=")
	if !ok {
		return a, fmt.Errorf("%q is no TYPE=value", r.rest)
	}
	if a.oid, err = attributeType(strings.TrimSpace(name)); err != nil {
		return a, err
	}
	r.rest = rest
	r.blanks()
	if strings.HasPrefix(r.rest, `"`) {
		a.value, err = r.quoted()
	} else {
		a.value, err = r.plain()
	}
	return a, err
}

func attributeType(name string) (asn1.ObjectIdentifier, error) {
	name = strings.TrimPrefix(strings.ToUpper(name), "OID.")
	for oid, short := range shortNames {
		if strings.EqualFold(short, name) {
			return parseOID(oid)
		}
	}
	if oid := longNames[name]; oid != nil {
		return oid, nil
	}
	oid, err := parseOID(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no attribute type such as CN, O, OU, ST or C", name)
	}
	return oid, nil
}

// plain reads a value up to a separator that is not escaped.
func (r *dnReader) plain() (string, error) {
	var b strings.Builder
	kept := 0 // what a blank at the end must not cut off
	for r.rest != "" && !strings.ContainsRune(",;+", rune(r.rest[0])) {
		if r.rest[0] != '\\' {
			b.WriteByte(r.rest[0])
			r.rest = r.rest[1:]
			continue
		}
		if err := r.escaped(&b); err != nil {
			return "", err
		}
		kept = b.Len()
	}
	text := b.String()
	text = text[:kept] + strings.TrimRight(text[kept:], " \t\r\n")
	if kept == 0 && strings.HasPrefix(text, "#") {
		return fromBER(text[1:])
	}
	return valid(text)
}

// quoted reads a value between quotation marks (RFC 2253 §4).
func (r *dnReader) quoted() (string, error) {
	r.rest = r.rest[1:]
	var b strings.Builder
	for r.rest != "" {
		switch c := r.rest[0]; c {
		case '"':
			r.rest = r.rest[1:]
			if r.blanks(); r.rest != "" && !strings.ContainsRune(",;+", rune(r.rest[0])) {
				return "", fmt.Errorf("%q stands behind a quoted value", r.rest)
			}
			return valid(b.String())
		case '\\':
			if err := r.escaped(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			r.rest = r.rest[1:]
		}
	}
	return "", errors.New("a quotation mark is not closed")
}

// escaped reads a backslash with the character, or the two hexadecimal digits
// of a byte, behind it.
func (r *dnReader) escaped(b *strings.Builder) error {
	if len(r.rest) >= 3 {
		if raw, err := hex.DecodeString(r.rest[1:3]); err == nil {
			b.Write(raw)
			r.rest = r.rest[3:]
			return nil
		}
	}
	if len(r.rest) < 2 {
		return errors.New("nothing stands behind the last backslash")
	}
	b.WriteByte(r.rest[1])
	r.rest = r.rest[2:]
	return nil
}

// fromBER reads the value that RFC 4514 writes as # and the digits of its BER.
func fromBER(digits string) (string, error) {
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return "", fmt.Errorf(
			"#%s is no hexadecimal value; a value that begins with # has a backslash before it",
			digits,
		)
	}
	var value asn1.RawValue
	var text any
	rest, err := asn1.Unmarshal(raw, &value)
	if err == nil && len(rest) == 0 {
		_, err = asn1.Unmarshal(raw, &text)
	}
	s, ok := text.(string)
	if err != nil || !ok {
		return "", fmt.Errorf("#%s is no text", digits)
	}
	return valid(s)
}

func valid(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is no UTF-8", s)
	}
	return s, nil
}
