package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

// ServerCertificate makes this run's TLS certificate for the names and
// addresses, under the emulator's server CA (ECDSA P-256), whose certificate
// comes back too, for clients to trust.
func (p *PKI) ServerCertificate(ctx context.Context, names []string) (tls.Certificate, *x509.Certificate, error) {
	ca, err := p.serverCA(ctx)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	from, to := p.bothClocks()
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "pscemu"},
		NotBefore:             from.Add(-time.Hour),
		NotAfter:              to.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Cert, key.Public(), ca.Key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der, ca.Cert.Raw}, PrivateKey: key}, ca.Cert, nil
}

// bothClocks are the emulator's time and the machine's, the earlier first:
// browsers judge the server's certificate by the machine's, wherever the
// emulator's clock stands.
func (p *PKI) bothClocks() (from, to time.Time) {
	from, to = p.clock.Now(), time.Now()
	if to.Before(from) {
		from, to = to, from
	}
	return from, to
}

func (p *PKI) serverCA(ctx context.Context) (*Authority, error) {
	rec, err := authorities.Load(ctx, p.store, "server")
	if errors.Is(err, store.ErrNotFound) {
		return p.makeServerCA(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	a, err := rec.authority("server")
	if err == nil && nearEnd(a.Cert, p.clock.Now()) {
		return p.makeServerCA(ctx, a.Key.(*ecdsa.PrivateKey))
	}
	return a, err
}

func (p *PKI) makeServerCA(ctx context.Context, key *ecdsa.PrivateKey) (_ *Authority, err error) {
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	from, to := p.bothClocks()
	tmpl := &x509.Certificate{
		SerialNumber: serial(),
		Subject: pkix.Name{
			Organization:       []string{"pscemu"},
			OrganizationalUnit: []string{"EMULATEUR"},
			CommonName:         "pscemu server CA",
		},
		NotBefore: from.Add(
			-24 * time.Hour,
		),
		NotAfter:              to.AddDate(20, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
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
	return p.keepAuthority(ctx, &Authority{ID: "server", Cert: cert, Key: key}, authorityRecord{Key: pkcs8, Cert: der})
}

// Renew returns the certificate, or a new one with the same key and subject
// when its end is near.
func (p *PKI) Renew(ctx context.Context, c *Certificate, subject Name) (*Certificate, error) {
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, err
	}
	if !nearEnd(leaf, p.clock.Now()) {
		return c, nil
	}
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, err
	}
	return p.Issue(
		ctx,
		Request{Profile: c.Profile, Subject: subject, Key: key, ClientID: c.ClientID, CardSerial: c.CardSerial},
	)
}
