package console

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/internal/web"
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

func (s *Console) orderPages(e *echo.Echo) {
	e.GET("/orders", s.ordersPage)
	e.GET("/orders/new", s.orderForm)
	e.GET("/orders/:id", s.orderPage)
	e.POST("/orders/new", s.fillOrder)
	e.POST("/orders/:id/:action", s.orderAction)
}

// ordersPage chooses an actor, shows the forms it sees and what was ordered.
func (s *Console) ordersPage(c echo.Context) error {
	page := pageList{Path: "/orders", Filter: url.Values{"actor": {c.QueryParam("actor")}}, Count: s.Orders.Count}
	list, part, err := shown(c, page, s.orderList(ctx(c)))
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Commandes", "Actors": orders.Actors(), "Orders": list, "Part": part}
	if id := c.QueryParam("actor"); id != "" {
		actor, err := orders.ActorNamed(id)
		if err != nil {
			return err
		}
		data["Actor"], data["Forms"] = actor, orders.Forms(actor)
	}
	return s.page(c, http.StatusOK, "desk/orders", data)
}

func (s *Console) orderForm(c echo.Context) error { return s.showOrderForm(c, nil) }

func (s *Console) showOrderForm(c echo.Context, refusal error) error {
	form, err := orders.FormNamed(c.FormValue("form"))
	if err != nil {
		return err
	}
	values, err := c.FormParams()
	if err != nil {
		return err
	}
	data := map[string]any{
		"Title":    form.No + " — " + form.Name,
		"Form":     form,
		"Actor":    c.FormValue("actor"),
		"By":       c.FormValue("by"),
		"Values":   values,
		"Channels": []string{orders.Paper, orders.Simplified},
	}
	return s.formPage(c, "desk/order_form", data, refusal)
}

// fillOrder reads the form's fields.
func (s *Console) fillOrder(c echo.Context) error {
	form, err := orders.FormNamed(c.FormValue("form"))
	if err != nil {
		return err
	}
	fields := map[string]string{}
	for _, f := range form.Fields {
		fields[f.Name] = c.FormValue("field." + f.Name)
	}
	return s.placeOrder(
		c,
		orders.Order{
			Form:    form.No,
			Actor:   c.FormValue("actor"),
			Channel: c.FormValue("channel"),
			By:      c.FormValue("by"),
			Fields:  fields,
		},
		s.showOrderForm,
	)
}

// placeOrder begins an order and submits it; a refusal goes back to the page.
func (s *Console) placeOrder(c echo.Context, o orders.Order, refused func(echo.Context, error) error) error {
	placed, err := s.Orders.Place(ctx(c), o)
	if err != nil {
		return refused(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/orders/"+url.PathEscape(placed.ID))
}

func (s *Console) orderPage(c echo.Context) error {
	o, err := s.Orders.Get(ctx(c), param(c, "id"))
	if err != nil {
		return err
	}
	form, err := orders.FormNamed(o.Form)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "desk/order", map[string]any{"Title": "Commande " + o.ID, "Order": o, "Form": form})
}

func (s *Console) orderAction(c echo.Context) error {
	id, err := param(c, "id"), error(nil)
	switch c.Param("action") {
	case "submit":
		_, err = s.Orders.Submit(ctx(c), id)
	case "validate":
		_, err = s.Orders.Validate(ctx(c), id)
	case "reject":
		_, err = s.Orders.Reject(ctx(c), id, c.FormValue("reason"))
	case "deliver":
		_, err = s.Orders.Deliver(ctx(c), id)
	case "cancel":
		_, err = s.Orders.Cancel(ctx(c), id)
	default:
		err = echo.ErrNotFound
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/orders/"+url.PathEscape(id))
}
