package pki

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// OrgIdentity is what a good ORG AUTH_CLI certificate says of its bearer.
type OrgIdentity struct {
	CN      string
	DN      string
	Name    Name
	Serial  string // hexadecimal
	Foreign bool   // of a configured trust anchor
}

// CardIdentity is what a good card certificate says of its holder.
type CardIdentity struct {
	NationalID  string
	FamilyName  string
	GivenName   string
	Title       string // label of the profession, health professionals only
	StructureID string
	Structure   string
	Product     string // TRE_G02
	Profession  string // TRE_G15
	Level       string // TRE_G04
	Serial      string // of the certificate
	CardSerial  string // ours only
	Foreign     bool
}

const wantOrg = problem.OrgCertificate

// refuse adds what was presented.
func refuse(p *problem.Error, c *x509.Certificate) *problem.Error {
	if c != nil {
		return p.Got(Describe(c))
	}
	return p
}

// Describe names a certificate for a person.
func Describe(c *x509.Certificate) string {
	subject, err := ParseName(c.RawSubject)
	if err != nil {
		return "a certificate with an unreadable subject"
	}
	issuer, _ := ParseName(c.RawIssuer)
	return fmt.Sprintf("%s, issued by %s", subject, issuer.first(oidCN))
}

// VerifyOrg judges the certificate a vendor's server presented: chain[0] is
// the one whose key the TLS handshake proved.
func (p *PKI) VerifyOrg(ctx context.Context, chain []*x509.Certificate) (*OrgIdentity, error) {
	if len(chain) == 0 {
		return nil, refuse(problem.CertificateMissing.With("wanted", wantOrg), nil)
	}
	leaf := chain[0]
	found, err := p.chains(ctx, chain, wantOrg)
	if err != nil {
		return nil, err
	}
	if err := p.inTime(leaf, wantOrg); err != nil {
		return nil, err
	}
	if found.org == nil {
		if found.org, err = p.orgIdentity(leaf, found.foreign); err != nil {
			return nil, err
		}
		p.remember(chain, found)
	}
	return found.org, p.known(ctx, leaf, found.foreign, wantOrg)
}

// orgIdentity judges the shape of a certificate whose signature is good.
func (p *PKI) orgIdentity(leaf *x509.Certificate, foreign bool) (*OrgIdentity, error) {
	if err := orgShape(leaf, foreign); err != nil {
		return nil, err
	}
	if !foreign && !p.issuedBy(leaf, "el-org") {
		return nil, refuse(problem.CertificateOtherAuthority.With("wanted", wantOrg), leaf)
	}
	name, err := ParseName(leaf.RawSubject)
	return &OrgIdentity{
		CN:      name.first(oidCN),
		DN:      name.String(),
		Name:    name,
		Serial:  hex.EncodeToString(leaf.SerialNumber.Bytes()),
		Foreign: foreign,
	}, err
}

// chains checks the signatures up to an authority we accept, whatever the date.
func (p *PKI) chains(ctx context.Context, chain []*x509.Certificate, want problem.Phrase) (path, error) {
	leaf := chain[0]
	if leaf.IsCA {
		return path{}, refuse(problem.CertificateIsAuthority.With("wanted", want), leaf)
	}
	for _, c := range chain[1:] {
		if !c.IsCA {
			return path{}, refuse(problem.CertificateTwoLeaves.With("wanted", want), leaf)
		}
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		return path{}, refuse(
			problem.CertificateCriticalExtension.With("extensions", leaf.UnhandledCriticalExtensions[0].String()).With(
				"wanted",
				want,
			),
			leaf,
		)
	}
	if found, ok := p.chained(chain); ok {
		return found, nil
	}
	// Right after the first start an authority may still be in the making.
	if err := p.Warm(ctx); err != nil {
		return path{}, err
	}
	if found, ok := p.chained(chain); ok {
		return found, nil
	}
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return path{}, refuse(problem.CertificateSelfSigned.With("wanted", want), leaf)
	}
	return path{}, refuse(problem.CertificateUnknownAuthority.With("wanted", want), leaf)
}

// path is a chain whose signatures are good, and when its authorities are valid.
type path struct {
	forgotten int // as the PKI's when the search began
	foreign   bool
	from, to  time.Time
	org       *OrgIdentity // once it was found to be of the right shape
}

// maxPaths bounds what is remembered of chains.
const maxPaths = 256

// chained tells whether the chain's signatures lead to an authority we accept,
// and remembers those that do. That is only about the bytes of the chain: the
// leaf's dates and its state are judged each time.
func (p *PKI) chained(chain []*x509.Certificate) (path, bool) {
	id, now := chainID(chain), p.clock.Now()
	p.mu.Lock()
	known, ok := p.paths[id]
	forgotten := p.forgotten
	p.mu.Unlock()
	if ok && !now.Before(known.from) && !now.After(known.to) {
		return known, true
	}
	found, ok := p.search(chain, now)
	if ok {
		found.forgotten = forgotten
		p.remember(chain, found)
	}
	return found, ok
}

// remember keeps a path, unless the authorities were forgotten meanwhile.
func (p *PKI) remember(chain []*x509.Certificate, found path) {
	id := chainID(chain)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forgotten != found.forgotten {
		return
	}
	if len(p.paths) >= maxPaths {
		clear(p.paths)
	}
	p.paths[id] = found
}

func chainID(chain []*x509.Certificate) (id [sha256.Size]byte) {
	h := sha256.New()
	for _, c := range chain {
		h.Write(c.Raw) // DER tells its own length
	}
	h.Sum(id[:0])
	return id
}

// search tries our own authorities, then the configured anchors. The leaf's
// own dates are judged later, for a better answer.
func (p *PKI) search(chain []*x509.Certificate, now time.Time) (path, bool) {
	own, foreignRoots, between := p.pools(chain[1:])
	leaf := *chain[0]
	leaf.NotBefore, leaf.NotAfter = now.Add(-time.Second), now.Add(time.Second)
	for _, roots := range []*x509.CertPool{own, foreignRoots} {
		found, err := leaf.Verify(
			x509.VerifyOptions{
				Roots:         roots,
				Intermediates: between,
				CurrentTime:   now,
				KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			},
		)
		if err != nil {
			continue
		}
		out := path{foreign: roots == foreignRoots, to: now}
		for n, authority := range found[0][1:] {
			if n == 0 || authority.NotBefore.After(out.from) {
				out.from = authority.NotBefore
			}
			if n == 0 || authority.NotAfter.Before(out.to) {
				out.to = authority.NotAfter
			}
		}
		return out, true
	}
	return path{}, false
}

func (p *PKI) pools(sent []*x509.Certificate) (own, foreign, between *x509.CertPool) {
	own, foreign, between = x509.NewCertPool(), x509.NewCertPool(), x509.NewCertPool()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, a := range p.loaded {
		if definition(id).Parent == "" {
			own.AddCert(a.Cert)
		} else {
			between.AddCert(a.Cert)
		}
	}
	for _, c := range p.anchors {
		foreign.AddCert(c)
	}
	for _, c := range sent {
		between.AddCert(c)
	}
	return own, foreign, between
}

// issuedBy tells whether one of these authorities is named as the issuer; the
// signatures were checked before.
func (p *PKI) issuedBy(c *x509.Certificate, ids ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(ids, func(id string) bool {
		a := p.loaded[id]
		return a != nil && bytes.Equal(a.Cert.RawSubject, c.RawIssuer)
	})
}

func (p *PKI) inTime(c *x509.Certificate, want problem.Phrase) error {
	now := p.clock.Now()
	switch {
	case now.Before(c.NotBefore):
		return refuse(
			problem.CertificateNotYetValid.With("not_before", c.NotBefore.UTC().Format(time.RFC3339)).With("wanted", want),
			c,
		)
	case now.After(c.NotAfter):
		return refuse(
			problem.CertificateExpired.With("not_after", c.NotAfter.UTC().Format(time.RFC3339)).With("wanted", want),
			c,
		)
	}
	return nil
}

// known refuses a certificate that was revoked, and one that our own authority
// signed but this emulator does not know: it could have been revoked without a
// trace. Of a configured anchor's certificates nothing is known.
func (p *PKI) known(ctx context.Context, c *x509.Certificate, foreign bool, want problem.Phrase) error {
	if foreign {
		return nil
	}
	return p.store.View(ctx, func(tx store.Tx) error { return p.knownIn(tx, c, want) })
}

func (p *PKI) knownIn(tx store.Tx, c *x509.Certificate, want problem.Phrase) error {
	serial := hex.EncodeToString(c.SerialNumber.Bytes())
	rec, err := p.memo.Get(tx, serial)
	switch {
	case err == nil && bytes.Equal(rec.DER, c.Raw):
		if rec.State == Revoked {
			return refuseRevoked(c, *rec.RevokedAt, want)
		}
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	if at, err := revokedAtIn(tx, serial); err == nil || !errors.Is(err, store.ErrNotFound) {
		if err == nil {
			err = refuseRevoked(c, at, want)
		}
		return err
	}
	if _, err := apart.Get(tx, fingerprint(c.Raw)); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return refuse(problem.CertificateNotKnown.With("wanted", want), c)
}

func refuseRevoked(c *x509.Certificate, at time.Time, want problem.Phrase) error {
	return refuse(problem.CertificateRevoked.With("at", at.Format(time.RFC3339)).With("wanted", want), c)
}

// Structure ids in the OU: FINESS behind 1, SIRET behind 3, older and test
// forms behind 2, 3 or 8.
var structureID = regexp.MustCompile(`^[0-9][0-9A-Z]{8,15}$`)

func orgShape(c *x509.Certificate, foreign bool) error {
	if weak(c.PublicKey) {
		return refuse(problem.CertificateWeakKey.With("wanted", wantOrg), c)
	}
	category := Extension(c, ExtCategory.String())
	if category == string([]byte{CategoryCard}) || category == string([]byte{CategoryProduction}) {
		return refuse(problem.CertificateCard.With("wanted", wantOrg), c)
	}
	if category != string([]byte{CategorySoftware}) {
		return refuse(problem.CertificateCategory.With("wanted", wantOrg), c)
	}
	if kind := policyOf(c); !foreign && kind != ProfileAuthCLI {
		label := "unknown"
		if profile, ok := ProfileNamed(kind); ok {
			label = profile.Label
		}
		return refuse(problem.CertificateWrongProfile.With("label", label).With("wanted", wantOrg), c)
	}
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return refuse(problem.CertificateWrongExtendedUsage.With("wanted", wantOrg), c)
	}
	if c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refuse(problem.CertificateWrongUsage.With("wanted", wantOrg), c)
	}
	return orgName(c)
}

func orgName(c *x509.Certificate) error {
	name, err := ParseName(c.RawSubject)
	if err != nil {
		return refuse(problem.CertificateSubject.With("wanted", wantOrg), nil)
	}
	cns := name.values(oidCN)
	if len(cns) != 1 || !printable(cns[0]) {
		return refuse(problem.CertificateSubject.Case("cn").With("wanted", wantOrg), c)
	}
	for _, r := range name {
		if len(r) != 1 {
			return refuse(problem.CertificateSubject.Case("multi-valued").With("wanted", wantOrg), c)
		}
	}
	if !slices.ContainsFunc(name.values(oidUnit), structureID.MatchString) {
		return refuse(problem.CertificateSubject.Case("structure").With("wanted", wantOrg), c)
	}
	return nil
}

func printable(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

const wantCard = problem.CardCertificate

// VerifyCard judges the certificate a browser presented at the card origin.
func (p *PKI) VerifyCard(ctx context.Context, chain []*x509.Certificate) (*CardIdentity, error) {
	if len(chain) == 0 {
		return nil, refuse(problem.CertificateMissing.Case("card").With("wanted", wantCard), nil)
	}
	leaf := chain[0]
	found, err := p.chains(ctx, chain, wantCard)
	if err != nil {
		return nil, err
	}
	if err := p.inTime(leaf, wantCard); err != nil {
		return nil, err
	}
	if category := Extension(
		leaf,
		ExtCategory.String(),
	); category != string([]byte{CategoryCard}) && category != string([]byte{CategoryProduction}) ||
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return nil, refuse(problem.CertificateNotACard.With("wanted", wantCard), leaf)
	}
	if !found.foreign && !p.issuedBy(leaf, "fo-pers", "st-pers") {
		return nil, refuse(problem.CertificateOtherAuthority.Case("card").With("wanted", wantCard), leaf)
	}
	if err := p.known(ctx, leaf, found.foreign, wantCard); err != nil {
		return nil, err
	}
	return p.cardIdentity(leaf, found.foreign)
}

func (p *PKI) cardIdentity(c *x509.Certificate, foreign bool) (*CardIdentity, error) {
	name, err := ParseName(c.RawSubject)
	if err != nil {
		return nil, refuse(problem.CertificateSubject.With("wanted", wantCard), nil)
	}
	id := name.first(oidCN)
	if name.first(oidPseudonym) != "" {
		return nil, refuse(problem.CertificateNotNominative.With("wanted", wantCard), c)
	}
	if !printable(id) || name.first(oidSurname) == "" {
		return nil, refuse(problem.CertificateSubject.Case("person").With("wanted", wantCard), c)
	}
	return &CardIdentity{
		NationalID: id,
		FamilyName: name.first(oidSurname),
		GivenName:  name.first(oidGivenName),
		Title:      name.first(oidTitle),
		StructureID: name.first(
			oidUnit,
		),
		Structure:  name.first(oidOrg),
		Product:    Extension(c, ExtProduct.String()),
		Profession: Extension(c, ExtProfession.String()),
		Level: Extension(
			c,
			ExtLevel.String(),
		),
		CardSerial: Extension(c, ExtCardSerial.String()),
		Serial:     hex.EncodeToString(c.SerialNumber.Bytes()),
		Foreign:    foreign,
	}, nil
}

// Extension reads a proprietary extension (a string in DER), "" when absent.
func Extension(c *x509.Certificate, oid string) string {
	for _, e := range c.Extensions {
		if e.Id.String() == oid && len(e.Value) >= 2 && int(e.Value[1]) == len(e.Value)-2 {
			return string(e.Value[2:])
		}
	}
	return ""
}

// OrgPool are the authorities whose names the protocol listener offers.
func (p *PKI) OrgPool(ctx context.Context) (*x509.CertPool, error) {
	return p.pool(ctx, "el-root", "el-org")
}

// CardPool are the authorities whose names the card origin offers.
func (p *PKI) CardPool(ctx context.Context) (*x509.CertPool, error) {
	return p.pool(ctx, "st-root", "st-pers", "fo-root", "fo-pers")
}

func (p *PKI) pool(ctx context.Context, ids ...string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, id := range ids {
		a, err := p.Authority(ctx, id)
		if err != nil {
			return nil, err
		}
		pool.AddCert(a.Cert)
	}
	for _, a := range p.anchors {
		pool.AddCert(a)
	}
	return pool, nil
}
