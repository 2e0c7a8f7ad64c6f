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

func (s *Clients) routes() []route {
	return []route{
		{"GET", "/clients", "List clients; ?limit&after pages", s.listClients},
		{
			"POST",
			"/clients",
			"Register a client under an id that is free; where client-auth wants a secret and none is given, one is made",
			s.createClient,
		},
		{
			"GET",
			"/clients/:id",
			"One client, with bound_to: the subject of the certificates that authenticate it",
			s.getClient,
		},
		{
			"PUT",
			"/clients/:id",
			"Replace the whole registration, or register the client: what the body does not say is gone",
			s.putClient,
		},
		{
			"PATCH",
			"/clients/:id",
			"Change what the body says and nothing else (JSON merge patch, RFC 7396): null takes a member away",
			s.patchClient,
		},
		{
			"DELETE",
			"/clients/:id",
			"Remove a client",
			func(c echo.Context) (any, error) { return nil, s.Clients.Delete(ctx(c), param(c, "id")) },
		},
		{
			"POST",
			"/certificates/:serial/bind",
			"Bind a client to the certificate's subject: {client_id}; with replace: true also one that is bound to another",
			s.bindCertificate,
		},
	}
}

// ClientView is a registration as the API shows and takes it. What it is bound
// to is derived, so that what was read can be sent back.
type ClientView struct {
	clients.Client
	BoundTo string `json:"bound_to"`
}

func viewed(c *clients.Client) ClientView { return ClientView{*c, c.BoundTo()} }

func (s *Clients) listClients(c echo.Context) (any, error) {
	return listed(c, s.List(ctx(c)))
}

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

func (s *Clients) getClient(c echo.Context) (any, error) {
	client, err := s.Clients.Get(ctx(c), param(c, "id"))
	if err != nil {
		return nil, err
	}
	return viewed(client), nil
}

// clientBody reads a registration. A bound_to that is not what the rest of the
// body leads to would be lost without a word, so it is refused.
func clientBody(c echo.Context) (*clients.Client, error) {
	var in ClientView
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if in.BoundTo != "" && in.BoundTo != in.Client.BoundTo() {
		return nil, problem.ClientBoundToDerived.With("bound", in.Client.BoundTo()).Got(in.BoundTo)
	}
	return &in.Client, nil
}

func (s *Clients) createClient(c echo.Context) (any, error) {
	in, err := clientBody(c)
	if err == nil {
		err = s.Clients.Create(ctx(c), in)
	}
	if err != nil {
		return nil, err
	}
	return viewed(in), nil
}

func (s *Clients) putClient(c echo.Context) (any, error) {
	in, err := clientBody(c)
	if err != nil {
		return nil, err
	}
	if id := param(c, "id"); id != in.ID {
		return nil, problem.IDDiffers.Case("clients").With("id", id).Got(in.ID)
	}
	if err := s.Clients.Put(ctx(c), in); err != nil {
		return nil, err
	}
	return viewed(in), nil
}

func (s *Clients) patchClient(c echo.Context) (any, error) {
	kind := c.Request().Header.Get("Content-Type")
	if !strings.HasPrefix(kind, "application/json") && !strings.HasPrefix(kind, "application/merge-patch+json") {
		return nil, problem.ContentTypeWrong.Case("patch").Got(kind)
	}
	raw, err := io.ReadAll(c.Request().Body) // bounded by bodyLimit
	if err != nil {
		return nil, err
	}
	patch, err := clients.ParsePatch(raw)
	if err != nil {
		return nil, err
	}
	changed, err := s.Clients.Change(ctx(c), param(c, "id"), patch.Apply)
	if err != nil {
		return nil, err
	}
	return viewed(changed), nil
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

func (s *Clients) bindCertificate(c echo.Context) (any, error) {
	var in struct {
		ClientID string `json:"client_id"`
		Replace  bool   `json:"replace"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Bind(ctx(c), in.ClientID, in.Replace, func(tx store.Tx) (*pki.Certificate, error) {
		return s.PKI.CertificateIn(tx, param(c, "serial"))
	})
}
