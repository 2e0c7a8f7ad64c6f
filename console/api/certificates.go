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

// CertificateSerial names a certificate.
type CertificateSerial struct {
	// Serial of the certificate, hexadecimal.
	Serial string `path:"serial"`
}

// Packing is how a PKCS #12 file is made.
type Packing struct {
	// Password of the file; pscemu when it is left out.
	Password string `query:"password"`
	// Legacy makes it for old stores.
	Legacy bool `query:"legacy"`
}

func (p *Packing) packed(c context.Context, of *pki.PKI, cert *pki.Certificate, name string) (File, error) {
	pack := of.PKCS12
	if p.Legacy {
		pack = of.LegacyPKCS12
	}
	data, err := pack(c, cert, cmp.Or(p.Password, "pscemu"))
	return File{name + ".p12", "application/x-pkcs12", data}, err
}

// CertificateRequest asks for a certificate of a client.
type CertificateRequest struct {
	// ClientID is the client that the certificate authenticates.
	ClientID string `json:"client_id" required:"true"`
	// Profile is AUTH_CLI when it is left out.
	Profile pki.ProfileName `json:"profile"`
	// Key is the type of the key to make; rsa2048 when it is left out.
	Key string `json:"key,omitempty"`
	// CSR is a PKCS #10 request in PEM, in the place of a key.
	CSR string `json:"csr,omitempty"`
}

// Issued is a certificate with its key, as the API hands it over once; key and
// p12 are empty when the key came as a request (CSR).
type Issued struct {
	Serial      string          `json:"serial"`
	Profile     pki.ProfileName `json:"profile"`
	Certificate string          `json:"certificate"`
	Key         string          `json:"key"`
	// PKCS12 has the password pscemu.
	PKCS12 []byte `json:"p12"`
}

type listCertificates struct {
	// ClientID is the client that they authenticate.
	ClientID string `query:"client_id"`
	// Card is the serial of the card that they are on.
	Card string `query:"card"`
	// State is valid or revoked.
	State pki.State `query:"state"`
	// Q is part of the subject.
	Q string `query:"q"`
	Paging
}

type issueCertificate struct {
	Body CertificateRequest `body:"application/json"`
}

func (in *issueCertificate) defaults() { in.Body.Profile = pki.ProfileAuthCLI }

type faultyCertificates struct {
	// ClientID is the client that they are like those of; demo when it is left out.
	ClientID string `query:"client_id"`
}

type certificateAs struct {
	CertificateSerial
	// Format is pem, der, chain, key or p12.
	Format string `path:"format"`
	Packing
}

func (s *Certificates) list(c context.Context, in *listCertificates) (*Page[pki.Certificate], error) {
	q := pki.Query{ClientID: in.ClientID, Card: in.Card, State: in.State, Text: in.Q}
	return page(in.Paging, keyless(s.List(c, q)))
}

// CertificateQuery is what a page of certificates is asked for.
func CertificateQuery(c echo.Context) pki.Query {
	return pki.Query{
		ClientID: c.QueryParam("client_id"),
		Card:     c.QueryParam("card"),
		State:    pki.State(c.QueryParam("state")),
		Text:     c.QueryParam("q"),
	}
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

func (s *Certificates) get(c context.Context, in *CertificateSerial) (*pki.Certificate, error) {
	return s.PKI.Certificate(c, in.Serial)
}

// as is one certificate in a form that a store reads.
func (s *Certificates) as(c context.Context, in *certificateAs) (out File, err error) {
	cert, err := s.PKI.Certificate(c, in.Serial)
	if err != nil {
		return out, err
	}
	pem, key, err := s.PKI.PEM(c, cert)
	if err != nil {
		return out, err
	}
	switch in.Format {
	case "pem":
		return File{cert.Serial + ".pem", "application/x-pem-file", pki.EncodePEM("CERTIFICATE", cert.DER)}, nil
	case "der":
		return File{cert.Serial + ".crt", "application/pkix-cert", cert.DER}, nil
	case "chain":
		return File{cert.Serial + "-chain.pem", "application/x-pem-file", pem}, nil
	case "key":
		if key == nil {
			return out, problem.KeyNotHere.Case("sign").Got(cert.Serial)
		}
		return File{cert.Serial + ".key", "application/x-pem-file", key}, nil
	case "p12":
		return in.packed(c, s.PKI, cert, cert.Serial)
	default:
		return out, problem.FormatUnknown.Got(in.Format)
	}
}

func (s *Certificates) issue(c context.Context, in *issueCertificate) (out Issued, err error) {
	if _, err := s.Clients.Get(c, in.Body.ClientID); err != nil {
		return out, err
	}
	o := pki.Request{
		Profile:  in.Body.Profile,
		Subject:  clients.OwnSubject(in.Body.ClientID),
		ClientID: in.Body.ClientID,
		KeyType:  in.Body.Key,
	}
	if in.Body.CSR != "" {
		key, err := pki.ParseCSR([]byte(in.Body.CSR))
		if err != nil {
			return out, err
		}
		o.PublicKey = key
	}
	cert, err := s.PKI.Issue(c, o)
	if err != nil {
		return out, err
	}
	return issued(c, s.PKI, cert)
}

// issued hands a new certificate over.
func issued(c context.Context, p *pki.PKI, cert *pki.Certificate) (Issued, error) {
	pem, key, err := p.PEM(c, cert)
	if err != nil || key == nil {
		return Issued{Serial: cert.Serial, Profile: cert.Profile, Certificate: string(pem)}, err
	}
	p12, err := p.PKCS12(c, cert, "pscemu")
	return Issued{cert.Serial, cert.Profile, string(pem), string(key), p12}, err
}

func (s *Certificates) revoke(c context.Context, in *CertificateSerial) (Nothing, error) {
	return Nothing{}, s.PKI.Revoke(c, in.Serial)
}

func (s *Certificates) faulty(c context.Context, in *faultyCertificates) (*List[pki.Faulty], error) {
	id := cmp.Or(in.ClientID, "demo")
	if _, err := s.Clients.Get(c, id); err != nil {
		return nil, err
	}
	rows, err := s.PKI.FaultyFor(c, id, clients.OwnSubject(id))
	return all(rows), err
}

func (s *Certificates) operations() []Operation {
	one := Example{Path: map[string]string{"serial": exampleCertificate}}
	return of("certificates",
		operation("GET", "/certificates", "listCertificates", "List certificates, by serial", s.list,
			refuses(problem.LimitInvalid, problem.AfterInvalid, problem.CertificateStateUnknown),
			example(Example{Query: map[string]string{"client_id": "demo", "state": "valid"}})),
		operation(
			"POST",
			"/certificates",
			"issueCertificate",
			"Issue a certificate for a client",
			s.issue,
			says("With a new key, or for the key of a CSR. Its CN is the client_id."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.ClientUnknown,
				problem.ProfileUnknown,
				problem.KeyTypeUnknown,
				problem.CSRInvalid,
			),
			example(Example{Body: CertificateRequest{ClientID: "demo", Profile: pki.ProfileAuthCLI, Key: "ecdsa"}}),
		),
		operation("GET", "/certificates/broken", "listBrokenCertificates",
			"List faulty certificates, for tests of what judges them", s.faulty, refuses(problem.ClientUnknown),
			example(Example{Query: map[string]string{"client_id": "demo"}})),
		operation("GET", "/certificates/:serial", "getCertificate", "Get a certificate", s.get,
			refuses(problem.CertificateUnknown), example(one)),
		operation("GET", "/certificates/:serial/:format", "downloadCertificate", "Get a certificate as a file", s.as,
			answers("application/x-pem-file", "pem, chain and key"),
			answers("application/pkix-cert", "der"), answers("application/x-pkcs12", "p12"),
			refuses(problem.CertificateUnknown, problem.FormatUnknown, problem.KeyNotHere),
			example(Example{Path: map[string]string{"serial": exampleCertificate, "format": "p12"},
				Query: map[string]string{"password": "secret", "legacy": "true"}})),
		operation("POST", "/certificates/:serial/revoke", "revokeCertificate", "Revoke a certificate", s.revoke,
			refuses(problem.CertificateUnknown), example(one)),
	)
}
