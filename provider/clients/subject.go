package clients

import (
	"pscemu/cards/pki"
	"pscemu/problem"
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
		return problem.New(problem.Invalid, "subject-dn-invalid", "tls_client_auth_subject_dn cannot be read: "+err.Error()).
			Got(c.SubjectDN).Want("a distinguished name (RFC 4514), such as " + OwnSubject(c.ID).String())
	}
	return nil
}

// Bind registers the subject of a certificate that is to authenticate the
// client. A client that is bound to another subject is bound anew only when
// replace says so: whoever holds the former certificate is locked out then.
func (c *Client) Bind(subject string, replace bool) error {
	name, err := pki.ParseDN(subject)
	if err != nil {
		return problem.New(problem.Internal, "subject-dn-invalid", "the certificate's subject cannot be read: "+err.Error()).Got(subject)
	}
	if c.Admits(name) {
		return nil
	}
	if c.SubjectDN != "" && !replace {
		return problem.New(problem.Conflict, "client-bound", "this client is bound to another certificate").
			Got(c.ID + " is bound to " + c.SubjectDN).Want("a client that is bound to no other subject").
			Do("to bind it to " + subject + " instead, say so: replace: true, or confirm on the page")
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
	code, reason := "certificate-other-client", "the certificate belongs to another client"
	if id.CN == c.ID {
		code, reason = "certificate-other-structure", "the certificate names this client, but it is not the one the client is bound to"
	}
	got := id.DN
	if id.Foreign {
		got += ", issued by a foreign authority"
	}
	return problem.New(problem.Forbidden, code, reason).Got(got).Want("the subject " + c.BoundTo()).
		Do("present this client's certificate; or bind the client to this one: pscemu clients update " + c.ID +
			" --subject-dn '" + id.DN + "', or on the console's page /clients/" + c.ID)
}
