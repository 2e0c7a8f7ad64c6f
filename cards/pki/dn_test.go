package pki

import (
	"testing"
)

func TestADistinguishedNameIsReadInEverySpelling(t *testing.T) {
	want := ORGName("Paris (75)", "CABINET A, B + C", "300000000029751", "demo")
	for name, text := range map[string]string{
		"as we write it":              want.String(),
		"RFC 4514, the CN first":      `CN=demo,OU=300000000029751,O=CABINET A\, B \+ C,ST=Paris (75),C=FR`,
		"blanks and a line break":     "C = FR , ST = Paris (75),\n O=CABINET A\\, B \\+ C, OU=300000000029751, CN=demo ",
		"quoted, as RFC 2253 allowed": `C=FR, ST=Paris (75), O="CABINET A, B + C", OU=300000000029751, CN=demo`,
		"semicolons":                  `C=FR; ST=Paris (75); O=CABINET A\, B \+ C; OU=300000000029751; CN=demo`,
		"lower case and long types": `commonName=demo,ou=300000000029751,o=CABINET A\2C B \2b C,S=Paris ` +
			`(75),countryName=FR`,
		"OIDs": `2.5.4.3=demo,OID.2.5.4.11=300000000029751,2.5.4.10=CABINET A\, B \+ ` +
			`C,2.5.4.8=Paris (75),2.5.4.6=FR`,
		"a value in BER": `CN=#0c0464656d6f,OU=300000000029751,O=CABINET A\, B \+ C,ST=Paris (75),C=#13024652`,
	} {
		got, err := ParseDN(text)
		if err != nil || !got.Same(want) || !want.Same(got) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"another structure":   `C=FR, ST=Paris (75), O=CABINET A\, B \+ C, OU=300000000029752, CN=demo`,
		"a name too many":     want.String() + ", CN=demo",
		"a name too few":      `ST=Paris (75), O=CABINET A\, B \+ C, OU=300000000029751, CN=demo`,
		"a mixed-up order":    `ST=Paris (75), C=FR, O=CABINET A\, B \+ C, OU=300000000029751, CN=demo`,
		"another case":        `C=FR, ST=PARIS (75), O=CABINET A\, B \+ C, OU=300000000029751, CN=demo`,
		"one multi-valued":    `C=FR, ST=Paris (75), O=CABINET A\, B \+ C, OU=300000000029751 + CN=demo`,
		"a blank in the name": `C=FR, ST=Paris (75), O=CABINET A\, B \+ C, OU=300000000029751, CN=\ demo`,
	} {
		if got, err := ParseDN(text); err != nil || got.Same(want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, text := range []string{
		"",
		"demo",
		"=demo",
		"XX=demo",
		"2.x=demo",
		"CN=demo,",
		`CN="demo`,
		`CN="demo" x`,
		`CN=demo\`,
		"CN=#zz",
		"CN=#0201ff",
		"CN=\\ff",
		"/C=FR/CN=demo",
	} {
		if got, err := ParseDN(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

// FuzzDN: whatever values a name holds, its text reads as the same name; and no
// text makes the reader fail otherwise than by an error.
func FuzzDN(f *testing.F) {
	for _, seed := range []string{"demo", "#0c04", " a ", "a\\", `"a"`, "a;b,c+d=e", "\t\r\n\x00", `\2c`, "é", "\\\\ "} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, organisation, text string) {
		_, _ = ParseDN(text)
		if _, err := valid(organisation); err != nil {
			return
		}
		n := Name{{{oidOrg, organisation}}, {{oidCN, "x"}, {oidSurname, organisation}}}
		back, err := ParseDN(n.String())
		if err != nil || !back.Same(n) {
			t.Errorf("%q: %q reads as %v, %v", organisation, n.String(), back, err)
		}
	})
}
