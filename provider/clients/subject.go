package clients

import (
	"context"
	"fmt"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// OwnSubject is the subject of the certificates that the emulator makes for a
// client: a fictitious structure, and the client_id as CN.
func OwnSubject(clientID string) pki.Name {
	return pki.ORGName("Paris (75)", "EDITEUR FICTIF SANTE", pki.EditorID, clientID)
}

// BoundTo is the subject of the certificates that authenticate the client: the
// registered one, else that of the certificates the emulator makes for it.
func (c *Client) BoundTo() string {
	if c.SubjectDN != "" {
		return c.SubjectDN
	}
	return OwnSubject(c.ID).String()
}

// boundTo is BoundTo as a name.
func (c *Client) boundTo() (pki.Name, error) {
	if c.SubjectDN == "" {
		return OwnSubject(c.ID), nil
	}
	return pki.ParseDN(c.SubjectDN)
}

// Admits tells whether certificates with this subject authenticate the client.
func (c *Client) Admits(subject pki.Name) bool {
	want, err := c.boundTo()
	return err == nil && want.Same(subject)
}

// checkSubject refuses a registered subject that is no name.
func (c *Client) checkSubject() error {
	if _, err := c.boundTo(); err != nil {
		return problem.SubjectDNInvalid.With("error", err).With("example", OwnSubject(c.ID).String()).Got(c.SubjectDN)
	}
	return nil
}

// Binding asks that a certificate authenticate a client from now on.
type Binding struct {
	Client string
	// Certificate finds the certificate, within what whoever asks may bind.
	Certificate func(store.Tx) (*pki.Certificate, error)
	// InUse tells whether somebody holds a certificate that the emulator made for
	// the client.
	InUse func(store.Tx) (bool, error)
	// Replace binds a client anew that is bound to another subject: whoever
	// holds the former certificate is locked out then.
	Replace bool
}

// Bound is what came of a Binding.
type Bound struct {
	Client string `json:"client_id"`
	To     string `json:"bound_to"`
	Was    string `json:"was_bound_to"`
}

// Bind binds a client to the subject of a certificate.
func (r *Registry) Bind(ctx context.Context, b Binding) (out *Bound, err error) {
	err = r.store.Update(ctx, func(tx store.Tx) error {
		out, err = r.BindIn(tx, b)
		return err
	})
	return out, err
}

// BindIn binds a client to the subject of a certificate.
func (r *Registry) BindIn(tx store.Tx, b Binding) (*Bound, error) {
	cert, err := b.Certificate(tx)
	if err != nil {
		return nil, err
	}
	if cert.Profile != pki.ProfileAuthCLI {
		return nil, problem.CertificateWrongProfile.Case("binding").Got(string(cert.Profile))
	}
	inUse, err := b.InUse(tx)
	if err != nil {
		return nil, err
	}
	out := &Bound{Client: b.Client, To: cert.Subject}
	_, err = r.ChangeIn(tx, b.Client, func(c *Client) error {
		out.Was = c.BoundTo()
		return c.bind(cert.Subject, inUse, b.Replace)
	})
	return out, err
}

func (c *Client) bind(subject string, inUse, replace bool) error {
	name, err := pki.ParseDN(subject)
	if err != nil {
		return fmt.Errorf("the subject %q of a certificate made here cannot be read: %w", subject, err)
	}
	if c.Admits(name) {
		return nil // in whatever spelling
	}
	if (c.SubjectDN != "" || inUse) && !replace {
		return problem.ClientBound.Case("again").With("id", c.ID).With("bound", c.BoundTo()).With("subject", subject)
	}
	c.SubjectDN = subject
	return nil
}

// admits checks that the certificate is this client's: its whole subject is the
// one the client is bound to. Without a registered subject only certificates of
// the emulator's own authorities will do; whoever else can have the same name
// put into a certificate is not the client.
func (c *Client) admits(id *pki.OrgIdentity) error {
	if c.Admits(id.Name) && (c.SubjectDN != "" || !id.Foreign) {
		return nil
	}
	code := problem.CertificateOtherClient
	if id.CN == c.ID {
		code = problem.CertificateOtherStructure
	}
	p := code.With("bound", c.BoundTo()).With("id", c.ID).With("dn", id.DN)
	if id.Foreign {
		p = p.Case("foreign")
	}
	return p
}
