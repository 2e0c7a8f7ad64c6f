package console

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

// The order desk, by the control API and on pages made of its data.

func (s *Console) orderPages(e *echo.Echo) {
	e.GET("/orders", s.ordersPage)
	e.GET("/orders/new", s.orderForm)
	e.GET("/orders/:id", s.orderPage)
	e.POST("/orders/new", s.fillOrder)
	e.POST("/orders/:id/:action", s.orderAction)
}

// ordersPage chooses an actor, shows the forms it sees and what was ordered.
func (s *Console) ordersPage(c echo.Context) error {
	page := shell.List{Path: "/orders", Filter: url.Values{"actor": {c.QueryParam("actor")}}, Count: s.Orders.Count}
	list, part, err := shell.Shown(c, page, s.api.Orders.List(ctx(c)))
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
