package console

import (
	"context"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
)

// The order desk, by the control API and on pages made of its data.

func (s *Console) orderRoutes() []route {
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

func (s *Console) orderForms(c echo.Context) (any, error) {
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

func (s *Console) listOrders(c echo.Context) (any, error) {
	return listed(c, s.orderList(ctx(c)))
}

// orderList lists orders, the newest first.
func (s *Console) orderList(c context.Context) lister[orders.Order] {
	return byID(func(o *orders.Order) string { return o.ID }, func(after string, limit int) ([]orders.Order, error) {
		return s.Orders.List(c, after, limit)
	})
}

func (s *Console) beginOrder(c echo.Context) (any, error) {
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

func (s *Console) completeOrder(c echo.Context) (any, error) {
	var in struct{ Fields map[string]string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Complete(ctx(c), param(c, "id"), in.Fields)
}

func (s *Console) rejectOrder(c echo.Context) (any, error) {
	var in struct{ Reason string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Reject(ctx(c), param(c, "id"), in.Reason)
}

func (s *Console) enterService(c echo.Context) (any, error) {
	var in struct{ Card string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return map[string]bool{"open": true}, s.Orders.Enter(ctx(c), c.Param("name"), in.Card)
}

func (s *Console) fleet(c echo.Context) (any, error) {
	return listed(c, s.fleetList(ctx(c), c.QueryParam("by")))
}

// fleetList lists the cards of the structures that somebody acts for, structure
// by structure.
func (s *Console) fleetList(c context.Context, by string) lister[cards.Card] {
	return byID(func(c *cards.Card) string { return c.Serial }, func(after string, limit int) ([]cards.Card, error) {
		return s.Orders.Fleet(c, by, after, limit)
	})
}

func (s *Console) takeBack(c echo.Context) (any, error) {
	var in struct{ By, Card string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return nil, s.Orders.TakeBack(ctx(c), in.By, in.Card)
}

func (s *Console) registerAtOrder(c echo.Context) (any, error) {
	var in struct{ Identity string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Orders.Register(ctx(c), in.Identity)
}
