package api

import (
	"context"
	"io"
	"strings"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// Clients are the vendors' registrations.
type Clients struct {
	Clients *clients.Registry
	PKI     *pki.PKI
}

// ClientView is a registration as the API shows and takes it. What it is bound
// to is derived, so that what was read can be sent back.
type ClientView struct {
	clients.Client
	BoundTo string `json:"bound_to"`
}

func viewed(c *clients.Client) ClientView { return ClientView{*c, c.BoundTo()} }

// List lists clients, by client_id.
func (s *Clients) List(c context.Context) Lister[ClientView] {
	return ByID(func(v *ClientView) string { return v.ID }, func(after string, limit int) ([]ClientView, error) {
		list, err := s.Clients.List(c, after, limit)
		rows := make([]ClientView, len(list))
		for i := range list {
			rows[i] = viewed(&list[i])
		}
		return rows, err
	})
}

// registration is the client that a body registers. A bound_to that is not what
// the rest of the body leads to would be lost without a word, so it is refused.
func (v *ClientView) registration() (*clients.Client, error) {
	if v.BoundTo != "" && v.BoundTo != v.Client.BoundTo() {
		return nil, problem.ClientBoundToDerived.With("bound", v.Client.BoundTo()).Got(v.BoundTo)
	}
	return &v.Client, nil
}

// ClientID names a client.
type ClientID struct {
	// ID is the client_id.
	ID string `path:"id"`
}

// CertificateBinding says which client is bound to a certificate.
type CertificateBinding struct {
	ClientID string `json:"client_id" required:"true"`
	// Replace also binds a client that is bound to another.
	Replace bool `json:"replace,omitempty"`
}

type newClient struct {
	Body ClientView `body:"application/json"`
}

type putClient struct {
	ClientID
	Body ClientView `body:"application/json"`
}

type patchClient struct {
	ClientID
	Body io.Reader `body:"application/merge-patch+json,application/json"`
	Call echo.Context
}

type bindCertificate struct {
	CertificateSerial
	Body CertificateBinding `body:"application/json"`
}

func (s *Clients) list(c context.Context, in *Paging) (*Page[ClientView], error) {
	return page(*in, s.List(c))
}

func (s *Clients) get(c context.Context, in *ClientID) (out ClientView, err error) {
	client, err := s.Clients.Get(c, in.ID)
	if err != nil {
		return out, err
	}
	return viewed(client), nil
}

func (s *Clients) create(c context.Context, in *newClient) (out ClientView, err error) {
	client, err := in.Body.registration()
	if err == nil {
		err = s.Clients.Create(c, client)
	}
	if err != nil {
		return out, err
	}
	return viewed(client), nil
}

func (s *Clients) put(c context.Context, in *putClient) (out ClientView, err error) {
	client, err := in.Body.registration()
	if err != nil {
		return out, err
	}
	if in.ClientID.ID != client.ID {
		return out, problem.IDDiffers.Case("clients").With("id", in.ClientID.ID).Got(client.ID)
	}
	if err := s.Clients.Put(c, client); err != nil {
		return out, err
	}
	return viewed(client), nil
}

func (s *Clients) patch(c context.Context, in *patchClient) (out ClientView, err error) {
	kind := in.Call.Request().Header.Get("Content-Type")
	if !strings.HasPrefix(kind, "application/json") && !strings.HasPrefix(kind, "application/merge-patch+json") {
		return out, problem.ContentTypeWrong.Case("patch").Got(kind)
	}
	raw, err := io.ReadAll(in.Body) // bounded before
	if err != nil {
		return out, err
	}
	patch, err := clients.ParsePatch(raw)
	if err != nil {
		return out, err
	}
	changed, err := s.Clients.Change(c, in.ID, patch.Apply)
	if err != nil {
		return out, err
	}
	return viewed(changed), nil
}

func (s *Clients) delete(c context.Context, in *ClientID) (Nothing, error) {
	return Nothing{}, s.Clients.Delete(c, in.ID)
}

func (s *Clients) bind(c context.Context, in *bindCertificate) (*clients.Bound, error) {
	return s.Bind(c, in.Body.ClientID, in.Body.Replace, func(tx store.Tx) (*pki.Certificate, error) {
		return s.PKI.CertificateIn(tx, in.Serial)
	})
}

// Bind binds a client to a certificate that of finds.
func (s *Clients) Bind(
	c context.Context,
	client string,
	replace bool,
	of func(store.Tx) (*pki.Certificate, error),
) (*clients.Bound, error) {
	inUse := func(tx store.Tx) (bool, error) { return pki.AnyIn(tx, pki.Query{ClientID: client, State: pki.Valid}) }
	return s.Clients.Bind(c, clients.Binding{Client: client, Certificate: of, InUse: inUse, Replace: replace})
}

// wholeClient is what refuses a registration that cannot be.
var wholeClient = refuses(problem.SettingStrict, problem.DoorsStrict,
	problem.ContentTypeWrong,
	problem.BodyInvalid,
	problem.ClientIDInvalid,
	problem.ClientSecretUseless,
	problem.ClientBoundToDerived,
	problem.RedirectURIsMissing,
	problem.RedirectURIInvalid,
	problem.RedirectPolicyInvalid,
	problem.ResponseTypeInvalid,
	problem.GrantTypeInvalid,
	problem.DeliveryModeInvalid,
	problem.NotificationEndpointMissing,
	problem.JWKSInvalid,
	problem.SubjectDNInvalid,
	problem.PolicyUnknown,
	problem.SettingInvalid,
)

func (s *Clients) operations() []Operation {
	client := Example{Path: map[string]string{"id": "demo"}}
	return of("clients",
		operation("GET", "/clients", "listClients", "List clients, by client_id", s.list,
			refuses(problem.LimitInvalid, problem.AfterInvalid), example(Example{Query: map[string]string{"limit": "20"}})),
		operation("POST", "/clients", "createClient", "Register a client under an id that is free", s.create,
			says("Where client-auth wants a secret and none is given, one is made."),
			wholeClient, refuses(problem.ClientExists), example(Example{Body: exampleClient})),
		operation("GET", "/clients/:id", "getClient", "Get a client", s.get,
			says("With bound_to: the subject of the certificates that authenticate it."),
			refuses(problem.ClientUnknown), example(client)),
		operation("PUT", "/clients/:id", "putClient", "Replace a registration, or register a client", s.put,
			says("What the body does not say is gone."), wholeClient, refuses(problem.IDDiffers),
			example(Example{Path: map[string]string{"id": exampleClientID}, Body: exampleClient})),
		operation("PATCH", "/clients/:id", "patchClient", "Change a registration", s.patch,
			says("A JSON merge patch (RFC 7396) changes what the body says and nothing else; null takes a member "+
				"away."),
			wholeClient, refuses(problem.ClientUnknown, problem.ClientMemberUnknown, problem.IDDiffers),
			example(Example{Path: map[string]string{"id": exampleClientID}, Kind: "application/merge-patch+json",
				Body: `{"name":"Agenda","backchannel_logout_uri":null}`})),
		operation("DELETE", "/clients/:id", "deleteClient", "Remove a client", s.delete, refuses(problem.ClientUnknown),
			example(Example{Path: map[string]string{"id": exampleClientID}})),
		operation(
			"POST",
			"/certificates/:serial/bind",
			"bindCertificate",
			"Bind a client to the subject of a certificate",
			s.bind,
			says("With replace: true also one that is bound to another."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.CertificateUnknown,
				problem.ClientUnknown,
				problem.ClientBound,
				problem.CertificateWrongProfile,
			),
			example(Example{Path: map[string]string{"serial": exampleCertificate},
				Body: CertificateBinding{"demo", true}}),
		),
	)
}
