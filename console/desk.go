package console

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// The online services TOPS and TOM, and the platform of software certificates:
// a relying party of our own, where people log in with their card.

// deskSession lasts as long as somebody works there.
const deskSession = 30 * time.Minute

// visitors are the people logged in at the desk; they are forgotten at the end
// of the program.
type visitors struct {
	mu   sync.Mutex
	here map[string]visitor
}

type visitor struct {
	id   string
	last time.Time
}

func (v *visitors) enter(id string, now time.Time) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.here == nil {
		v.here = map[string]visitor{}
	}
	for token, other := range v.here {
		if now.Sub(other.last) > deskSession {
			delete(v.here, token)
		}
	}
	token := rand.Text()
	v.here[token] = visitor{id, now}
	return token
}

func (v *visitors) leave(token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.here, token)
}

// who is the national id behind a cookie, "" for nobody.
func (v *visitors) who(token string, now time.Time) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, ok := v.here[token]
	if !ok || now.Sub(at.last) > deskSession {
		return ""
	}
	at.last = now
	v.here[token] = at
	return at.id
}

func (s *Console) deskPages(e *echo.Echo) {
	e.GET("/desk", s.deskPage)
	e.GET("/desk/start", s.deskParty.Begin)
	e.GET("/desk/callback", s.deskCallback)
	e.POST("/desk/leave", s.atDesk(s.leaveDesk))
	e.POST("/desk/take-back", s.atDesk(func(c echo.Context, by string) error {
		return s.backToDesk(c, s.Orders.TakeBack(ctx(c), by, c.FormValue("card")))
	}))
	e.POST("/desk/order", s.atDesk(s.deskOrder))
	e.POST("/desk/certificate", s.atDesk(s.deskCertificate))
	e.POST("/desk/revoke", s.atDesk(func(c echo.Context, by string) error {
		return s.backToDesk(c, s.Orders.RevokeCertificate(ctx(c), by, c.FormValue("serial")))
	}))
	e.POST("/desk/bind", s.atDesk(s.deskBind))
}

func (s *Console) visitor(c echo.Context) string {
	for _, kept := range s.cookies.Values(c, "desk") {
		if who := s.visitors.who(kept, s.Clock.Now()); who != "" {
			return who
		}
	}
	return ""
}

// atDesk wants somebody who is logged in.
func (s *Console) atDesk(next func(c echo.Context, by string) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		by := s.visitor(c)
		if by == "" {
			return web.Redirect(c, http.StatusSeeOther, "/desk")
		}
		return next(c, by)
	}
}

// deskCallback lets in who logged in with a card.
func (s *Console) deskCallback(c echo.Context) error {
	in, err := s.deskParty.LoggedIn(c)
	if err != nil {
		return err
	}
	if in.Error != "" {
		return problem.DeskLoginRefused.Got(in.Error)
	}
	if mode := in.AccessClaims()["authMode"]; mode != string(identities.AuthModeCard) {
		return problem.DeskWantsCard.Of()
	}
	id, _ := in.Claims["preferred_username"].(string)
	// Lax: the way back comes from the login page's site.
	s.cookies.Set(c, "desk", "/desk", s.visitors.enter(id, s.Clock.Now()), http.SameSiteLaxMode, 0)
	return web.Redirect(c, http.StatusSeeOther, "/desk")
}

func (s *Console) leaveDesk(c echo.Context, _ string) error {
	for _, kept := range s.cookies.Values(c, "desk") {
		s.visitors.leave(kept)
	}
	s.cookies.Set(c, "desk", "/desk", "", http.SameSiteLaxMode, 0)
	return web.Redirect(c, http.StatusSeeOther, "/desk")
}

// deskView is what somebody sees: TOM and the fleet when a card opens it, the
// certificates of their perimeter.
type deskView struct {
	By           string
	Own          somebodysCards
	TOM          *problem.Error // why TOM stays closed, nil when it is open
	TOPS         bool
	Structures   []orders.Structure
	Fleet        []cards.Card
	FleetPart    shell.Part
	Administers  []orders.Structure
	Certificates []pki.Certificate
	Part         shell.Part // of the certificates
}

func (s *Console) deskPage(c echo.Context) error { return s.showDesk(c, nil, nil) }

// showDesk shows the desk, with what was refused and the binding to ask about.
func (s *Console) showDesk(c echo.Context, refusal error, ask map[string]string) error {
	data := map[string]any{"Title": "Espace des porteurs de carte", "Demo": s.Demo != nil, "Ask": ask}
	if by := s.visitor(c); by != "" {
		v, err := s.deskView(c, by)
		if err != nil {
			return err
		}
		list, next, err := s.api.Clients.List(ctx(c))("", shell.PageRows)
		if err != nil {
			return err
		}
		data["Desk"], data["Clients"], data["MoreClients"], data["Kinds"] = v, list, next != "", orders.CertificateKinds
	}
	return s.formPage(c, "desk/desk", data, refusal)
}

func (s *Console) deskView(c echo.Context, by string) (v *deskView, err error) {
	ctx := ctx(c)
	v = &deskView{By: by}
	if v.Own, err = s.cardsOf(ctx, by); err != nil {
		return nil, err
	}
	if v.Structures, err = s.Orders.ActsFor(ctx, by); err != nil {
		return nil, err
	}
	if v.Administers, err = s.Orders.Administers(ctx, by); err != nil {
		return nil, err
	}
	if err = s.deskCertificates(c, v); err != nil {
		return nil, err
	}
	v.TOPS = s.Orders.EnterAs(ctx, "TOPS", by) == nil
	if closed := s.Orders.EnterAs(ctx, "TOM", by); closed != nil {
		v.TOM = problem.From(closed)
	}
	if v.TOPS || v.TOM == nil {
		err = s.deskFleet(c, v)
	}
	return v, err
}

// Each of the desk's two lists has its own place in the page's address, and
// keeps the other's.
const (
	fleetAfter        = "fleet"
	certificatesAfter = "certificates"
)

func (s *Console) deskFleet(c echo.Context, v *deskView) (err error) {
	v.Fleet, v.FleetPart, err = shell.Shown(c, shell.List{Path: "/desk", After: fleetAfter,
		Filter: url.Values{certificatesAfter: {c.QueryParam(certificatesAfter)}},
		Count:  func(ctx context.Context, _ int) (int, error) { return s.Orders.FleetSize(ctx, v.By) }},
		s.api.Orders.Fleet(ctx(c), v.By))
	return err
}

func (s *Console) deskCertificates(c echo.Context, v *deskView) (err error) {
	v.Certificates, v.Part, err = shell.Shown(c, shell.List{
		Path:   "/desk",
		After:  certificatesAfter,
		Filter: url.Values{fleetAfter: {c.QueryParam(fleetAfter)}},
		Count:  func(ctx context.Context, most int) (int, error) { return s.Orders.CountCertificates(ctx, v.By, most) },
	},
		s.api.Orders.Certificates(ctx(c), v.By))
	return err
}

// backToDesk shows the desk again, with what was refused.
func (s *Console) backToDesk(c echo.Context, refusal error) error {
	if refusal != nil {
		return s.showDesk(c, refusal, nil)
	}
	return web.Redirect(c, http.StatusSeeOther, "/desk")
}

// deskOrder is TOM's: a card for somebody of the staff, or an incident of a
// card of the fleet.
func (s *Console) deskOrder(c echo.Context, by string) error {
	service := c.FormValue("service")
	if service != "" {
		if err := s.Orders.EnterAs(ctx(c), service, by); err != nil {
			return s.showDesk(c, err, nil)
		}
	}
	form, err := orders.FormNamed(c.FormValue("form"))
	if err != nil {
		return err
	}
	structure, fields := c.FormValue("structure"), map[string]string{}
	for _, f := range form.Fields {
		fields[f.Name] = c.FormValue(f.Name)
	}
	delete(fields, "service") // the form field's name for a carte de service
	if c.FormValue("de_service") != "" {
		fields["service"] = "oui"
	}
	actor := "liberal" // a holder's forms are open to every actor
	if known, err := s.Orders.StructureNamed(ctx(c), structure); err == nil {
		actor = known.Actor
		if len(known.ID) == 14 {
			fields["siret"] = known.ID
		} else {
			fields["finess"] = known.ID
		}
	}
	return s.placeOrder(
		c,
		orders.Order{Form: form.No, Actor: actor, Channel: service, By: by, Fields: fields},
		s.backToDesk,
	)
}

func (s *Console) deskCertificate(c echo.Context, by string) error {
	_, err := s.Orders.IssueCertificate(
		ctx(c),
		orders.CertificateOrder{
			By:        by,
			Structure: c.FormValue("structure"),
			Profile:   c.FormValue("profile"),
			Service:   c.FormValue("service"),
			Key:       c.FormValue("key"),
			CSR:       c.FormValue("csr"),
		},
	)
	return s.backToDesk(c, err)
}
