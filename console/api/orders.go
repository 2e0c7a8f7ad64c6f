package api

import (
	"cmp"
	"context"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
)

// Orders is the order desk: cards and certificates, asked for and delivered.
type Orders struct {
	Orders *orders.Desk
	PKI    *pki.PKI
}

// OrderID names an order.
type OrderID struct {
	// ID of the order.
	ID string `path:"id"`
}

// NewOrder is a form to be filled in.
type NewOrder struct {
	// Form is its number.
	Form string `json:"form" required:"true"`
	// Actor is the kind of structure or person that orders.
	Actor string `json:"actor" required:"true"`
	// Channel is paper, simplified, TOPS or TOM.
	Channel orders.Channel `json:"channel,omitempty"`
	// By is the national id of who orders.
	By string `json:"by,omitempty"`
	// Fields are the form's, by name.
	Fields map[string]string `json:"fields"`
}

// OrderFields are fields of an order that are filled in.
type OrderFields struct {
	Fields map[string]string `json:"fields" required:"true"`
}

// Rejection says why an order is refused.
type Rejection struct {
	Reason string `json:"reason" required:"true"`
}

// Entered tells that an online service is open.
type Entered struct {
	Open bool `json:"open"`
}

// TakeBack names a card that is taken back.
type TakeBack struct {
	// By is the national id of who takes it back.
	By string `json:"by" required:"true"`
	// Card is its serial.
	Card string `json:"card" required:"true"`
}

// Registration is somebody's inscription at their order.
type Registration struct {
	// Identity is the person's national id.
	Identity string `json:"identity" required:"true"`
}

// ActsBy says who acts.
type ActsBy struct {
	// By is the national id of who acts.
	By string `json:"by" required:"true"`
}

type orderForms struct {
	// Actor leaves the forms that it does not see out.
	Actor string `query:"actor"`
}

type enterService struct {
	// Name is TOPS or TOM.
	Name orders.Channel `path:"name"`
	Body Insertion      `body:"application/json"`
}

type ofSomebody struct {
	// By is the national id of who acts for the structures.
	By string `query:"by"`
	Paging
}

type takeCardBack struct {
	Body TakeBack `body:"application/json"`
}

type registerAtOrder struct {
	Body Registration `body:"application/json"`
}

type structureID struct {
	// ID is a SIRET or FINESS number.
	ID string `path:"id"`
}

type orderCertificate struct {
	Body orders.CertificateOrder `body:"application/json"`
}

type revokeOrdered struct {
	CertificateSerial
	Body ActsBy `body:"application/json"`
}

type beginOrder struct {
	Body NewOrder `body:"application/json"`
}

type completeOrder struct {
	OrderID
	Body OrderFields `body:"application/json"`
}

type rejectOrder struct {
	OrderID
	Body Rejection `body:"application/json"`
}

func (s *Orders) forms(_ context.Context, in *orderForms) (*List[orders.Form], error) {
	if in.Actor == "" {
		return all(orders.Forms(nil)), nil
	}
	actor, err := orders.ActorNamed(in.Actor)
	if err != nil {
		return nil, err
	}
	return all(orders.Forms(actor)), nil
}

func (s *Orders) actors(context.Context, *None) (*List[orders.Actor], error) {
	return all(orders.Actors()), nil
}

func (s *Orders) services(context.Context, *None) (*List[orders.Online], error) {
	return all(orders.Services()), nil
}

func (s *Orders) enter(c context.Context, in *enterService) (Entered, error) {
	return Entered{true}, s.Orders.Enter(c, in.Name, in.Body.Card)
}

func (s *Orders) fleet(c context.Context, in *ofSomebody) (*Page[cards.Card], error) {
	return page(in.Paging, s.Fleet(c, in.By))
}

// Fleet lists the cards of the structures that somebody acts for, structure
// by structure.
func (s *Orders) Fleet(c context.Context, by string) Lister[cards.Card] {
	return ByID(func(c *cards.Card) string { return c.Serial }, func(after string, limit int) ([]cards.Card, error) {
		return s.Orders.Fleet(c, by, after, limit)
	})
}

func (s *Orders) takeBack(c context.Context, in *takeCardBack) (Nothing, error) {
	return Nothing{}, s.Orders.TakeBack(c, in.Body.By, in.Body.Card)
}

func (s *Orders) register(c context.Context, in *registerAtOrder) (*cards.Card, error) {
	return s.Orders.Register(c, in.Body.Identity)
}

func (s *Orders) structure(c context.Context, in *structureID) (*orders.Structure, error) {
	return s.Orders.StructureNamed(c, in.ID)
}

func (s *Orders) certificates(c context.Context, in *ofSomebody) (*Page[pki.Certificate], error) {
	return page(in.Paging, keyless(s.Certificates(c, in.By)))
}

// Certificates lists the certificates of the structures that somebody administers,
// structure by structure.
func (s *Orders) Certificates(c context.Context, by string) Lister[pki.Certificate] {
	return ByID(certificateID, func(after string, limit int) ([]pki.Certificate, error) {
		return s.Orders.Certificates(c, by, after, limit)
	})
}

func (s *Orders) certificate(c context.Context, in *orderCertificate) (out Issued, err error) {
	in.Body.Profile = cmp.Or(in.Body.Profile, pki.ProfileAuthCLI)
	cert, err := s.Orders.IssueCertificate(c, in.Body)
	if err != nil {
		return out, err
	}
	return issued(c, s.PKI, cert)
}

func (s *Orders) revoke(c context.Context, in *revokeOrdered) (Nothing, error) {
	return Nothing{}, s.Orders.RevokeCertificate(c, in.Body.By, in.Serial)
}

func (s *Orders) list(c context.Context, in *Paging) (*Page[orders.Order], error) {
	return page(*in, s.List(c))
}

// List lists orders, the newest first.
func (s *Orders) List(c context.Context) Lister[orders.Order] {
	return ByID(func(o *orders.Order) string { return o.ID }, func(after string, limit int) ([]orders.Order, error) {
		return s.Orders.List(c, after, limit)
	})
}

func (s *Orders) begin(c context.Context, in *beginOrder) (*orders.Order, error) {
	b := in.Body
	return s.Orders.Begin(c, orders.Order{Form: b.Form, Actor: b.Actor, Channel: b.Channel, By: b.By, Fields: b.Fields})
}

func (s *Orders) get(c context.Context, in *OrderID) (*orders.Order, error) {
	return s.Orders.Get(c, in.ID)
}

func (s *Orders) complete(c context.Context, in *completeOrder) (*orders.Order, error) {
	return s.Orders.Complete(c, in.ID, in.Body.Fields)
}

func (s *Orders) submit(c context.Context, in *OrderID) (*orders.Order, error) {
	return s.Orders.Submit(c, in.ID)
}

func (s *Orders) cancel(c context.Context, in *OrderID) (*orders.Order, error) {
	return s.Orders.Cancel(c, in.ID)
}

func (s *Orders) validate(c context.Context, in *OrderID) (*orders.Order, error) {
	return s.Orders.Validate(c, in.ID)
}

func (s *Orders) reject(c context.Context, in *rejectOrder) (*orders.Order, error) {
	return s.Orders.Reject(c, in.ID, in.Body.Reason)
}

func (s *Orders) deliver(c context.Context, in *OrderID) (*orders.Order, error) {
	return s.Orders.Deliver(c, in.ID)
}
