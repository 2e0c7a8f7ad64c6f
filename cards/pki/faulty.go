package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // fingerprints
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

// Faulty is a certificate with a fault, for the tests of whatever judges client
// certificates: what is wrong or unusual, and what a correct peer must do with it.
type Faulty struct {
	Name   string  `json:"name"`
	Fault  string  `json:"odd"` // what is wrong, or unusual
	Must   Verdict `json:"must"`
	Code   string  `json:"code"`   // of this emulator's refusal, "" for accepted
	Chain  []byte  `json:"chain"`  // PEM, as it is to be presented
	Key    []byte  `json:"key"`    // PEM
	Finger string  `json:"sha256"` // of the first certificate
}

// Verdict is what a correct peer does with a certificate.
type Verdict string

// The verdicts.
const (
	Refuse Verdict = "refuse"
	Accept Verdict = "accept"
)

// faultRow is one row of the matrix: how the template of a good ORG AUTH_CLI
// certificate is changed, or how something else is made in its place.
type faultRow struct {
	name, fault, code string
	change            func(*workshop, *x509.Certificate)                             // of the good template
	make              func(*workshop) (chain [][]byte, key crypto.Signer, err error) // instead
}

// workshop makes the rows: the client they are for, the authorities, a key
// that most of them share.
type workshop struct {
	ctx    context.Context
	pki    *PKI
	client string
	name   Name
	now    time.Time
	issuer *Authority
	key    crypto.Signer
	err    error
	ends   map[string]time.Time // of the rows' certificates that parse, by fingerprint
}

// Apart is a certificate that was made for a test of others: it is known, but
// not listed.
type Apart struct {
	SHA256   string `json:"sha256"`
	ClientID string `json:"client_id"`
}

// apart are such certificates, by their fingerprint, until they end.
var apart = store.Collection[Apart]("certificates-apart")

// FaultyFor makes the matrix for a client's certificate. None of it is listed
// with the certificates, but the revoked one.
func (p *PKI) FaultyFor(ctx context.Context, client string, subject Name) ([]Faulty, error) {
	issuer, err := p.Authority(ctx, "el-org")
	if err != nil {
		return nil, err
	}
	key, err := NewKey("rsa2048")
	if err != nil {
		return nil, err
	}
	w := &workshop{
		ctx:    ctx,
		pki:    p,
		client: client,
		name:   subject,
		now:    p.clock.Now(),
		issuer: issuer,
		key:    key,
		ends:   map[string]time.Time{},
	}
	out := make([]Faulty, 0, len(faultRows))
	for _, o := range faultRows {
		b, err := w.row(o)
		if err != nil {
			return nil, err
		}
		out = append(out, *b)
	}
	return out, p.store.Update(ctx, func(tx store.Tx) error { return w.keepIn(tx, out) })
}

// keepIn makes the rows known, so that each is judged by its fault.
func (w *workshop) keepIn(tx store.Tx, rows []Faulty) error {
	for _, b := range rows {
		ends := w.ends[b.Finger]
		if life := ends.Sub(w.now); life > 0 {
			if err := apart.Put(tx, b.Finger, Apart{b.Finger, w.client}, life); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *workshop) row(o faultRow) (*Faulty, error) {
	build := o.make
	if build == nil {
		build = func(w *workshop) ([][]byte, crypto.Signer, error) {
			return w.signed(func(c *x509.Certificate) { o.change(w, c) })
		}
	}
	w.err = nil
	chain, key, err := build(w)
	if err == nil {
		err = w.err
	}
	if err != nil {
		return nil, err
	}
	b := &Faulty{Name: o.name, Fault: o.fault, Must: Refuse, Code: o.code, Finger: fingerprint(chain[0])}
	if o.code == "" {
		b.Must = Accept
	}
	if c, err := x509.ParseCertificate(chain[0]); err == nil {
		w.ends[b.Finger] = c.NotAfter
	}
	for _, der := range chain {
		b.Chain = append(b.Chain, EncodePEM("CERTIFICATE", der)...)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	b.Key = EncodePEM("PRIVATE KEY", pkcs8)
	return b, err
}

func fingerprint(der []byte) string {
	h := crypto.SHA256.New()
	h.Write(der)
	return hex.EncodeToString(h.Sum(nil))
}

// good is the template of a certificate that would be accepted.
func (w *workshop) good(subject Name) *x509.Certificate {
	profile, _ := ProfileNamed(ProfileAuthCLI)
	tmpl, err := w.pki.template(profile, Request{Subject: subject})
	if err != nil {
		w.err = err
		return &x509.Certificate{}
	}
	return tmpl
}

// signed changes the good template and has the right authority sign it.
func (w *workshop) signed(change func(*x509.Certificate)) ([][]byte, crypto.Signer, error) {
	return w.signedBy(change, w.issuer.Cert, w.issuer.Key, w.key)
}

func (w *workshop) signedBy(
	change func(*x509.Certificate),
	ca *x509.Certificate,
	caKey, key crypto.Signer,
) ([][]byte, crypto.Signer, error) {
	tmpl := w.good(w.name)
	change(tmpl)
	if ca == nil {
		ca = tmpl
	}
	if _, isRSA := caKey.Public().(*rsa.PublicKey); !isRSA {
		tmpl.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca, key.Public(), caKey)
	if err != nil {
		return nil, nil, err
	}
	return w.above(der), key, nil
}

// above is the certificate with its issuing authority.
func (w *workshop) above(der []byte) [][]byte { return [][]byte{der, w.issuer.Cert.Raw} }

// keyed makes a good certificate with a key of another type.
func keyed(kind string) func(*workshop) ([][]byte, crypto.Signer, error) {
	return func(w *workshop) ([][]byte, crypto.Signer, error) {
		key, err := NewKey(kind)
		if err != nil {
			return nil, nil, err
		}
		return w.signedBy(func(*x509.Certificate) {}, w.issuer.Cert, w.issuer.Key, key)
	}
}

// of issues a certificate of another profile, whose key the PKI makes.
func of(profile ProfileName, subject func(*workshop) Name) func(*workshop) ([][]byte, crypto.Signer, error) {
	return func(w *workshop) ([][]byte, crypto.Signer, error) {
		p, _ := ProfileNamed(profile)
		issuer, err := w.pki.Authority(w.ctx, p.Authority)
		if err != nil {
			return nil, nil, err
		}
		tmpl, err := w.pki.template(p, Request{Subject: subject(w)})
		if err != nil {
			return nil, nil, err
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer.Cert, w.key.Public(), issuer.Key)
		return [][]byte{der, issuer.Cert.Raw}, w.key, err
	}
}

func (w *workshop) own() Name { return w.name }

// named changes the subject.
func named(n func(*workshop) Name) func(*workshop, *x509.Certificate) {
	return func(w *workshop, c *x509.Certificate) {
		raw, err := n(w).marshal()
		if err != nil {
			w.err = err
		}
		c.RawSubject = raw
	}
}

// called is the client's name with another CN.
func called(cn func(string) string) func(*workshop, *x509.Certificate) {
	return named(func(w *workshop) Name { return w.with(oidCN, cn(w.client)) })
}

// with is the client's name with other values of an attribute; none takes the
// attribute away.
func (w *workshop) with(oid asn1.ObjectIdentifier, values ...string) Name {
	var out Name
	for _, r := range w.name {
		if !r[0].oid.Equal(oid) {
			out = append(out, r)
		}
	}
	for _, v := range values {
		out = append(out, rdn{{oid, v}})
	}
	return out
}

// stranger is an authority of nobody's with our names.
func (w *workshop) stranger(name []byte) (*x509.Certificate, crypto.Signer, error) {
	key, err := NewKey("ecdsa")
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		RawSubject:            name,
		NotBefore:             w.now.Add(-time.Hour),
		NotAfter:              w.now.AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func without(exts []pkix.Extension, id asn1.ObjectIdentifier) []pkix.Extension {
	return slices.DeleteFunc(slices.Clone(exts), func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// category changes the product category.
func category(value []byte) func(*workshop, *x509.Certificate) {
	return func(_ *workshop, c *x509.Certificate) {
		c.ExtraExtensions = without(c.ExtraExtensions, ExtCategory)
		if value != nil {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: ExtCategory, Value: value})
		}
	}
}

func usage(u x509.KeyUsage) func(*workshop, *x509.Certificate) {
	return func(_ *workshop, c *x509.Certificate) { c.KeyUsage = u }
}

func extended(u ...x509.ExtKeyUsage) func(*workshop, *x509.Certificate) {
	return func(_ *workshop, c *x509.Certificate) { c.ExtKeyUsage = u }
}

func dates(from, until time.Duration) func(*workshop, *x509.Certificate) {
	return func(w *workshop, c *x509.Certificate) { c.NotBefore, c.NotAfter = w.now.Add(from), w.now.Add(until) }
}

const day = 24 * time.Hour

// faultRows is the matrix.
var faultRows = []faultRow{
	{
		name:   "good",
		fault:  "nothing: the certificate that must be accepted",
		change: func(*workshop, *x509.Certificate) {},
	},
	// Keys that are unusual, and right.
	{name: "key-rsa3072", fault: "an RSA key of 3072 bits", make: keyed("rsa3072")},
	{name: "key-rsa4096", fault: "an RSA key of 4096 bits", make: keyed("rsa4096")},
	{name: "key-ecdsa", fault: "an ECDSA P-256 key", make: keyed("ecdsa")},
	{name: "key-rsa1024", fault: "an RSA key of 1024 bits", code: "certificate-weak-key", make: weakKey},
	// Time.
	{name: "expired", fault: "expired an hour ago", code: "certificate-expired", change: dates(-30*day, -time.Hour)},
	{
		name:   "expired-long-ago",
		fault:  "expired five years ago",
		code:   "certificate-expired",
		change: dates(-8*365*day, -5*365*day),
	},
	{name: "not-yet-valid", fault: "valid from tomorrow", code: "certificate-not-yet-valid", change: dates(day, 30*day)},
	{
		name:   "never-valid",
		fault:  "its end lies before its beginning",
		code:   "certificate-expired",
		change: dates(-day, -2*day),
	},
	{name: "valid-for-a-century", fault: "valid for a hundred years", change: dates(-day, 100*365*day)},
	{name: "revoked", fault: "revoked: the CRL and OCSP say so", code: "certificate-revoked", make: revokedOne},
	// Other types.
	{
		name:  "type-sign",
		fault: "of type ORG SIGN",
		code:  "certificate-wrong-profile",
		make:  of(ProfileSign, (*workshop).own),
	},
	{
		name:  "type-conf",
		fault: "of type ORG CONF",
		code:  "certificate-wrong-profile",
		make:  of(ProfileConf, (*workshop).own),
	},
	{
		name:  "type-ssl-serv",
		fault: "of type SERV SSL",
		code:  "certificate-wrong-profile",
		make:  of(ProfileSSLServ, (*workshop).own),
	},
	{
		name:  "card-ps",
		fault: "a health professional's card whose CN is the client_id",
		code:  "certificate-card",
		make:  of(ProfileCardAuth, func(w *workshop) Name { return PSName("Médecin", w.client, "DOC", "KIT") }),
	},
	{
		name:  "card-staff",
		fault: "a staff card whose CN is the client_id",
		code:  "certificate-card",
		make: of(
			ProfileStaffAuth,
			func(w *workshop) Name { return StaffName("X", "Paris (75)", "300000000029751", w.client, "DOC", "KIT") },
		),
	},
	{
		name:   "no-policy",
		fault:  "no certificate policy",
		code:   "certificate-wrong-profile",
		change: func(_ *workshop, c *x509.Certificate) { c.Policies = nil },
	},
	{
		name:   "other-policy",
		fault:  "a policy of somebody else's",
		code:   "certificate-wrong-profile",
		change: func(_ *workshop, c *x509.Certificate) { c.Policies = []x509.OID{mustOID(1, 3, 6, 1, 4, 1, 99999, 1)} },
	},
	// Usages.
	{name: "usage-none", fault: "no key usage", code: "certificate-wrong-usage", change: usage(0)},
	{
		name:   "usage-encipherment",
		fault:  "key usage keyEncipherment alone",
		code:   "certificate-wrong-usage",
		change: usage(x509.KeyUsageKeyEncipherment),
	},
	{
		name:   "usage-non-repudiation",
		fault:  "key usage nonRepudiation alone",
		code:   "certificate-wrong-usage",
		change: usage(x509.KeyUsageContentCommitment),
	},
	{
		name:   "usage-more",
		fault:  "key usage keyEncipherment beside digitalSignature",
		change: usage(x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment),
	},
	{name: "extended-none", fault: "no extended key usage", code: "certificate-wrong-extended-usage", change: extended()},
	{
		name:   "extended-server",
		fault:  "extended key usage serverAuth alone",
		code:   "certificate-wrong-extended-usage",
		change: extended(x509.ExtKeyUsageServerAuth),
	},
	{
		name:   "extended-mail",
		fault:  "extended key usage emailProtection alone",
		code:   "certificate-wrong-extended-usage",
		change: extended(x509.ExtKeyUsageEmailProtection),
	},
	{
		name:   "extended-any",
		fault:  "anyExtendedKeyUsage, without clientAuth by its name",
		code:   "certificate-wrong-extended-usage",
		change: extended(x509.ExtKeyUsageAny),
	},
	{
		name:   "extended-more",
		fault:  "serverAuth beside clientAuth",
		change: extended(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth),
	},
	{
		name:   "authority",
		fault:  "basicConstraints says that it is an authority",
		code:   "certificate-is-authority",
		change: func(_ *workshop, c *x509.Certificate) { c.IsCA = true },
	},
	{
		name:  "critical-extension",
		fault: "a critical extension that nobody knows",
		code:  "certificate-critical-extension",
		change: func(_ *workshop, c *x509.Certificate) {
			c.ExtraExtensions = append(
				c.ExtraExtensions,
				pkix.Extension{
					Id:       asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2},
					Critical: true,
					Value:    []byte{5, 0},
				},
			)
		},
	},
	{
		name:  "unknown-extension",
		fault: "an extension that nobody knows, not critical",
		change: func(_ *workshop, c *x509.Certificate) {
			c.ExtraExtensions = append(
				c.ExtraExtensions,
				pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 3}, Value: []byte{5, 0}},
			)
		},
	},
	// Product category.
	{name: "category-none", fault: "no product category", code: "certificate-category", change: category(nil)},
	{
		name:   "category-card",
		fault:  "the product category of a card (80)",
		code:   "certificate-card",
		change: category([]byte{asn1.TagOctetString, 1, CategoryCard}),
	},
	{
		name:   "category-production",
		fault:  "the product category of production (03)",
		code:   "certificate-category",
		change: category([]byte{asn1.TagOctetString, 1, 0x03}),
	},
	{
		name:   "category-broken",
		fault:  "a product category that is no DER",
		code:   "certificate-category",
		change: category([]byte{0xff, 0x01}),
	},
	// Who signed.
	{
		name:  "self-signed",
		fault: "signed by itself",
		code:  "certificate-self-signed",
		make: func(w *workshop) ([][]byte, crypto.Signer, error) {
			chain, key, err := w.signedBy(func(*x509.Certificate) {}, nil, w.key, w.key)
			return firstOf(chain), key, err
		},
	},
	{
		name:  "unknown-authority",
		fault: "signed by an authority that nobody knows",
		code:  "certificate-unknown-authority",
		make: func(w *workshop) ([][]byte, crypto.Signer, error) {
			name, err := authorityName("AC DE PERSONNE").marshal()
			if err != nil {
				return nil, nil, err
			}
			return w.byStranger(name)
		},
	},
	{
		name:  "same-names",
		fault: "signed by an authority with the names of the right one and another key",
		code:  "certificate-unknown-authority",
		make:  func(w *workshop) ([][]byte, crypto.Signer, error) { return w.byStranger(w.issuer.Cert.RawSubject) },
	},
	{
		name:  "signature-broken",
		fault: "one bit of the signature is wrong",
		code:  "certificate-unknown-authority",
		make: func(w *workshop) ([][]byte, crypto.Signer, error) {
			chain, key, err := w.signed(func(*x509.Certificate) {})
			if err == nil {
				chain[0][len(chain[0])-1] ^= 1
			}
			return chain, key, err
		},
	},
	{
		name:  "altered",
		fault: "the name was altered after it was signed",
		code:  "certificate-unknown-authority",
		make: func(w *workshop) ([][]byte, crypto.Signer, error) {
			chain, key, err := w.signed(func(*x509.Certificate) {})
			if err == nil {
				chain[0] = bytes.Replace(chain[0], []byte("FR"), []byte("GB"), 2)
			}
			return chain, key, err
		},
	},
	{
		name:  "by-the-root",
		fault: "signed by the root, not by its authority for organisations",
		code:  "certificate-other-authority",
		make:  func(w *workshop) ([][]byte, crypto.Signer, error) { return w.by("el-root") },
	},
	{
		name:  "by-a-card-authority",
		fault: "signed by the authority of the cards",
		code:  "certificate-other-authority",
		make:  func(w *workshop) ([][]byte, crypto.Signer, error) { return w.by("fo-pers") },
	},
	{
		name:  "by-a-leaf",
		fault: "signed by a certificate that is no authority",
		code:  "certificate-two-leaves",
		make:  byLeaf,
	},
	{
		name:  "chain-without-authority",
		fault: "sent without its authority, which the peer knows",
		make: func(w *workshop) ([][]byte, crypto.Signer, error) {
			chain, key, err := w.signed(func(*x509.Certificate) {})
			return firstOf(chain), key, err
		},
	},
	{
		name:  "chain-two-leaves",
		fault: "sent with another certificate of the same client behind it",
		code:  "certificate-two-leaves",
		make: func(w *workshop) ([][]byte, crypto.Signer, error) {
			chain, key, err := w.signed(func(*x509.Certificate) {})
			if err != nil {
				return nil, nil, err
			}
			other, _, err := w.signed(func(*x509.Certificate) {})
			return append(firstOf(chain), other...), key, err
		},
	},
	{name: "chain-with-the-root", fault: "sent with its root", make: func(w *workshop) ([][]byte, crypto.Signer, error) {
		root, err := w.pki.Authority(w.ctx, "el-root")
		if err != nil {
			return nil, nil, err
		}
		chain, key, err := w.signed(func(*x509.Certificate) {})
		return append(chain, root.Cert.Raw), key, err
	}},
	// Names.
	{
		name:   "cn-other-client",
		fault:  "the CN of another client",
		code:   "certificate-other-client",
		change: called(func(id string) string { return id + "-other" }),
	},
	{
		name:   "cn-other-case",
		fault:  "the CN in another case",
		code:   "certificate-other-client",
		change: called(swapCase),
	},
	{
		name:   "cn-with-space",
		fault:  "a space behind the CN",
		code:   "certificate-other-client",
		change: called(func(id string) string { return id + " " }),
	},
	{
		name:   "cn-comma",
		fault:  "a comma and a second CN within the CN",
		code:   "certificate-other-client",
		change: called(func(id string) string { return id + ",CN=evil" }),
	},
	{
		name:   "cn-plus",
		fault:  "a plus and a second CN within the CN",
		code:   "certificate-other-client",
		change: called(func(id string) string { return id + "+CN=evil" }),
	},
	{
		name:   "cn-nul",
		fault:  "a NUL within the CN",
		code:   "certificate-subject",
		change: called(func(id string) string { return id + "\x00.evil" }),
	},
	{
		name:   "cn-missing",
		fault:  "no CN",
		code:   "certificate-subject",
		change: named(func(w *workshop) Name { return w.with(oidCN) }),
	},
	{
		name:   "cn-twice",
		fault:  "two CNs, the second one right",
		code:   "certificate-subject",
		change: named(func(w *workshop) Name { return w.with(oidCN, "another", w.client) }),
	},
	{
		name:   "ou-missing",
		fault:  "no OU with a structure",
		code:   "certificate-subject",
		change: named(func(w *workshop) Name { return w.with(oidUnit) }),
	},
	{
		name:   "ou-no-structure",
		fault:  "an OU that is no structure's id",
		code:   "certificate-subject",
		change: named(func(w *workshop) Name { return w.with(oidUnit, "Direction informatique") }),
	},
	{
		name:  "name-of-a-card",
		fault: "a multi-valued name, as cards have",
		code:  "certificate-subject",
		change: named(
			func(w *workshop) Name { return StaffName("X", "Paris (75)", "300000000029751", w.client, "DOC", "KIT") },
		),
	},
	{
		name:   "name-empty",
		fault:  "no subject at all",
		code:   "certificate-subject",
		change: named(func(*workshop) Name { return Name{} }),
	},
}

func firstOf(chain [][]byte) [][]byte {
	if len(chain) == 0 {
		return nil
	}
	return chain[:1:1]
}

func swapCase(s string) string {
	out := []byte(s)
	for n, c := range out {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			out[n] = c ^ 0x20
		}
	}
	return string(out)
}

func mustOID(arcs ...uint64) x509.OID {
	oid, err := x509.OIDFromInts(arcs)
	if err != nil {
		panic(err) // constant
	}
	return oid
}

func (w *workshop) byStranger(name []byte) ([][]byte, crypto.Signer, error) {
	ca, caKey, err := w.stranger(name)
	if err != nil {
		return nil, nil, err
	}
	chain, key, err := w.signedBy(func(*x509.Certificate) {}, ca, caKey, w.key)
	if err != nil {
		return nil, nil, err
	}
	return [][]byte{chain[0], ca.Raw}, key, nil
}

// by has another of our authorities sign.
func (w *workshop) by(authority string) ([][]byte, crypto.Signer, error) {
	a, err := w.pki.Authority(w.ctx, authority)
	if err != nil {
		return nil, nil, err
	}
	chain, key, err := w.signedBy(func(*x509.Certificate) {}, a.Cert, a.Key, w.key)
	if err != nil {
		return nil, nil, err
	}
	return [][]byte{chain[0], a.Cert.Raw}, key, nil
}

// byLeaf misuses a good certificate of the client's as an authority.
func byLeaf(w *workshop) ([][]byte, crypto.Signer, error) {
	parent, _, err := w.signed(func(*x509.Certificate) {})
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(parent[0])
	if err != nil {
		return nil, nil, err
	}
	key, err := NewKey("ecdsa")
	if err != nil {
		return nil, nil, err
	}
	chain, _, err := w.signedBy(func(*x509.Certificate) {}, leaf, w.key, key)
	if err != nil {
		return nil, nil, err
	}
	return append(firstOf(chain), parent...), key, nil
}

// revokedOne is issued as usual, and revoked.
func revokedOne(w *workshop) ([][]byte, crypto.Signer, error) {
	c, err := w.pki.Issue(w.ctx, Request{Profile: ProfileAuthCLI, Subject: w.name, Key: w.key, ClientID: w.client})
	if err == nil {
		err = w.pki.Revoke(w.ctx, c.Serial)
	}
	if err != nil {
		return nil, nil, err
	}
	return w.above(c.DER), w.key, nil
}

// weakKey signs a key of 1024 bits.
func weakKey(w *workshop) ([][]byte, crypto.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return nil, nil, err
	}
	return w.signedBy(func(*x509.Certificate) {}, w.issuer.Cert, w.issuer.Key, key)
}
