package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"time"
)

// An authority of the emulator's tree, shaped as IGC-Santé TEST.
type authorityDef struct {
	ID     string
	CN     string
	Parent string // "" for a root
}

// The three ranges (gammes), each a root with two domains.
var authorityDefs = []authorityDef{
	{"el-root", "TEST AC RACINE IGC-SANTE ELEMENTAIRE", ""},
	{"el-org", "TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", "el-root"},
	{"st-root", "TEST AC RACINE IGC-SANTE STANDARD", ""},
	{"st-pers", "TEST AC IGC-SANTE STANDARD PERSONNES", "st-root"},
	{"fo-root", "TEST AC RACINE IGC-SANTE FORT", ""},
	{"fo-pers", "TEST AC IGC-SANTE FORT PERSONNES", "fo-root"},
}

// ProfileName is the name of a kind of certificate.
type ProfileName string

// The profiles of certificates.
const (
	ProfileAuthCLI   ProfileName = "AUTH_CLI"   // of a client, for mTLS
	ProfileSign      ProfileName = "SIGN"       // of an organisation, for signature
	ProfileConf      ProfileName = "CONF"       // of an organisation, for encryption
	ProfileSSLServ   ProfileName = "SSL_SERV"   // of a server
	ProfileCardAuth  ProfileName = "CARD_AUTH"  // of a professional's card, for authentication
	ProfileCardSign  ProfileName = "CARD_SIGN"  // of a professional's card, for signature
	ProfileStaffAuth ProfileName = "STAFF_AUTH" // of a structure's card, for authentication
	ProfileStaffSign ProfileName = "STAFF_SIGN" // of a structure's card, for signature
)

// Valid tells whether the PKI issues such certificates.
func (n ProfileName) Valid() bool {
	_, ok := ProfileNamed(n)
	return ok
}

// Profile is one kind of certificate, as data.
type Profile struct {
	Name      ProfileName
	Label     string             // as people say it
	Authority string             // who issues it
	Category  byte               // product category, table TRE_G01
	KeyUsage  x509.KeyUsage      //
	ExtUsage  []x509.ExtKeyUsage //
	ExtOther  []asn1.ObjectIdentifier
	PolicyArc uint64 // last arc below 1.2.250.1.213.1.7.2.1.1.1 — ours, except 1
	Validity  time.Duration
}

// Product categories (TRE_G01).
const (
	CategorySoftware   byte = 0x83
	CategoryCard       byte = 0x80
	CategoryProduction byte = 0x00 // a card of production
)

const threeYears = 3 * 365 * 24 * time.Hour

var smartcardLogon = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}

// Profiles lists every kind the PKI issues. Arc 1 was read in a real TEST
// certificate of e-mail and signature use; the others are the emulator's own.
var Profiles = []Profile{
	{
		Name:      ProfileAuthCLI,
		Label:     "ORG AUTH_CLI",
		Authority: "el-org",
		Category:  CategorySoftware,
		KeyUsage:  x509.KeyUsageDigitalSignature,
		ExtUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		PolicyArc: 2,
		Validity:  threeYears,
	},
	{
		Name:      ProfileSign,
		Label:     "ORG SIGN",
		Authority: "el-org",
		Category:  CategorySoftware,
		KeyUsage:  x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		PolicyArc: 1,
		Validity:  threeYears,
	},
	{
		Name:      ProfileConf,
		Label:     "ORG CONF",
		Authority: "el-org",
		Category:  CategorySoftware,
		KeyUsage:  x509.KeyUsageKeyEncipherment,
		ExtUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		PolicyArc: 3,
		Validity:  threeYears,
	},
	{
		Name:      ProfileSSLServ,
		Label:     "SERV SSL",
		Authority: "el-org",
		Category:  CategorySoftware,
		KeyUsage:  x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PolicyArc: 4,
		Validity:  threeYears,
	},
	{
		Name:      ProfileCardAuth,
		Label:     "carte, authentification",
		Authority: "fo-pers",
		Category:  CategoryCard,
		KeyUsage:  x509.KeyUsageDigitalSignature,
		ExtUsage: []x509.ExtKeyUsage{
			x509.ExtKeyUsageClientAuth,
		},
		ExtOther:  []asn1.ObjectIdentifier{smartcardLogon},
		PolicyArc: 10,
		Validity:  threeYears,
	},
	{
		Name:      ProfileStaffAuth,
		Label:     "carte de personnel, authentification",
		Authority: "st-pers",
		Category:  CategoryCard,
		KeyUsage:  x509.KeyUsageDigitalSignature,
		ExtUsage: []x509.ExtKeyUsage{
			x509.ExtKeyUsageClientAuth,
		},
		ExtOther:  []asn1.ObjectIdentifier{smartcardLogon},
		PolicyArc: 11,
		Validity:  threeYears,
	},
	{
		Name:      ProfileCardSign,
		Label:     "carte, signature",
		Authority: "fo-pers",
		Category:  CategoryCard,
		KeyUsage:  x509.KeyUsageContentCommitment,
		ExtUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		PolicyArc: 12,
		Validity:  threeYears,
	},
	{
		Name:      ProfileStaffSign,
		Label:     "carte de personnel, signature",
		Authority: "st-pers",
		Category:  CategoryCard,
		KeyUsage:  x509.KeyUsageContentCommitment,
		ExtUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		PolicyArc: 13,
		Validity:  threeYears,
	},
}

// ProfileNamed finds a profile by its name.
func ProfileNamed(name ProfileName) (Profile, bool) {
	for _, p := range Profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// policyOf names the profile behind a policy of the emulator's, or "".
func policyOf(c *x509.Certificate) ProfileName {
	for _, p := range Profiles {
		for _, found := range c.Policies {
			if found.Equal(p.policy()) {
				return p.Name
			}
		}
	}
	return ""
}

func (p Profile) policy() x509.OID {
	oid, err := x509.OIDFromInts([]uint64{1, 2, 250, 1, 213, 1, 7, 2, 1, 1, 1, p.PolicyArc})
	if err != nil {
		panic(err) // the arcs above are constant
	}
	return oid
}

// Proprietary extensions of the GIP-CPS arc 1.2.250.1.71.1.2.
var (
	ExtCardSerial = proprietary(3)  // serial number of the card
	ExtProduct    = proprietary(2)  // product type, TRE_G02
	ExtCategory   = proprietary(5)  // product category, TRE_G01
	ExtProfession = proprietary(7)  // profession, TRE_G15
	ExtStudent    = proprietary(8)  // profession in training, TRE_G16
	ExtLevel      = proprietary(12) // level of responsibility, TRE_G04
)

func proprietary(arc int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 250, 1, 71, 1, 2, arc}
}
