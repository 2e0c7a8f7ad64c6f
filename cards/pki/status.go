package pki

import (
	"bytes"
	"context"
	_ "crypto/sha1" // OCSP requests name their issuer by it
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"

	"pscemu.invalid/pscemu/internal/store"
)

// Where the PKI's services are, below its base address; certificates name them.
const (
	pathCRL   = "/crl/"   // <authority>.crl, the full list
	pathDelta = "/delta/" // <authority>.crl, what changed lately
	pathOCSP  = "/ocsp"
	pathCA    = "/ca/" // <authority>.crt
)

// Revocation is an entry of an authority's lists.
type Revocation struct {
	Serial    string    `json:"serial"` // hexadecimal
	RevokedAt time.Time `json:"revoked_at"`
}

// revoked lists an authority's revocations, by serial.
func revoked(authority string) store.Collection[Revocation] {
	return store.Collection[Revocation]("revoked-" + authority)
}

// latest is the newest revocation of each authority: while it stays, so do the
// lists that were signed.
var latest = store.Collection[Revocation]("revoked-latest")

// revokedAtIn tells when a certificate was revoked, also one whose record is
// gone: the list of its authority outlives it.
func revokedAtIn(tx store.Tx, serial string) (time.Time, error) {
	for _, id := range AuthorityIDs() {
		r, err := revoked(id).Get(tx, serial)
		if !errors.Is(err, store.ErrNotFound) {
			return r.RevokedAt, err
		}
	}
	return time.Time{}, store.ErrNotFound
}

// KeepRevokedIn keeps revoked, in a content that takes the place of another,
// what is revoked in that one.
func KeepRevokedIn(was, now store.Tx) error {
	for _, id := range AuthorityIDs() {
		for after := ""; ; {
			const page = 500
			list, err := revoked(id).List(was, after, page)
			if err != nil {
				return err
			}
			for _, r := range list {
				if err := r.keepIn(now, id); err != nil {
					return err
				}
				after = r.Serial
			}
			if len(list) < page {
				break
			}
		}
	}
	return nil
}

func (r Revocation) keepIn(tx store.Tx, authority string) error {
	if there, err := revoked(authority).Maybe(tx, r.Serial); err != nil || there.Serial != "" {
		return err
	}
	if err := revoked(authority).Put(tx, r.Serial, r, store.Forever); err != nil {
		return err
	}
	c, err := certificates.Get(tx, r.Serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || c.State == Revoked {
		return err
	}
	c.State, c.RevokedAt = Revoked, &r.RevokedAt
	return keepIn(tx, &c)
}

// Lifetimes of what the PKI says about certificates.
const (
	crlLifetime  = 7 * 24 * time.Hour
	deltaCovers  = 24 * time.Hour // a delta lists what was revoked within
	ocspLifetime = time.Hour
)

var (
	oidFreshestCRL = asn1.ObjectIdentifier{2, 5, 29, 46}
	oidDeltaCRL    = asn1.ObjectIdentifier{2, 5, 29, 27}
)

// Revoke ends a certificate at once: the next request with it is refused, and
// the lists and OCSP say so.
func (p *PKI) Revoke(ctx context.Context, serial string) error {
	return p.store.Update(ctx, func(tx store.Tx) error { return p.RevokeIn(tx, serial) })
}

// RevokeIn ends a certificate; one that was revoked stays so since then.
func (p *PKI) RevokeIn(tx store.Tx, serial string) error {
	c, err := p.CertificateIn(tx, serial)
	if err != nil || c.State == Revoked {
		return err
	}
	now := p.clock.Now()
	c.State, c.RevokedAt = Revoked, &now
	r := Revocation{serial, now}
	return errors.Join(
		keepIn(tx, c),
		revoked(c.Authority).Put(tx, serial, r, store.Forever),
		latest.Put(tx, c.Authority, r, store.Forever),
	)
}

// Index lists what was revoked with its authority: data folders from
// before the lists need it once.
func (p *PKI) Index(ctx context.Context) error {
	return certificates.Walk(ctx, p.store, "", func(serial string, c Certificate) error {
		if c.State != Revoked {
			return nil
		}
		return revoked(c.Authority).Save(ctx, p.store, serial, Revocation{serial, *c.RevokedAt}, store.Forever)
	})
}

// freshest is the extension that says where the delta list is.
func (p *PKI) freshest(authority string) ([]pkix.Extension, error) {
	type name struct {
		FullName []asn1.RawValue `asn1:"optional,tag:0"`
	}
	type point struct {
		Name name `asn1:"optional,tag:0"`
	}
	uri := asn1.RawValue{
		Class: asn1.ClassContextSpecific,
		Tag:   6,
		Bytes: []byte(p.base + pathDelta + authority + ".crl"),
	}
	value, err := asn1.Marshal([]point{{name{[]asn1.RawValue{uri}}}})
	return []pkix.Extension{{Id: oidFreshestCRL, Value: value}}, err
}

// OCSP answers a request (RFC 6960) of any of the authorities; they sign their
// answers themselves.
func (p *PKI) OCSP(ctx context.Context, request []byte) ([]byte, error) {
	asked, err := ocsp.ParseRequest(request)
	if err != nil {
		return ocsp.MalformedRequestErrorResponse, nil
	}
	for _, id := range AuthorityIDs() {
		a, err := p.Authority(ctx, id)
		if err != nil {
			return nil, err
		}
		if issued(a.Cert, asked) {
			return p.status(ctx, a, asked)
		}
	}
	return ocsp.UnauthorizedErrorResponse, nil
}

// issued tells whether a request names this authority.
func issued(ca *x509.Certificate, asked *ocsp.Request) bool {
	if !asked.HashAlgorithm.Available() {
		return false
	}
	hash := func(b []byte) []byte {
		h := asked.HashAlgorithm.New()
		h.Write(b)
		return h.Sum(nil)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(ca.RawSubjectPublicKeyInfo, &info); err != nil {
		return false
	}
	return bytes.Equal(hash(ca.RawSubject), asked.IssuerNameHash) &&
		bytes.Equal(hash(info.Key.RightAlign()), asked.IssuerKeyHash)
}

func (p *PKI) status(ctx context.Context, a *Authority, asked *ocsp.Request) ([]byte, error) {
	now := p.clock.Now()
	answer := ocsp.Response{
		Status:       ocsp.Good,
		SerialNumber: asked.SerialNumber,
		ThisUpdate:   now,
		NextUpdate:   now.Add(ocspLifetime),
		IssuerHash:   asked.HashAlgorithm,
	}
	err := p.store.View(ctx, func(tx store.Tx) error {
		serial := hex.EncodeToString(asked.SerialNumber.Bytes())
		r, err := revoked(a.ID).Get(tx, serial)
		if err == nil {
			answer.Status, answer.RevokedAt = ocsp.Revoked, r.RevokedAt
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		c, err := certificates.Maybe(tx, serial)
		if c.Authority != a.ID && !p.isAuthority(asked.SerialNumber, a) {
			answer.Status = ocsp.Unknown
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ocsp.CreateResponse(a.Cert, a.Cert, answer, a.Key)
}

// isAuthority tells whether a serial is that of an authority which a issued.
func (p *PKI) isAuthority(serial *big.Int, a *Authority) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, other := range p.loaded {
		if parent := definition(id).Parent; (parent == a.ID || id == a.ID) && other.Cert.SerialNumber.Cmp(serial) == 0 {
			return true
		}
	}
	return false
}
