// Package desk shows the order desk: its forms and orders, and the space where
// people who logged in with their card order for their staff.
package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/rp"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
)

// Space is the online services TOPS and TOM, and the platform of software
// certificates: an application of our own, where people log in with their card.
type Space struct {
	View    *web.View
	Orders  *api.Orders
	Cards   *api.Cards
	Clients *api.Clients
	Party   *demo.Party // how people log in; nil when there is no demo client
	Here    *Visitors
}

// Register adds the routes.
func (h *Space) Register(e *echo.Echo) {
	e.GET("/desk", h.home)
	e.POST("/desk/leave", h.at(h.leave))
	e.POST("/desk/take-back", h.at(h.takeBack))
	e.POST("/desk/order", h.at(h.order))
	e.POST("/desk/certificate", h.at(h.certificate))
	e.POST("/desk/revoke", h.at(h.revoke))
	e.POST("/desk/bind", h.at(h.bind))
	if h.Party != nil {
		e.GET("/desk/start", h.Party.Begin)
		e.GET("/desk/callback", h.callback)
	}
}

// at wants somebody who is logged in.
func (h *Space) at(next func(c echo.Context, by string) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		by := h.Here.who(c)
		if by == "" {
			return web.Redirect(c, http.StatusSeeOther, "/desk")
		}
		return next(c, by)
	}
}

// callback lets in who logged in with a card.
func (h *Space) callback(c echo.Context) error {
	in, err := h.Party.LoggedIn(c)
	if said := (*rp.Refusal)(nil); errors.As(err, &said) {
		return problem.DeskLoginRefused.Got(said.Code)
	}
	if err != nil {
		return err
	}
	if mode := rp.Decode(in.Tokens.Access).Text("authMode"); mode != string(identities.AuthModeCard) {
		return problem.DeskWantsCard.Of()
	}
	h.Here.enter(c, in.Claims.Text("preferred_username"))
	return web.Redirect(c, http.StatusSeeOther, "/desk")
}

func (h *Space) leave(c echo.Context, _ string) error {
	h.Here.leave(c)
	return web.Redirect(c, http.StatusSeeOther, "/desk")
}

func (h *Space) takeBack(c echo.Context, by string) error {
	return h.back(c, h.Orders.Orders.TakeBack(shell.Context(c), by, c.FormValue("card")))
}

func (h *Space) revoke(c echo.Context, by string) error {
	return h.back(c, h.Orders.Orders.RevokeCertificate(shell.Context(c), by, c.FormValue("serial")))
}

// sight is what somebody sees: TOM and the fleet when a card opens it, the
// certificates of their perimeter.
type sight struct {
	By           string
	Own          shell.SomeCards
	TOM          *problem.Error // why TOM stays closed, nil when it is open
	TOPS         bool
	Structures   []orders.Structure
	Fleet        []cards.Card
	FleetPart    shell.Part
	Administers  []orders.Structure
	Certificates []pki.Certificate
	Part         shell.Part // of the certificates
}

func (h *Space) home(c echo.Context) error { return h.show(c, nil, nil) }

// show shows the desk, with what was refused and the binding to ask about.
func (h *Space) show(c echo.Context, refusal error, ask map[string]string) error {
	data := map[string]any{"Title": "Espace des porteurs de carte", "Demo": h.Party != nil, "Ask": ask}
	if by := h.Here.who(c); by != "" {
		v, err := h.look(c, by)
		if err != nil {
			return err
		}
		list, next, err := h.Clients.List(shell.Context(c))("", shell.PageRows)
		if err != nil {
			return err
		}
		data["Desk"], data["Clients"], data["MoreClients"], data["Kinds"] = v, list, next != "", orders.CertificateKinds
	}
	return h.View.Form(c, "desk/desk", data, refusal)
}

func (h *Space) look(c echo.Context, by string) (v *sight, err error) {
	ctx := shell.Context(c)
	v = &sight{By: by}
	if v.Own, err = shell.FewCards(by, h.Cards.List(ctx, by)); err != nil {
		return nil, err
	}
	if v.Structures, err = h.Orders.Orders.ActsFor(ctx, by); err != nil {
		return nil, err
	}
	if v.Administers, err = h.Orders.Orders.Administers(ctx, by); err != nil {
		return nil, err
	}
	if err = h.certificates(c, v); err != nil {
		return nil, err
	}
	v.TOPS = h.Orders.Orders.EnterAs(ctx, orders.TOPS, by) == nil
	if closed := h.Orders.Orders.EnterAs(ctx, orders.TOM, by); closed != nil {
		v.TOM = problem.From(closed)
	}
	if v.TOPS || v.TOM == nil {
		err = h.fleet(c, v)
	}
	return v, err
}

// Each of the desk's two lists has its own place in the page's address, and
// keeps the other's.
const (
	fleetAfter        = "fleet"
	certificatesAfter = "certificates"
)

func (h *Space) fleet(c echo.Context, v *sight) (err error) {
	v.Fleet, v.FleetPart, err = shell.Shown(c, shell.List{Path: "/desk", After: fleetAfter,
		Filter: url.Values{certificatesAfter: {c.QueryParam(certificatesAfter)}},
		Count:  func(ctx context.Context, _ int) (int, error) { return h.Orders.Orders.FleetSize(ctx, v.By) }},
		h.Orders.Fleet(shell.Context(c), v.By))
	return err
}

func (h *Space) certificates(c echo.Context, v *sight) (err error) {
	v.Certificates, v.Part, err = shell.Shown(c, shell.List{
		Path:   "/desk",
		After:  certificatesAfter,
		Filter: url.Values{fleetAfter: {c.QueryParam(fleetAfter)}},
		Count: func(ctx context.Context, most int) (int, error) {
			return h.Orders.Orders.CountCertificates(ctx, v.By, most)
		},
	},
		h.Orders.Certificates(shell.Context(c), v.By))
	return err
}

// back shows the desk again, with what was refused.
func (h *Space) back(c echo.Context, refusal error) error {
	if refusal != nil {
		return h.show(c, refusal, nil)
	}
	return web.Redirect(c, http.StatusSeeOther, "/desk")
}

// order is TOM's: a card for somebody of the staff, or an incident of a
// card of the fleet.
func (h *Space) order(c echo.Context, by string) error {
	service := orders.Channel(c.FormValue("service"))
	if service != "" {
		if err := h.Orders.Orders.EnterAs(shell.Context(c), service, by); err != nil {
			return h.show(c, err, nil)
		}
	}
	form, err := orders.FormNamed(c.FormValue("form"))
	if err != nil {
		return err
	}
	fields := filledIn(c, form)
	actor := "liberal" // a holder's forms are open to every actor
	if known, err := h.Orders.Orders.StructureNamed(shell.Context(c), c.FormValue("structure")); err == nil {
		actor = known.Actor
		if len(known.ID) == 14 {
			fields["siret"] = known.ID
		} else {
			fields["finess"] = known.ID
		}
	}
	o := orders.Order{Form: form.No, Actor: actor, Channel: service, By: by, Fields: fields}
	return place(c, h.Orders.Orders, o, h.back)
}

// filledIn are the fields of a form. The page has "service" for the online
// service, and another name for the field of a carte de service.
func filledIn(c echo.Context, form *orders.Form) map[string]string {
	fields := map[string]string{}
	for _, f := range form.Fields {
		fields[f.Name] = c.FormValue(f.Name)
	}
	delete(fields, "service")
	if c.FormValue("de_service") != "" {
		fields["service"] = "oui"
	}
	return fields
}

func (h *Space) certificate(c echo.Context, by string) error {
	_, err := h.Orders.Orders.IssueCertificate(shell.Context(c), orders.CertificateOrder{
		By:        by,
		Structure: c.FormValue("structure"),
		Profile:   pki.ProfileName(c.FormValue("profile")),
		Service:   c.FormValue("service"),
		Key:       c.FormValue("key"),
		CSR:       c.FormValue("csr"),
	})
	return h.back(c, err)
}

// bind binds a client to a certificate of the perimeter. A client that is
// bound already is bound anew only after the page has said to what, and asked.
func (h *Space) bind(c echo.Context, by string) error {
	serial, client := c.FormValue("serial"), c.FormValue("client")
	of := func(tx store.Tx) (*pki.Certificate, error) { return h.Orders.Orders.CertificateForIn(tx, by, serial) }
	_, err := h.Clients.Bind(shell.Context(c), client, c.FormValue("replace") != "", of)
	if err != nil {
		var ask map[string]string
		if problem.Is(err, problem.ClientBound) {
			ask = map[string]string{"Serial": serial, "Client": client}
		}
		return h.show(c, err, ask)
	}
	return web.Redirect(c, http.StatusSeeOther, "/clients/"+url.PathEscape(client))
}
