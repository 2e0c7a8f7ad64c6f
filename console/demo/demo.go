// Package demo is a small application of our own, and the login of whatever
// else is an application here: a vendor's server as it should be, which talks to
// the running emulator over mTLS and verifies all that it answers.
package demo

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"pscemu.invalid/pscemu/internal/rp"
)

// Demo is what the application knows of its provider and of itself.
type Demo struct {
	ClientID     string
	Issuer       string
	AuthorizeURL string
	Roots        *x509.CertPool // the server CA
	// Keys are the client's secret and its certificate: a restore may bring others.
	Keys func() (secret string, certificate tls.Certificate)
	Now  func() time.Time // the emulator's clock, by which its answers are dated
}

// client is the relying party.
func (d *Demo) client() *rp.Client {
	transport := rp.Transport{
		Roots: d.Roots,
		Certificate: func() *tls.Certificate {
			_, certificate := d.Keys()
			return &certificate
		},
	}
	return rp.New(rp.Config{
		Issuer:   d.Issuer,
		ClientID: d.ClientID,
		Secret: func() string {
			secret, _ := d.Keys()
			return secret
		},
		HTTP:   transport.Client(),
		Now:    d.Now,
		Claims: rp.Person,
	})
}
