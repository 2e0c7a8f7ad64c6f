package api

import (
	"cmp"
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
)

// Orders is the order desk: cards and certificates, asked for and delivered.
type Orders struct {
	Orders *orders.Desk
	PKI    *pki.PKI
}

// The order desk, by the control API and on pages made of its data.
func (s *Orders) routes() []route {
	step := func(do func(c echo.Context, id string) (*orders.Order, error)) func(echo.Context) (any, error) {
		return func(c echo.Context) (any, error) { return do(c, param(c, "id")) }
	}
	return []route{
		{"GET", "/orders/forms", "The order desk's forms, as data; ?actor= those it sees", s.orderForms},
		{
			"GET",
			"/orders/actors",
			"Who orders, with the forms and services open to them",
			func(echo.Context) (any, error) { return items{orders.Actors(), ""}, nil },
		},
		{
			"GET",
			"/orders/services",
			"The online services TOPS and TOM",
			func(echo.Context) (any, error) { return items{orders.Services(), ""}, nil },
		},
		{"POST", "/orders/services/:name/enter", "Whether a card opens an online service: {card}", s.enterService},
		{"GET", "/orders/fleet", "The cards of the structures that ?by= acts for; ?limit&after pages", s.fleet},
		{"POST", "/orders/fleet/take-back", "Take a leaving holder's card back: {by, card}", s.takeBack},
		{
			"POST",
			"/orders/registrations",
			"Inscription at the order, which gives a CPS without asking: {identity}",
			s.registerAtOrder,
		},
		{
			"GET",
			"/orders/structures/:id",
			"What the desk knows of a structure, by SIRET or FINESS",
			func(c echo.Context) (any, error) { return s.Orders.StructureNamed(ctx(c), param(c, "id")) },
		},
		{
			"GET",
			"/orders/certificates",
			"The software certificates of the structures that ?by= administers; ?limit&after pages",
			s.orderedCertificates,
		},
		{
			"POST",
			"/orders/certificates",
			"As a technical administrator: {by, structure, profile, service, key or csr}",
			s.orderCertificate,
		},
		{"POST", "/orders/certificates/:serial/revoke", "As a technical administrator: revoke, {by}", s.revokeOrdered},
		{"GET", "/orders", "The orders, newest first; ?limit&after pages", s.listOrders},
		{"POST", "/orders", "Begin an order: {form, actor, channel, by, fields}", s.beginOrder},
		{
			"GET",
			"/orders/:id",
			"One order with its history",
			step(func(c echo.Context, id string) (*orders.Order, error) { return s.Orders.Get(ctx(c), id) }),
		},
		{"PUT", "/orders/:id", "Fill in fields of a draft or an incomplete order: {fields}", s.completeOrder},
		{
			"POST",
			"/orders/:id/submit",
			"Submit it: the rules are judged",
			step(func(c echo.Context, id string) (*orders.Order, error) { return s.Orders.Submit(ctx(c), id) }),
		},
		{
			"POST",
			"/orders/:id/cancel",
			"Take it back",
			step(func(c echo.Context, id string) (*orders.Order, error) { return s.Orders.Cancel(ctx(c), id) }),
		},
		{
			"POST",
			"/orders/:id/validate",
			"As the ANS: accept it",
			step(func(c echo.Context, id string) (*orders.Order, error) { return s.Orders.Validate(ctx(c), id) }),
		},
		{"POST", "/orders/:id/reject", "As the ANS: refuse it, {reason}", s.rejectOrder},
		{
			"POST",
			"/orders/:id/deliver",
			"What was sent arrives",
			step(func(c echo.Context, id string) (*orders.Order, error) { return s.Orders.Deliver(ctx(c), id) }),
		},
	}
}

func (s *Orders) orderForms(c echo.Context) (any, error) {
	id := c.QueryParam("actor")
	if id == "" {
		return items{orders.Forms(nil), ""}, nil
	}
	actor, err := orders.ActorNamed(id)
	if err != nil {
		return nil, err
	}
	return items{orders.Forms(actor), ""}, nil
}

func (s *Orders) listOrders(c echo.Context) (any, error) {
	return listed(c, s.List(ctx(c)))
}

// List lists orders, the newest first.
func (s *Orders) List(c context.Context) Lister[orders.Order] {
	return ByID(func(o *orders.Order) string { return o.ID }, func(after string, limit int) ([]orders.Order, error) {
		return s.Orders.List(c, after, limit)
	})
}

func (s *Orders) beginOrder(c echo.Context) (any, error) {
	var in struct {
		Form, Actor, Channel, By string
		Fields                   map[string]string
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Begin(
		ctx(c),
		orders.Order{Form: in.Form, Actor: in.Actor, Channel: in.Channel, By: in.By, Fields: in.Fields},
	)
}

func (s *Orders) completeOrder(c echo.Context) (any, error) {
	var in struct{ Fields map[string]string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Complete(ctx(c), param(c, "id"), in.Fields)
}

func (s *Orders) rejectOrder(c echo.Context) (any, error) {
	var in struct{ Reason string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Reject(ctx(c), param(c, "id"), in.Reason)
}

func (s *Orders) enterService(c echo.Context) (any, error) {
	var in struct{ Card string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return map[string]bool{"open": true}, s.Orders.Enter(ctx(c), c.Param("name"), in.Card)
}

func (s *Orders) fleet(c echo.Context) (any, error) {
	return listed(c, s.Fleet(ctx(c), c.QueryParam("by")))
}

// Fleet lists the cards of the structures that somebody acts for, structure
// by structure.
func (s *Orders) Fleet(c context.Context, by string) Lister[cards.Card] {
	return ByID(func(c *cards.Card) string { return c.Serial }, func(after string, limit int) ([]cards.Card, error) {
		return s.Orders.Fleet(c, by, after, limit)
	})
}

func (s *Orders) takeBack(c echo.Context) (any, error) {
	var in struct{ By, Card string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return nil, s.Orders.TakeBack(ctx(c), in.By, in.Card)
}

func (s *Orders) registerAtOrder(c echo.Context) (any, error) {
	var in struct{ Identity string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Register(ctx(c), in.Identity)
}

// The online services TOPS and TOM, and the platform of software certificates:
// a relying party of our own, where people log in with their card.
func (s *Orders) orderCertificate(c echo.Context) (any, error) {
	var in orders.CertificateOrder
	if err := body(c, &in); err != nil {
		return nil, err
	}
	in.Profile = cmp.Or(in.Profile, "AUTH_CLI")
	cert, err := s.Orders.IssueCertificate(ctx(c), in)
	if err != nil {
		return nil, err
	}
	return issued(ctx(c), s.PKI, cert)
}

func (s *Orders) orderedCertificates(c echo.Context) (any, error) {
	return listed(c, keyless(s.Certificates(ctx(c), c.QueryParam("by"))))
}

// Certificates lists the certificates of the structures that somebody administers,
// structure by structure.
func (s *Orders) Certificates(c context.Context, by string) Lister[pki.Certificate] {
	return ByID(certificateID, func(after string, limit int) ([]pki.Certificate, error) {
		return s.Orders.Certificates(c, by, after, limit)
	})
}

func (s *Orders) revokeOrdered(c echo.Context) (any, error) {
	var in struct{ By string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return nil, s.Orders.RevokeCertificate(ctx(c), in.By, param(c, "serial"))
}
