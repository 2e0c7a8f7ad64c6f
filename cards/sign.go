package cards

import (
	"context"

	"pscemu.invalid/pscemu/cards/pki"
)

// Signature is a text signed with a card.
type Signature struct {
	Text        string `json:"text"`
	Signature   []byte `json:"signature"`   // RSA PKCS #1 v1.5 or ECDSA, SHA-256
	Certificate []byte `json:"certificate"` // DER, the card's for signature
}

// Sign signs a text as the holder does: with the card and its code porteur.
func (k *Cards) Sign(ctx context.Context, serial, pin, text string) (*Signature, error) {
	if _, err := k.PresentPIN(ctx, serial, pin); err != nil {
		return nil, err
	}
	cert, err := k.Certificate(ctx, serial, ForSignature)
	if err != nil {
		return nil, err
	}
	signed, err := pki.Sign(cert, []byte(text))
	return &Signature{text, signed, cert.DER}, err
}

// Verify tells who signed a text, or why the signature is none.
func (k *Cards) Verify(ctx context.Context, s *Signature) (*pki.CardIdentity, error) {
	return k.pki.VerifySignature(ctx, s.Certificate, []byte(s.Text), s.Signature)
}
