package api

import (
	"cmp"
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
)

// Certificates are all that the emulator's authorities issued.
type Certificates struct {
	PKI     *pki.PKI
	Clients *clients.Registry
}

func packed(c echo.Context, p *pki.PKI, cert *pki.Certificate, name string) (any, error) {
	pack := p.PKCS12
	if c.QueryParam("legacy") == "true" {
		pack = p.LegacyPKCS12
	}
	data, err := pack(ctx(c), cert, cmp.Or(c.QueryParam("password"), "pscemu"))
	return file{name + ".p12", "application/x-pkcs12", data}, err
}

func (s *Certificates) listCertificates(c echo.Context) (any, error) {
	return listed(c, keyless(s.List(ctx(c), CertificateQuery(c))))
}

// CertificateQuery is what a listing of certificates is asked for.
func CertificateQuery(c echo.Context) pki.Query {
	return pki.Query{ClientID: c.QueryParam("client_id"), Card: c.QueryParam("card"), State: c.QueryParam("state"),
		Text: c.QueryParam("q")}
}

// List lists certificates, by serial.
func (s *Certificates) List(c context.Context, q pki.Query) Lister[pki.Certificate] {
	return ByID(certificateID, func(after string, limit int) ([]pki.Certificate, error) {
		return s.PKI.Certificates(c, q, after, limit)
	})
}

func certificateID(c *pki.Certificate) string { return c.Serial }

// keyless lists certificates without their keys: those are handed out one by one.
func keyless(list Lister[pki.Certificate]) Lister[pki.Certificate] {
	return func(after string, limit int) ([]pki.Certificate, string, error) {
		rows, next, err := list(after, limit)
		for n := range rows {
			rows[n].Key = nil
		}
		return rows, next, err
	}
}

// certificateAs is one certificate in a form that a store reads.
func (s *Certificates) certificateAs(c echo.Context) (any, error) {
	cert, err := s.PKI.Certificate(ctx(c), param(c, "serial"))
	if err != nil {
		return nil, err
	}
	pem, key, err := s.PKI.PEM(ctx(c), cert)
	if err != nil {
		return nil, err
	}
	switch format := c.Param("format"); format {
	case "pem":
		return file{cert.Serial + ".pem", "application/x-pem-file", pki.EncodePEM("CERTIFICATE", cert.DER)}, nil
	case "der":
		return file{cert.Serial + ".crt", "application/pkix-cert", cert.DER}, nil
	case "chain":
		return file{cert.Serial + "-chain.pem", "application/x-pem-file", pem}, nil
	case "key":
		if key == nil {
			return nil, problem.KeyNotHere.Case("sign").Got(cert.Serial)
		}
		return file{cert.Serial + ".key", "application/x-pem-file", key}, nil
	case "p12":
		return packed(c, s.PKI, cert, cert.Serial)
	default:
		return nil, problem.FormatUnknown.Got(format)
	}
}

// Issued is a certificate with its key, as the API hands it over once; key and
// p12 are empty when the key came as a request (CSR).
type Issued struct {
	Serial      string `json:"serial"`
	Profile     string `json:"profile"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	PKCS12      []byte `json:"p12"` // password "pscemu"
}

func (s *Certificates) issueCertificate(c echo.Context) (any, error) {
	in := struct {
		ClientID string `json:"client_id"`
		Profile  string `json:"profile"`
		Key      string `json:"key"`
		CSR      string `json:"csr"`
	}{Profile: "AUTH_CLI"}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if _, err := s.Clients.Get(ctx(c), in.ClientID); err != nil {
		return nil, err
	}
	o := pki.Request{
		Profile:  in.Profile,
		Subject:  clients.OwnSubject(in.ClientID),
		ClientID: in.ClientID,
		KeyType:  in.Key,
	}
	if in.CSR != "" {
		key, err := pki.ParseCSR([]byte(in.CSR))
		if err != nil {
			return nil, err
		}
		o.PublicKey = key
	}
	cert, err := s.PKI.Issue(ctx(c), o)
	if err != nil {
		return nil, err
	}
	return issued(ctx(c), s.PKI, cert)
}

// issued hands a new certificate over.
func issued(ctx context.Context, p *pki.PKI, cert *pki.Certificate) (any, error) {
	pem, key, err := p.PEM(ctx, cert)
	if err != nil || key == nil {
		return Issued{Serial: cert.Serial, Profile: cert.Profile, Certificate: string(pem)}, err
	}
	p12, err := p.PKCS12(ctx, cert, "pscemu")
	return Issued{cert.Serial, cert.Profile, string(pem), string(key), p12}, err
}

func (s *Certificates) brokenCertificates(c echo.Context) (any, error) {
	id := cmp.Or(c.QueryParam("client_id"), "demo")
	if _, err := s.Clients.Get(ctx(c), id); err != nil {
		return nil, err
	}
	rows, err := s.PKI.BrokenFor(ctx(c), id, clients.OwnSubject(id))
	return items{rows, ""}, err
}

func (s *Certificates) routes() []route {
	return []route{
		{
			"GET",
			"/certificates",
			"List certificates; ?client_id, ?card, ?state=valid or revoked and ?q (in the subject) filter, ?limit&after pages",
			s.listCertificates,
		},
		{
			"POST",
			"/certificates",
			"Issue one: {client_id, profile, key: rsa2048 … ecdsa}, or with {csr}",
			s.issueCertificate,
		},
		{
			"GET",
			"/certificates/broken",
			"Certificates with something odd about them, for ?client_id",
			s.brokenCertificates,
		},
		{
			"GET",
			"/certificates/:serial",
			"One certificate",
			func(c echo.Context) (any, error) { return s.PKI.Certificate(ctx(c), param(c, "serial")) },
		},
		{
			"GET",
			"/certificates/:serial/:format",
			"The certificate as pem, der, chain, key or p12 (?password, ?legacy=true)",
			s.certificateAs,
		},
		{
			"POST",
			"/certificates/:serial/revoke",
			"Revoke",
			func(c echo.Context) (any, error) { return nil, s.PKI.Revoke(ctx(c), param(c, "serial")) },
		},
	}
}
