package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
)

// Attribute types of the names in use (X.520, RFC 4519).
var (
	oidCN        = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSurname   = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidCountry   = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidLocality  = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidState     = asn1.ObjectIdentifier{2, 5, 4, 8}
	oidOrg       = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit      = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidTitle     = asn1.ObjectIdentifier{2, 5, 4, 12}
	oidGivenName = asn1.ObjectIdentifier{2, 5, 4, 42}
	oidPseudonym = asn1.ObjectIdentifier{2, 5, 4, 65}
)

var shortNames = map[string]string{
	oidCN.String():        "CN",
	oidSurname.String():   "SN",
	oidCountry.String():   "C",
	oidLocality.String():  "L",
	oidState.String():     "ST",
	oidOrg.String():       "O",
	oidUnit.String():      "OU",
	oidTitle.String():     "title",
	oidGivenName.String(): "GN",
	oidPseudonym.String(): "pseudonym",
}

type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

// rdn is one relative name; more than one attribute makes it multi-valued.
type rdn []attribute

// EditorID is the structure in the subject of the certificates that the emulator
// makes for a client. No structure of the order desk may bear it: the client is
// bound to that subject.
const EditorID = "300000000029751"

// Name is a distinguished name in the order it is written in the certificate,
// which crypto/x509's own type would not keep.
type Name []rdn

// ORGName is the subject of an organisation's certificate: department
// ("Paris (75)"), structure, its national id, the service's name.
func ORGName(department, organisation, structureID, service string) Name {
	return Name{
		{{oidCountry, "FR"}},
		{{oidState, department}},
		{{oidOrg, organisation}},
		{{oidUnit, structureID}},
		{{oidCN, service}},
	}
}

// PSName is the subject of a health professional's card: title is the label of
// the profession, id the national id; CN, SN and GN share one RDN.
func PSName(title, id, surname, givenName string) Name {
	return Name{
		{{oidCountry, "FR"}},
		{{oidTitle, title}},
		{{oidCN, id}, {oidSurname, surname}, {oidGivenName, givenName}},
	}
}

// StaffName is the subject of a nominative CPE, CDE, CPA or CDA card.
func StaffName(organisation, department, structureID, id, surname, givenName string) Name {
	return Name{{{oidCountry, "FR"}}, {{oidOrg, organisation}}, {{oidLocality, department}}, {{oidUnit, structureID}},
		{{oidCN, id}, {oidSurname, surname}, {oidGivenName, givenName}}}
}

// ServiceName is the subject of a carte de service, which names no person:
// department, structure, its national id, a title and a pseudonym.
func ServiceName(department, organisation, structureID, title, pseudonym, id string) Name {
	return Name{
		{{oidCountry, "FR"}},
		{{oidState, department}},
		{{oidOrg, organisation}},
		{{oidUnit, structureID}},
		{{oidTitle, title}},
		{{oidPseudonym, pseudonym}},
		{{oidCN, id}},
	}
}

func authorityName(cn string) Name {
	return Name{
		{{oidCountry, "FR"}},
		{{oidOrg, "ASIP-SANTE"}},
		{{oidUnit, "0002 187512751"}},
		{{oidUnit, "IGC-SANTE TEST"}},
		{{oidUnit, "EMULATEUR"}},
		{{oidCN, cn}},
	}
}

func (n Name) marshal() ([]byte, error) {
	var seq pkix.RDNSequence
	for _, r := range n {
		var set pkix.RelativeDistinguishedNameSET
		for _, a := range r {
			value := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(a.value)}
			if a.oid.Equal(oidCountry) {
				value.Tag = asn1.TagPrintableString
			}
			set = append(set, pkix.AttributeTypeAndValue{Type: a.oid, Value: value})
		}
		seq = append(seq, set)
	}
	return asn1.Marshal(seq)
}

// ParseName reads a raw subject or issuer in its own order.
func ParseName(raw []byte) (Name, error) {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &seq); err != nil {
		return nil, err
	}
	var n Name
	for _, set := range seq {
		var r rdn
		for _, a := range set {
			s, _ := a.Value.(string)
			r = append(r, attribute{a.Type, s})
		}
		n = append(n, r)
	}
	return n, nil
}

// String writes the name in the order of the certificate: "C=FR, …, CN=demo".
func (n Name) String() string {
	var parts []string
	for _, r := range n {
		var values []string
		for _, a := range r {
			short := shortNames[a.oid.String()]
			if short == "" {
				short = a.oid.String()
			}
			values = append(values, short+"="+escape(a.value))
		}
		parts = append(parts, strings.Join(values, " + "))
	}
	return strings.Join(parts, ", ")
}

var escaper = strings.NewReplacer(
	`\`,
	`\\`,
	`,`,
	`\,`,
	`+`,
	`\+`,
	`;`,
	`\;`,
	"\t",
	`\09`,
	"\x00",
	`\00`,
	"\r",
	`\0D`,
	"\n",
	`\0A`,
)

// escape makes a value one of RFC 4514, so that the text reads as the name again.
func escape(s string) string {
	out := escaper.Replace(s)
	if strings.HasPrefix(s, "#") || strings.HasPrefix(s, " ") || strings.HasPrefix(s, `"`) {
		out = `\` + out
	}
	if len(s) > 1 && strings.HasSuffix(s, " ") {
		out = out[:len(out)-1] + `\ `
	}
	return out
}

// values returns every value of one attribute type.
func (n Name) values(oid asn1.ObjectIdentifier) []string {
	var out []string
	for _, r := range n {
		for _, a := range r {
			if a.oid.Equal(oid) {
				out = append(out, a.value)
			}
		}
	}
	return out
}

func (n Name) first(oid asn1.ObjectIdentifier) string {
	if v := n.values(oid); len(v) > 0 {
		return v[0]
	}
	return ""
}
