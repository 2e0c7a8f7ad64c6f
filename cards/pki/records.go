package pki

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"pscemu.invalid/pscemu/internal/store"
)

// Content judges the authorities and certificates that come from outside. It
// is told all authorities first: only with them can a certificate be judged.
type Content struct {
	known map[string]*x509.Certificate
}

// Note takes an entry that is an authority, and passes over any other.
func (c *Content) Note(e store.Entry) {
	id := authorities.ID(e.Key)
	if authorities.Key(id) != e.Key {
		return
	}
	r, err := authorities.Decode(e.Value)
	if err != nil {
		return // refused by Records
	}
	if cert, err := x509.ParseCertificate(r.Cert); err == nil {
		if c.known == nil {
			c.known = map[string]*x509.Certificate{}
		}
		c.known[id] = cert
	}
}

// Records are the kinds of record that this package keeps. Each authority and
// certificate among them parses, is that of its key, and is signed by the
// authority that it names.
func (c *Content) Records() []store.Kind {
	out := []store.Kind{authorities.Kind(c.authority), certificates.Kind(c.certificate),
		apart.Kind(store.Named(func(a *Apart) string { return a.SHA256 }))}
	for _, id := range AuthorityIDs() {
		out = append(out, revoked(id).Kind(revocation))
	}
	out = append(out, latest.Kind(func(_ string, r *Revocation) error { return revocation(r.Serial, r) }))
	for _, index := range []store.Collection[string]{inState, ofClient, ofClientIn(Valid), ofClientIn(Revoked),
		ofCard, ofStructure} {
		out = append(out, index.PartKind(store.Named(func(serial *string) string { return *serial })))
	}
	return out
}

const serverID = "server"

func (c *Content) authority(id string, r *authorityRecord) error {
	if id != serverID && !slices.Contains(AuthorityIDs(), id) {
		return errors.New("there is no such authority")
	}
	a, err := r.authority(id)
	if err != nil {
		return err
	}
	if _, is := a.Key.(*ecdsa.PrivateKey); id == serverID && !is {
		return fmt.Errorf("its key is a %T, not of ECDSA", a.Key)
	}
	if !a.Cert.IsCA {
		return errors.New("its certificate is not an authority's")
	}
	parent := id
	if p := definition(id).Parent; p != "" {
		parent = p
	}
	return errors.Join(ofKey(a.Cert, a.Key), c.signed(a.Cert, parent))
}

func (c *Content) certificate(serial string, r *Certificate) error {
	leaf, err := x509.ParseCertificate(r.DER)
	if err != nil {
		return err
	}
	if found := hex.EncodeToString(leaf.SerialNumber.Bytes()); found != serial || r.Serial != serial {
		return fmt.Errorf("its serial is %s", found)
	}
	switch {
	case r.State == Revoked && r.RevokedAt == nil:
		return errors.New("it is revoked, but nothing says when")
	case !r.State.Valid():
		return fmt.Errorf("its state is %q, neither valid nor revoked", r.State)
	}
	if _, ok := ProfileNamed(r.Profile); !ok {
		return fmt.Errorf("there is no profile %q", r.Profile)
	}
	if r.Key != nil {
		key, err := parseKey(r.Key)
		if err != nil {
			return err
		}
		if err := ofKey(leaf, key); err != nil {
			return err
		}
	}
	return c.signed(leaf, r.Authority)
}

// ofKey tells whether a certificate is of this key.
func ofKey(c *x509.Certificate, key crypto.Signer) error {
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(c.PublicKey) {
		return errors.New("the certificate is not of its key")
	}
	return nil
}

// signed tells whether this authority's key signed a certificate, whatever the
// date and the authority's present certificate.
func (c *Content) signed(cert *x509.Certificate, authority string) error {
	issuer := c.known[authority]
	if issuer == nil {
		return fmt.Errorf("its authority %q is not there", authority)
	}
	return issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
}

func revocation(id string, r *Revocation) error {
	if n, ok := new(big.Int).SetString(r.Serial, 16); !ok || n.Sign() <= 0 || r.Serial != id || r.RevokedAt.IsZero() {
		return errors.New("a revocation names a serial in hexadecimal, its own, and a time")
	}
	return nil
}

// EntriesFor are the entries of the authorities, and of the certificates that
// were issued for this client: what a reset leaves.
func (p *PKI) EntriesFor(ctx context.Context, client string) (out []store.Entry, err error) {
	all := func(store.Entry) (bool, error) { return true, nil }
	issued := func(e store.Entry) (bool, error) {
		c, err := certificates.Decode(e.Value)
		return c.ClientID == client, err
	}
	made := func(e store.Entry) (bool, error) {
		c, err := apart.Decode(e.Value)
		return c.ClientID == client, err
	}
	for _, from := range []struct {
		prefix string
		wanted func(store.Entry) (bool, error)
	}{{authorities.Prefix(), all}, {certificates.Prefix(), issued}, {apart.Prefix(), made}} {
		found, err := p.chosen(ctx, from.prefix, from.wanted)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// chosen are the entries below a prefix that are wanted, read page by page.
func (p *PKI) chosen(ctx context.Context, prefix string, wanted func(store.Entry) (bool, error)) (
	out []store.Entry, err error) {
	const size = 500
	for after := ""; ; {
		var page []store.Entry
		err := p.store.View(ctx, func(tx store.Tx) (err error) {
			page, err = tx.List(prefix, after, size)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			after = e.Key
			is, err := wanted(e)
			if err != nil {
				return nil, err
			}
			if is {
				out = append(out, e)
			}
		}
		if len(page) < size {
			return out, nil
		}
	}
}
