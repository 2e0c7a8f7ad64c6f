package oidc

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"pscemu.invalid/pscemu/internal/store"
)

// Records are the kinds of record that this package keeps. The keys among them
// can be used: they parse, and are those of their certificates.
func Records() []store.Kind {
	keys := keyRecords.Kind(func(id string, r *keyRecord) error { return r.usable(id) })
	return []store.Kind{
		keys,
		signingKeysKind(),
		browsers.Kind(store.Named(func(b *Browser) string { return b.SID })),
		sessionsOf.PartKind(),
		codes.Kind(),
		grants.Kind(),
		backchannels.Kind(),
	}
}

// signingKeysKind also wants exactly one active key among them, unless there is
// none at all: then one is made.
func signingKeysKind() store.Kind {
	all, active := 0, 0
	k := signingKeys.Kind(store.Named(func(r *keyRecord) string { return r.KID }), func(_ string, r *keyRecord) error {
		if !slices.Contains([]KeyState{KeyPublished, KeyActive, KeyPassive}, r.State) {
			return fmt.Errorf("a signing key is not %q", r.State)
		}
		all++
		if r.State == KeyActive {
			active++
		}
		return r.usable("signing")
	})
	k.Finish = func() error {
		if all > 0 && active != 1 {
			return fmt.Errorf("%d signing keys are active, there must be exactly one", active)
		}
		return nil
	}
	return k
}

// usable tells whether a key can do what the key with this id does.
func (r *keyRecord) usable(id string) error {
	switch id {
	case "refresh":
		if len(r.Key) != 64 || r.KID == "" {
			return errors.New("the key of the refresh tokens is not one of 64 bytes with an id")
		}
		return nil
	case "signing", "encryption":
	default:
		return errors.New("there is no such key")
	}
	key, err := x509.ParsePKCS1PrivateKey(r.Key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(r.Cert)
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return errors.New("the certificate is not of this key")
	}
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return err
	}
	if !bytes.Equal(cert.Raw, r.Cert) {
		return errors.New("something follows the certificate")
	}
	return nil
}
