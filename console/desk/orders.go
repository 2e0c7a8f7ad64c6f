package desk

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
)

// Orders are the pages of the order desk, made of its data: the forms, and what
// was ordered.
type Orders struct {
	View   *web.View
	Orders *api.Orders
}

// Register adds the routes.
func (h *Orders) Register(e *echo.Echo) {
	e.GET("/orders", h.list)
	e.GET("/orders/new", h.form)
	e.GET("/orders/:id", h.one)
	e.POST("/orders/new", h.fill)
	e.POST("/orders/:id/:action", h.act)
}

// list chooses an actor, shows the forms it sees and what was ordered.
func (h *Orders) list(c echo.Context) error {
	page := shell.List{Path: "/orders", Filter: url.Values{"actor": {c.QueryParam("actor")}}, Count: h.Orders.Orders.Count}
	list, part, err := shell.Shown(c, page, h.Orders.List(shell.Context(c)))
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
	return h.View.Show(c, http.StatusOK, "desk/orders", data)
}

func (h *Orders) form(c echo.Context) error { return h.showForm(c, nil) }

func (h *Orders) showForm(c echo.Context, refusal error) error {
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
		"Channels": []orders.Channel{orders.Paper, orders.Simplified},
	}
	return h.View.Form(c, "desk/order_form", data, refusal)
}

// fill reads the form's fields.
func (h *Orders) fill(c echo.Context) error {
	form, err := orders.FormNamed(c.FormValue("form"))
	if err != nil {
		return err
	}
	fields := map[string]string{}
	for _, f := range form.Fields {
		fields[f.Name] = c.FormValue("field." + f.Name)
	}
	return place(c, h.Orders.Orders, orders.Order{
		Form:    form.No,
		Actor:   c.FormValue("actor"),
		Channel: orders.Channel(c.FormValue("channel")),
		By:      c.FormValue("by"),
		Fields:  fields,
	}, h.showForm)
}

// place begins an order and submits it; a refusal goes back to the page.
func place(c echo.Context, desk *orders.Desk, o orders.Order, refused func(echo.Context, error) error) error {
	placed, err := desk.Place(shell.Context(c), o)
	if err != nil {
		return refused(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/orders/"+url.PathEscape(placed.ID))
}

func (h *Orders) one(c echo.Context) error {
	o, err := h.Orders.Orders.Get(shell.Context(c), web.Param(c, "id"))
	if err != nil {
		return err
	}
	form, err := orders.FormNamed(o.Form)
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Commande " + o.ID, "Order": o, "Form": form}
	return h.View.Show(c, http.StatusOK, "desk/order", data)
}

func (h *Orders) act(c echo.Context) error {
	id, err := web.Param(c, "id"), error(nil)
	switch c.Param("action") {
	case "submit":
		_, err = h.Orders.Orders.Submit(shell.Context(c), id)
	case "validate":
		_, err = h.Orders.Orders.Validate(shell.Context(c), id)
	case "reject":
		_, err = h.Orders.Orders.Reject(shell.Context(c), id, c.FormValue("reason"))
	case "deliver":
		_, err = h.Orders.Orders.Deliver(shell.Context(c), id)
	case "cancel":
		_, err = h.Orders.Orders.Cancel(shell.Context(c), id)
	default:
		err = echo.ErrNotFound
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/orders/"+url.PathEscape(id))
}
