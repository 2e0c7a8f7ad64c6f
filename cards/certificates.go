package cards

import (
	"context"
	"strings"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Use is what one of a card's certificates is for.
type Use string

// The uses.
const (
	ForAuthentication Use = "auth"
	ForSignature      Use = "sign"
)

// Valid tells whether a card has a certificate for this.
func (u Use) Valid() bool { return u == ForAuthentication || u == ForSignature }

// Certificate returns one of the card's two certificates, made at first use.
func (k *Cards) Certificate(ctx context.Context, serial string, use Use) (*pki.Certificate, error) {
	if !use.Valid() {
		return nil, problem.UseUnknown.Got(string(use))
	}
	k.making.Lock() // so that parallel first uses make one key, not many
	defer k.making.Unlock()
	there, order, err := k.certificateOf(ctx, serial, use)
	if err != nil || there != nil {
		return there, err
	}
	made, err := k.pki.Prepare(ctx, *order)
	if err != nil {
		return nil, err
	}
	err = k.store.Update(ctx, func(tx store.Tx) error {
		there, err = k.keepCertificateIn(tx, serial, use, made)
		return err
	})
	return there, err
}

// certificateOf is the certificate that was made, or the order for it.
func (k *Cards) certificateOf(
	ctx context.Context,
	serial string,
	use Use,
) (there *pki.Certificate, order *pki.Request, err error) {
	err = k.store.View(ctx, func(tx store.Tx) error {
		c, err := k.GetIn(tx, serial)
		if err != nil {
			return err
		}
		if c.Foreign {
			return problem.CardForeign.Got(serial)
		}
		if made := *c.certificate(use); made != "" {
			there, err = k.pki.CertificateIn(tx, made)
			return err
		}
		order, err = k.orderIn(tx, c, use)
		return err
	})
	return there, order, err
}

// keepCertificateIn keeps a new certificate with its card, unless the card has
// one meanwhile. The certificate of an opposed card is revoked from the start.
func (k *Cards) keepCertificateIn(tx store.Tx, serial string,
	use Use, made *pki.Certificate) (*pki.Certificate, error) {
	c, err := find(tx, serial)
	if err != nil {
		return nil, err
	}
	if other := *c.certificate(use); other != "" {
		return k.pki.CertificateIn(tx, other)
	}
	*c.certificate(use) = made.Serial
	if err := Collection.Put(tx, serial, *c, store.Forever); err != nil {
		return nil, err
	}
	if err := k.pki.KeepIn(tx, made); err != nil || c.State != Opposed {
		return made, err
	}
	if err := k.pki.RevokeIn(tx, made.Serial); err != nil {
		return nil, err
	}
	return k.pki.CertificateIn(tx, made.Serial)
}

// certificate is where the serial of the certificate for this use is kept.
func (c *Card) certificate(use Use) *string {
	if use == ForSignature {
		return &c.Signature
	}
	return &c.Certificate
}

// orderIn asks for the card's certificate.
func (k *Cards) orderIn(tx store.Tx, c *Card, use Use) (*pki.Request, error) {
	t, err := FamilyNamed(c.Type)
	if err != nil {
		return nil, err
	}
	profile := t.Profile
	if use == ForSignature {
		profile = t.Signs
	}
	name, extra, err := k.inside(tx, t, c)
	return &pki.Request{
		Profile:    profile,
		Subject:    name,
		CardSerial: c.Serial,
		Extra:      extra,
		Production: c.Production,
		NotAfter:   c.ExpiresAt,
	}, err
}

// inside is what a card's certificates say: their subject and extensions.
func (k *Cards) inside(tx store.Tx, t Family, c *Card) (pki.Name, map[string]string, error) {
	if c.Service != "" {
		structure, _, _ := strings.Cut(c.NationalID, "/")
		name := pki.ServiceName(
			"Paris (75)",
			c.Service,
			structure,
			"Carte de service santé ou social",
			c.Holder,
			c.NationalID,
		)
		return name, extensions(t, c, &identities.Identity{}), nil
	}
	person, err := k.people.ReadIn(tx, c.NationalID)
	if err != nil {
		return nil, nil, err
	}
	return subject(t, person), extensions(t, c, person), nil
}

func subject(t Family, i *identities.Identity) pki.Name {
	if !t.Staff {
		return pki.PSName(nomenclature.ProfessionLabel(i.Profession()), i.NationalID, i.FamilyName, i.GivenName)
	}
	a := i.MainActivity()
	structure, _, _ := strings.Cut(i.NationalID, "/")
	department := strings.TrimPrefix(a.Cedex, a.PostalCode+" ") + " (" + a.Department + ")"
	return pki.StaffName(a.CorporateName, department, structure, i.NationalID, i.FamilyName, i.GivenName)
}

func extensions(t Family, c *Card, i *identities.Identity) map[string]string {
	x := map[string]string{pki.ExtProduct.String(): t.Product, pki.ExtCardSerial.String(): c.Serial}
	profession := pki.ExtProfession
	if t.Name == CPF {
		profession = pki.ExtStudent
	}
	if i.Profession() != "" {
		x[profession.String()] = i.Profession()
	}
	if t.Level != "" {
		x[pki.ExtLevel.String()] = t.Level
	}
	return x
}
