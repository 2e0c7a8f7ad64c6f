// Package pki is the emulator's public key infrastructure: authorities and
// certificates with the shape of IGC-Santé TEST, made at first use and kept in
// the store. Nothing of it chains to a real authority.
package pki

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Authority is a certification authority with its key.
type Authority struct {
	ID   string
	Cert *x509.Certificate
	Key  crypto.Signer
}

type authorityRecord struct {
	Key  []byte `json:"key"`  // PKCS #8
	Cert []byte `json:"cert"` // DER
}

// Certificate is what is kept of each certificate issued.
type Certificate struct {
	Serial     string      `json:"serial"` // hexadecimal
	Profile    ProfileName `json:"profile"`
	State      State       `json:"state"`
	Subject    string      `json:"subject"`
	Authority  string      `json:"authority"`
	ClientID   string      `json:"client_id,omitempty"`
	CardSerial string      `json:"card_serial,omitempty"`
	Structure  string      `json:"structure,omitempty"` // it was ordered for, at the order desk
	NotBefore  time.Time   `json:"not_before"`
	NotAfter   time.Time   `json:"not_after"`
	RevokedAt  *time.Time  `json:"revoked_at,omitempty"`
	DER        []byte      `json:"der"`
	Key        []byte      `json:"key,omitempty"` // PKCS #8, when made here
}

var (
	authorities  = store.Collection[authorityRecord]("authorities")
	certificates = store.Collection[Certificate]("certificates")
)

// PKI issues, verifies and revokes.
type PKI struct {
	store   store.Store
	clock   clock.Clock
	base    string // where CRL, OCSP and the authorities are served
	anchors []*x509.Certificate

	memo  store.Memo[Certificate]
	lists signedLists

	mu     sync.Mutex
	loaded map[string]*Authority
	// forgotten counts the calls of Forget: what was read before one is not kept.
	forgotten int
	paths     map[[sha256.Size]byte]path // of chains that were verified, by their bytes
	making    map[string]*sync.Mutex
}

// New opens the PKI; base, where its services are, goes into the certificates
// issued, anchors are foreign authorities whose certificates are accepted by
// their shape.
func New(s store.Store, c clock.Clock, base string, anchors []*x509.Certificate) *PKI {
	p := &PKI{
		store:   s,
		clock:   c,
		base:    base,
		anchors: anchors,
		loaded:  map[string]*Authority{},
		paths:   map[[sha256.Size]byte]path{},
		memo:    store.Memo[Certificate]{Of: certificates},
		making:  map[string]*sync.Mutex{},
	}
	for _, d := range authorityDefs {
		p.making[d.ID] = &sync.Mutex{}
	}
	return p
}

// Forget makes the authorities be read from the store again.
func (p *PKI) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded, p.paths = map[string]*Authority{}, map[[sha256.Size]byte]path{}
	p.forgotten++
	p.lists.forget()
}

// CertificateKey is the store's key of a certificate.
func CertificateKey(serial string) string { return certificates.Key(serial) }

// Warm loads the authorities, and makes those that are missing.
func (p *PKI) Warm(ctx context.Context) error {
	for _, d := range authorityDefs {
		if _, err := p.Authority(ctx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// AuthorityIDs lists the authorities of the tree.
func AuthorityIDs() []string {
	var ids []string
	for _, d := range authorityDefs {
		ids = append(ids, d.ID)
	}
	return ids
}

// Authority loads an authority, or makes it with its parent at first use.
func (p *PKI) Authority(ctx context.Context, id string) (*Authority, error) {
	lock := p.making[id]
	if lock == nil {
		return nil, problem.AuthorityUnknown.With("accepted", AuthorityIDs()).Got(id)
	}
	lock.Lock()
	defer lock.Unlock()
	const tries = 3 // everything may be replaced meanwhile
	for n := 1; ; n++ {
		p.mu.Lock()
		a, before := p.loaded[id], p.forgotten
		p.mu.Unlock()
		if a != nil {
			return a, nil
		}
		a, err := p.loadOrMake(ctx, id)
		if err == nil && p.keepLoaded(a, before) {
			return a, nil
		}
		if n == tries || err != nil && !problem.Is(err, problem.StoreReplaced) {
			return nil, fmt.Errorf("authority %s: %w", id, cmp.Or(err, replaced()))
		}
		if err != nil {
			p.drop(definition(id).Parent)
		}
	}
}

// keepLoaded remembers an authority, unless all were forgotten since it was read.
func (p *PKI) keepLoaded(a *Authority, before int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forgotten != before {
		return false
	}
	p.loaded[a.ID] = a
	return true
}

// drop makes one authority be read from the store again.
func (p *PKI) drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.loaded, id)
}

// replaced says that what was signed belongs to a content that serves no more.
func replaced() error {
	return problem.StoreReplaced.Of()
}

// signedIn refuses a certificate that the authority of this content did not
// sign: it was made while another content took the place of everything.
func signedIn(tx store.Tx, authority string, cert *x509.Certificate) error {
	rec, err := authorities.Maybe(tx, authority)
	if err != nil {
		return err
	}
	issuer, err := x509.ParseCertificate(rec.Cert)
	if err != nil || issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		return replaced()
	}
	return nil
}

func (p *PKI) loadOrMake(ctx context.Context, id string) (*Authority, error) {
	rec, err := authorities.Load(ctx, p.store, id)
	if errors.Is(err, store.ErrNotFound) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		return p.certify(ctx, id, key)
	}
	if err != nil {
		return nil, err
	}
	a, err := rec.authority(id)
	if err == nil && nearEnd(a.Cert, p.clock.Now()) {
		return p.certify(ctx, id, a.Key) // same key: what it signed stays good
	}
	return a, err
}

// nearEnd tells whether less than a sixth of the validity is left, or it has not
// begun: the clock may go back.
func nearEnd(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/6
}

func (p *PKI) certify(ctx context.Context, id string, key crypto.Signer) (*Authority, error) {
	def := definition(id)
	raw, err := authorityName(def.CN).marshal()
	if err != nil {
		return nil, err
	}
	now := p.clock.Now()
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		RawSubject:            raw,
		NotBefore:             now.Add(-24 * time.Hour),
		NotAfter:              now.AddDate(20, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	issuer := &Authority{Cert: tmpl, Key: key}
	if def.Parent != "" {
		if issuer, err = p.Authority(ctx, def.Parent); err != nil {
			return nil, err
		}
		tmpl.MaxPathLenZero = true
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer.Cert, key.Public(), issuer.Key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return p.keepAuthority(ctx, &Authority{ID: id, Cert: cert, Key: key}, authorityRecord{Key: pkcs8, Cert: der})
}

// keepAuthority keeps a new authority, unless another process was faster and
// its one is good: then that is the authority.
func (p *PKI) keepAuthority(ctx context.Context, a *Authority, rec authorityRecord) (*Authority, error) {
	kept := rec
	err := p.store.Update(ctx, func(tx store.Tx) error {
		there, err := authorities.Maybe(tx, a.ID)
		if err != nil {
			return err
		}
		if cert, err := x509.ParseCertificate(there.Cert); err == nil && !nearEnd(cert, p.clock.Now()) {
			kept = there
			return nil
		}
		if parent := definition(a.ID).Parent; parent != "" {
			if err := signedIn(tx, parent, a.Cert); err != nil {
				return err
			}
		}
		kept = rec
		return authorities.Put(tx, a.ID, rec, store.Forever)
	})
	if err != nil || bytes.Equal(kept.Cert, rec.Cert) {
		return a, err
	}
	return kept.authority(a.ID)
}

func (r authorityRecord) authority(id string) (*Authority, error) {
	key, err := parseKey(r.Key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(r.Cert)
	return &Authority{ID: id, Cert: cert, Key: key}, err
}

func definition(id string) authorityDef {
	for _, d := range authorityDefs {
		if d.ID == id {
			return d
		}
	}
	return authorityDef{}
}

// Request asks for one certificate.
type Request struct {
	Profile    ProfileName
	Subject    Name
	Key        crypto.Signer    // nil: a new key
	KeyType    string           // of a new key, one of KeyTypes; "" is RSA 2048
	PublicKey  crypto.PublicKey // instead of Key, from a CSR
	ClientID   string           // the client it is meant for
	CardSerial string
	Structure  string
	Production bool              // a card like production's: category 00, not 80
	Extra      map[string]string // proprietary extension OID → code, cards only
	NotBefore  time.Time         // zero: now
	NotAfter   time.Time         // zero: by the profile
}

// Issue makes a certificate, and its key unless one was given, and keeps both.
func (p *PKI) Issue(ctx context.Context, o Request) (*Certificate, error) {
	c, err := p.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return c, p.store.Update(ctx, func(tx store.Tx) error { return p.KeepIn(tx, c) })
}

// KeepIn keeps a certificate that Prepare made.
func (p *PKI) KeepIn(tx store.Tx, c *Certificate) error {
	cert, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return err
	}
	if err := signedIn(tx, c.Authority, cert); err != nil {
		return err
	}
	return keepIn(tx, c)
}

// Prepare makes a certificate, and its key unless one was given. Nothing is
// kept: that is KeepIn's part, since a transaction makes no keys.
func (p *PKI) Prepare(ctx context.Context, o Request) (*Certificate, error) {
	profile, ok := ProfileNamed(o.Profile)
	if !ok {
		return nil, problem.ProfileUnknown.Got(string(o.Profile))
	}
	issuer, err := p.Authority(ctx, profile.Authority)
	if err != nil {
		return nil, err
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	tmpl, err := p.template(profile, o)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer.Cert, o.PublicKey, issuer.Key)
	if err != nil {
		return nil, err
	}
	rec := &Certificate{Serial: hex.EncodeToString(tmpl.SerialNumber.Bytes()), Profile: profile.Name, State: Valid,
		Subject: o.Subject.String(), Authority: profile.Authority, ClientID: o.ClientID, CardSerial: o.CardSerial,
		Structure: o.Structure, NotBefore: tmpl.NotBefore, NotAfter: tmpl.NotAfter, DER: der}
	if o.Key != nil {
		rec.Key, err = x509.MarshalPKCS8PrivateKey(o.Key)
	}
	return rec, err
}

// complete makes the key, unless the order brings one.
func (o *Request) complete() (err error) {
	if o.PublicKey != nil {
		return nil
	}
	if o.Key == nil {
		if o.Key, err = NewKey(o.KeyType); err != nil {
			return err
		}
	}
	o.PublicKey = o.Key.Public()
	return nil
}

// KeyTypes are the keys that can be made, by name; IGC-Santé's are RSA 2048.
var KeyTypes = map[string]func() (crypto.Signer, error){
	"rsa2048": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	"rsa3072": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) },
	"rsa4096": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 4096) },
	"ecdsa":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
}

// NewKey makes a key of a type of KeyTypes, RSA 2048 for "".
func NewKey(kind string) (crypto.Signer, error) {
	generate, known := KeyTypes[cmp.Or(kind, "rsa2048")]
	if !known {
		return nil, problem.KeyTypeUnknown.With("accepted", slices.Sorted(maps.Keys(KeyTypes))).Got(kind)
	}
	return generate()
}

// ParseCSR reads a certificate request (PKCS #10, PEM) and checks its
// signature; its subject is not looked at: the order says it.
func ParseCSR(raw []byte) (crypto.PublicKey, error) {
	bad := func(got string) error {
		return problem.CSRInvalid.Got(got)
	}
	block, _ := pem.Decode(raw)
	if block == nil || !strings.HasSuffix(block.Type, "CERTIFICATE REQUEST") {
		return nil, bad("no block CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err == nil && weak(csr.PublicKey) {
		err = errors.New("a weak or unknown key")
	}
	if err != nil {
		return nil, bad(err.Error())
	}
	return csr.PublicKey, nil
}

// weak tells whether a key is below what IGC-Santé accepts.
func weak(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() < 2048
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize < 256
	}
	return true
}

func (p *PKI) template(profile Profile, o Request) (*x509.Certificate, error) {
	raw, err := o.Subject.marshal()
	if err != nil {
		return nil, err
	}
	from := o.NotBefore
	if from.IsZero() {
		from = p.clock.Now().Add(-time.Hour)
	}
	until := o.NotAfter
	if until.IsZero() {
		until = from.Add(profile.Validity).AddDate(0, 1, 0)
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		RawSubject:            raw,
		NotBefore:             from,
		NotAfter:              until,
		BasicConstraintsValid: true,
		KeyUsage:              profile.KeyUsage,
		ExtKeyUsage:           profile.ExtUsage,
		UnknownExtKeyUsage:    profile.ExtOther,
		Policies:              []x509.OID{profile.policy()},
		SignatureAlgorithm:    x509.SHA256WithRSA,
		CRLDistributionPoints: []string{p.base + pathCRL + profile.Authority + ".crl"},
		OCSPServer: []string{
			p.base + pathOCSP,
		},
		IssuingCertificateURL: []string{p.base + pathCA + profile.Authority + ".crt"},
	}
	fresh, err := p.freshest(profile.Authority)
	if err != nil {
		return nil, err
	}
	own, err := proprietaryExtensions(profile, o, from, until)
	tmpl.ExtraExtensions = slices.Concat(own, fresh)
	return tmpl, err
}

func proprietaryExtensions(profile Profile, o Request, from, until time.Time) ([]pkix.Extension, error) {
	period, err := asn1.Marshal(struct {
		From  time.Time `asn1:"tag:0,generalized"`
		Until time.Time `asn1:"tag:1,generalized"`
	}{from.UTC().Truncate(time.Second), until.AddDate(0, -1, 0).UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	category := profile.Category
	if o.Production && category == CategoryCard {
		category = CategoryProduction
	}
	exts := []pkix.Extension{
		{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: period}, // privateKeyUsagePeriod
		{Id: ExtCategory, Value: []byte{asn1.TagOctetString, 1, category}},
	}
	for oid, code := range o.Extra {
		id, err := parseOID(oid)
		if err != nil {
			return nil, err
		}
		value, err := asn1.Marshal([]byte(code))
		if err != nil {
			return nil, err
		}
		exts = append(exts, pkix.Extension{Id: id, Value: value})
	}
	return exts, nil
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("OID %q: %w", s, err)
		}
		oid = append(oid, int(n))
	}
	return oid, nil
}

// AuthorityDER is an authority's certificate.
func (p *PKI) AuthorityDER(ctx context.Context, id string) ([]byte, error) {
	a, err := p.Authority(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.Cert.Raw, nil
}

// Certificate finds one by its serial (hexadecimal).
func (p *PKI) Certificate(ctx context.Context, serial string) (c *Certificate, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		c, err = p.CertificateIn(tx, serial)
		return err
	})
	return c, err
}

// CertificateIn finds one by its serial (hexadecimal).
func (p *PKI) CertificateIn(tx store.Tx, serial string) (*Certificate, error) {
	c, err := certificates.Get(tx, serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.CertificateUnknown.Got(serial)
	}
	return &c, err
}

// Chain is the certificate's issuers, nearest first, root last.
func (p *PKI) Chain(ctx context.Context, c *Certificate) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for id := c.Authority; id != ""; id = definition(id).Parent {
		a, err := p.Authority(ctx, id)
		if err != nil {
			return nil, err
		}
		chain = append(chain, a.Cert)
	}
	return chain, nil
}

// PEM writes the certificate with its issuing authority, and its key.
func (p *PKI) PEM(ctx context.Context, c *Certificate) (cert, key []byte, err error) {
	chain, err := p.Chain(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	cert = EncodePEM("CERTIFICATE", c.DER)
	for _, ca := range chain {
		cert = append(cert, EncodePEM("CERTIFICATE", ca.Raw)...)
	}
	if c.Key != nil {
		key = EncodePEM("PRIVATE KEY", c.Key)
	}
	return cert, key, nil
}

// PKCS12 packs certificate, key and chain under the password, as current
// stores read it.
func (p *PKI) PKCS12(ctx context.Context, c *Certificate, password string) ([]byte, error) {
	return p.pack(ctx, c, pkcs12.Modern, password)
}

// LegacyPKCS12 packs them as old stores need it (3DES, SHA-1).
func (p *PKI) LegacyPKCS12(ctx context.Context, c *Certificate, password string) ([]byte, error) {
	return p.pack(ctx, c, pkcs12.LegacyDES, password)
}

// Unpack reads what PKCS12 packed: the key as PEM, the certificate as DER.
func Unpack(p12 []byte, password string) (keyPEM, der []byte, err error) {
	key, leaf, _, err := pkcs12.DecodeChain(p12, password)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return EncodePEM("PRIVATE KEY", pkcs8), leaf.Raw, err
}

func (p *PKI) pack(ctx context.Context, c *Certificate, as *pkcs12.Encoder, password string) ([]byte, error) {
	if c.Key == nil {
		return nil, problem.KeyNotHere.Got(c.Serial)
	}
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, err
	}
	chain, err := p.Chain(ctx, c)
	if err != nil {
		return nil, err
	}
	return as.Encode(key, leaf, chain, password)
}

// EncodePEM writes one PEM block.
func EncodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ParsePEM reads every certificate of a PEM file.
func ParsePEM(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate in PEM form")
	}
	return out, nil
}

func parseKey(pkcs8 []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key of type %T cannot sign", key)
	}
	return signer, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[0] = b[0]&0x7f | 0x40 // positive, and always 128 bits long
	return new(big.Int).SetBytes(b)
}
