package orders

import (
	"cmp"
	"context"
	"crypto"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// The platform of software certificates: technical administrators alone, each
// within the structures and kinds they were declared for (F413, F503).

// CertificateOrder is what an administrator asks for.
type CertificateOrder struct {
	By        string          `json:"by"`        // national id of the administrator
	Structure string          `json:"structure"` // SIRET or FINESS
	Profile   pki.ProfileName `json:"profile"`   // one of CertificateKinds
	Service   string          `json:"service"`   // the CN: name of the application service, for PSC the client_id
	Key       string          `json:"key"`       // type of a key to make, "" for RSA 2048
	CSR       string          `json:"csr"`       // instead of a key: PKCS #10 in PEM
}

// Administers lists the structures somebody may order certificates for.
func (d *Desk) Administers(ctx context.Context, id string) (out []Structure, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		out, err = structuresWhere(tx, id, func(s *Structure) bool { _, ok := s.Administrators[id]; return ok })
		return err
	})
	return out, err
}

// perimeter finds the administrator's rights on a structure.
func (d *Desk) perimeter(tx store.Tx, by, structure string) (*Structure, []pki.ProfileName, error) {
	s, err := structureNamed(tx, structure)
	if err != nil {
		return nil, nil, err
	}
	a, ok := s.Administrators[by]
	if !ok {
		return nil, nil, problem.NotAdministrator.Got(by)
	}
	has, err := d.hasCard(tx, by)
	if err == nil && !has {
		err = problem.AdministratorWithoutCard.Got(by)
	}
	return s, a.Kinds, err
}

// allowed finds the structure of an order that is within the administrator's
// perimeter.
func (d *Desk) allowed(tx store.Tx, o *CertificateOrder) (*Structure, error) {
	s, kinds, err := d.perimeter(tx, o.By, o.Structure)
	if err == nil && !slices.Contains(kinds, o.Profile) {
		err = problem.KindOutsidePerimeter.With("accepted", kinds).Got(string(o.Profile))
	}
	if err == nil && s.certificateID() == pki.EditorID {
		err = problem.StructureReserved.Got(s.ID)
	}
	return s, err
}

// IssueCertificate makes a certificate for a structure. The right to it is
// judged again when it is kept: the key was made in between.
func (d *Desk) IssueCertificate(ctx context.Context, o CertificateOrder) (*pki.Certificate, error) {
	var s *Structure
	err := d.store.View(ctx, func(tx store.Tx) (err error) {
		s, err = d.allowed(tx, &o)
		return err
	})
	if err != nil {
		return nil, err
	}
	if o.Service = strings.TrimSpace(o.Service); o.Service == "" || len(o.Service) > 64 {
		return nil, problem.ServiceMissing.Got(o.Service)
	}
	var key crypto.PublicKey
	if o.CSR != "" {
		if key, err = pki.ParseCSR([]byte(o.CSR)); err != nil {
			return nil, err
		}
	}
	made, err := d.pki.Prepare(
		ctx,
		pki.Request{Profile: o.Profile, Subject: subject(s, o.Service), Structure: s.ID, KeyType: o.Key, PublicKey: key},
	)
	if err != nil {
		return nil, err
	}
	return made, d.store.Update(ctx, func(tx store.Tx) error {
		if _, err := d.allowed(tx, &o); err != nil {
			return err
		}
		return d.pki.KeepIn(tx, made)
	})
}

// certificateID is the structure in the subject of its certificates: 3 and the
// SIRET, or 1 and the FINESS.
func (s *Structure) certificateID() string {
	if len(s.ID) == 14 {
		return "3" + s.ID
	}
	return "1" + s.ID
}

// subject is the structure's name in its certificates.
func subject(s *Structure, service string) pki.Name {
	return pki.ORGName("Paris (75)", cmp.Or(s.Name, "STRUCTURE FICTIVE"), s.certificateID(), service)
}

// Certificates lists up to limit of those of the structures somebody
// administers, behind the one with the serial after.
func (d *Desk) Certificates(ctx context.Context, by, after string, limit int) ([]pki.Certificate, error) {
	all, err := d.Administers(ctx, by)
	if err != nil {
		return nil, err
	}
	at := ""
	if after != "" {
		c, err := d.pki.Certificate(ctx, after)
		if err != nil {
			return nil, err
		}
		at = c.Structure
	}
	return along(all, at, after, limit, func(s *Structure, after string, limit int) ([]pki.Certificate, error) {
		return d.pki.Certificates(ctx, pki.Query{Structure: s.ID}, after, limit)
	})
}

// CountCertificates tells how many Certificates lists, and counts little further
// than to most.
func (d *Desk) CountCertificates(ctx context.Context, by string, most int) (n int, err error) {
	all, err := d.Administers(ctx, by)
	for _, s := range all {
		if err != nil || n >= most {
			break
		}
		var own int
		own, err = d.pki.Count(ctx, pki.Query{Structure: s.ID}, most)
		n += own
	}
	return n, err
}

// CertificateFor finds a certificate within an administrator's perimeter.
func (d *Desk) CertificateFor(ctx context.Context, by, serial string) (c *pki.Certificate, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		c, err = d.CertificateForIn(tx, by, serial)
		return err
	})
	return c, err
}

// CertificateForIn finds a certificate within an administrator's perimeter.
func (d *Desk) CertificateForIn(tx store.Tx, by, serial string) (*pki.Certificate, error) {
	c, err := d.pki.CertificateIn(tx, serial)
	if err != nil {
		return nil, err
	}
	if c.Structure == "" {
		return nil, problem.NotAdministrator.Case("certificate").Got(serial)
	}
	_, _, err = d.perimeter(tx, by, c.Structure)
	return c, err
}

// RevokeCertificate ends a certificate of the perimeter at once.
func (d *Desk) RevokeCertificate(ctx context.Context, by, serial string) error {
	return d.store.Update(ctx, func(tx store.Tx) error {
		if _, err := d.CertificateForIn(tx, by, serial); err != nil {
			return err
		}
		return d.pki.RevokeIn(tx, serial)
	})
}
