package pki_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"path/filepath"
	"testing"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// open makes a PKI on a store in this folder.
func open(t *testing.T, dir string, c clock.Clock) (*pki.PKI, func()) {
	t.Helper()
	s, err := store.OpenBolt(filepath.Join(dir, "db"), c)
	if err != nil {
		t.Fatal(err)
	}
	return pki.New(s, c, "http://127.0.0.1:1/pki", nil), func() { _ = s.Close() }
}

func parsed(t *testing.T, c *pki.Certificate) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(c.DER)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

var subject = pki.ORGName("Paris (75)", "X", "300000000029751", "demo")

func TestNothingExpiresAndTheKeysStay(t *testing.T) {
	dir, ctx, c := t.TempDir(), context.Background(), &clock.Adjustable{}
	p, done := open(t, dir, c)
	first, err := p.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject, ClientID: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	root, err := p.Authority(ctx, "el-root")
	if err != nil {
		t.Fatal(err)
	}
	done()
	for _, years := range []int{1, 3, 19, 40} {
		c.Set(time.Now().AddDate(years, 0, 0), true)
		p, done := open(t, dir, c)
		again, err := p.Renew(ctx, first, subject)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.VerifyOrg(ctx, []*x509.Certificate{parsed(t, again)}); err != nil {
			t.Errorf("after %d years: %v", years, err)
		}
		now, err := p.Authority(ctx, "el-root")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(now.Cert.RawSubjectPublicKeyInfo, root.Cert.RawSubjectPublicKeyInfo) ||
			!bytes.Equal(parsed(t, again).RawSubjectPublicKeyInfo, parsed(t, first).RawSubjectPublicKeyInfo) {
			t.Errorf("after %d years a key has changed", years)
		}
		done()
	}
}

func TestTheRevocationListNamesWhatWasRevoked(t *testing.T) {
	ctx, c := context.Background(), &clock.Adjustable{}
	p, done := open(t, t.TempDir(), c)
	defer done()
	good, err := p.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := p.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Revoke(ctx, bad.Serial); err != nil {
		t.Fatal(err)
	}
	der, err := p.CRL(ctx, "el-org")
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	issuer, _ := p.Authority(ctx, "el-org")
	if err := list.CheckSignatureFrom(issuer.Cert); err != nil {
		t.Error(err)
	}
	if len(list.RevokedCertificateEntries) != 1 ||
		hex.EncodeToString(list.RevokedCertificateEntries[0].SerialNumber.Bytes()) != bad.Serial {
		t.Errorf("%v", list.RevokedCertificateEntries)
	}
	if _, err := p.VerifyOrg(ctx, []*x509.Certificate{parsed(t, good)}); err != nil {
		t.Error(err)
	}
	if _, err := p.VerifyOrg(ctx, []*x509.Certificate{parsed(t, bad)}); !problem.Is(err, "certificate-revoked") {
		t.Errorf("%v", err)
	}
}

func TestASubjectKeepsTheOrderOfItsRDNsAndTheSharedOne(t *testing.T) {
	ctx, c := context.Background(), &clock.Adjustable{}
	p, done := open(t, t.TempDir(), c)
	defer done()
	card, err := p.Issue(
		ctx,
		pki.Request{
			Profile: pki.ProfileCardAuth,
			Subject: pki.PSName("Pharmacien", "899700075122", "PHARMACH0007512", "CAROLE"),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	name, err := pki.ParseName(parsed(t, card).RawSubject)
	if err != nil {
		t.Fatal(err)
	}
	// DER sorts the members of a set, here by their length.
	if got := name.String(); got != "C=FR, title=Pharmacien, GN=CAROLE + CN=899700075122 + SN=PHARMACH0007512" {
		t.Error(got)
	}
	if got := pki.Extension(parsed(t, card), pki.ExtCategory.String()); got != "\x80" {
		t.Errorf("category %x", got)
	}
}

func FuzzParseName(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Add([]byte{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x04, 'd', 'e', 'm', 'o'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n, err := pki.ParseName(raw); err == nil {
			_ = n.String()
		}
	})
}

// BenchmarkVerifyOrg is what each token request pays for its certificate.
func BenchmarkVerifyOrg(b *testing.B) {
	ctx, c := context.Background(), &clock.Adjustable{}
	s, err := store.OpenBolt(filepath.Join(b.TempDir(), "db"), c)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p := pki.New(s, c, "http://127.0.0.1:1/pki", nil)
	issued, err := p.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject})
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(issued.DER)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.VerifyOrg(ctx, []*x509.Certificate{leaf}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAChainThatIsRememberedIsStillJudgedEachTime(t *testing.T) {
	ctx, c := context.Background(), &clock.Adjustable{}
	p, done := open(t, t.TempDir(), c)
	defer done()
	issued, err := p.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject, ClientID: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	leaf := parsed(t, issued)
	judge := func(want string) {
		t.Helper()
		for range 2 { // the second time it is remembered
			_, err := p.VerifyOrg(ctx, []*x509.Certificate{leaf})
			if want == "" && err != nil || want != "" && !problem.Is(err, want) {
				t.Errorf("%v, expected %q", err, want)
			}
		}
	}
	judge("")
	c.Advance(leaf.NotAfter.Sub(c.Now()) + time.Hour)
	judge("certificate-expired")
	c.Advance(100 * 365 * 24 * time.Hour) // the authorities have ended too
	judge("certificate-unknown-authority")
	c.Reset()
	judge("")
	forged := *leaf
	forged.Raw = append([]byte{}, leaf.Raw...)
	forged.Raw[len(forged.Raw)-1] ^= 1
	forged.Signature = append([]byte{}, leaf.Signature...)
	forged.Signature[len(forged.Signature)-1] ^= 1
	if _, err := p.VerifyOrg(ctx, []*x509.Certificate{&forged}); !problem.Is(err, "certificate-unknown-authority") {
		t.Errorf("a forged signature: %v", err)
	}
	if err := p.Revoke(ctx, issued.Serial); err != nil {
		t.Fatal(err)
	}
	judge("certificate-revoked")
}

// FuzzParseCSR: a request is a key that proved itself, or an error.
func FuzzParseCSR(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		f.Fatal(err)
	}
	good := pki.EncodePEM("CERTIFICATE REQUEST", der)
	f.Add(good)
	f.Add(der)
	f.Add(good[:len(good)/2])
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if k, err := pki.ParseCSR(raw); err == nil && k == nil {
			t.Error("neither a key nor an error")
		}
	})
}

// FuzzParsePEM: certificates, or an error.
func FuzzParsePEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if list, err := pki.ParsePEM(raw); err == nil && len(list) == 0 {
			t.Error("neither certificates nor an error")
		}
	})
}

// FuzzVerifyOrg: a certificate passes for a client's only when it was issued
// here, byte by byte.
func FuzzVerifyOrg(f *testing.F) {
	ctx, c := context.Background(), &clock.Adjustable{}
	p := pki.New(store.NewMemory(c), c, "http://127.0.0.1:1/pki", nil)
	if err := p.Warm(ctx); err != nil {
		f.Fatal(err)
	}
	issued, err := p.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject, ClientID: "demo"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(issued.DER)
	for n := 8; n < len(issued.DER); n += 97 {
		changed := bytes.Clone(issued.DER)
		changed[n] ^= 1
		f.Add(changed)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		_, orgErr := p.VerifyOrg(ctx, []*x509.Certificate{leaf})
		if (orgErr == nil) != bytes.Equal(der, issued.DER) {
			t.Errorf("%x: %v", der, orgErr)
		}
		if _, err := p.VerifyCard(ctx, []*x509.Certificate{leaf}); err == nil {
			t.Errorf("%x passes for a card", der)
		}
	})
}
