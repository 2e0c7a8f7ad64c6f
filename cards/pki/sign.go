package pki

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"

	"pscemu.invalid/pscemu/internal/problem"
)

const wantSignature = problem.SignatureCertificate

// Sign signs a text with a certificate's key: SHA-256 with RSA (PKCS #1 v1.5).
func Sign(c *Certificate, text []byte) ([]byte, error) {
	if c.Key == nil {
		return nil, problem.KeyNotHere.Case("sign").Got(c.Serial)
	}
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, err
	}
	h := crypto.SHA256.New()
	h.Write(text)
	return key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
}

// VerifySignature judges a signed text: the certificate is a card's for
// signature, in force, and the signature is of this text.
func (p *PKI) VerifySignature(ctx context.Context, der, text, signature []byte) (*CardIdentity, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, problem.CertificateUnreadable.With("wanted", wantSignature).Got(err.Error())
	}
	found, err := p.chains(ctx, []*x509.Certificate{leaf}, wantSignature)
	if err == nil {
		err = p.inTime(leaf, wantSignature)
	}
	if err == nil && leaf.KeyUsage&x509.KeyUsageContentCommitment == 0 {
		err = refuse(problem.CertificateNotForSignature.With("wanted", wantSignature), leaf)
	}
	if err == nil {
		err = p.known(ctx, leaf, found.foreign, wantSignature)
	}
	if err != nil {
		return nil, err
	}
	if err := leaf.CheckSignature(x509.SHA256WithRSA, text, signature); err != nil {
		return nil, problem.SignatureWrong.Got(err.Error())
	}
	return p.cardIdentity(leaf, found.foreign)
}
