package orders

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// State is where an order stands.
type State string

// The states. Sent follows from the date; all from Received on are final.
const (
	Draft        State = "draft"
	Submitted    State = "submitted"
	Incomplete   State = "incomplete"
	InProduction State = "in-production"
	Sent         State = "sent"
	Received     State = "received"
	Refused      State = "refused"
	Cancelled    State = "cancelled"
	Accepted     State = "accepted" // a step of the history only
)

// Channel is the way by which a form comes: one of these, or an online service.
type Channel string

// The channels of forms.
const (
	Paper      Channel = "papier" // a PDF
	Simplified Channel = "démarche simplifiée"
	TOPS       Channel = "TOPS" // the online service of libéraux
	TOM        Channel = "TOM"  // the online service of structures
)

// Step is one step of an order's life.
type Step struct {
	At    time.Time `json:"at"`
	By    string    `json:"by"` // the requester, or ans
	State State     `json:"state"`
	Note  string    `json:"note,omitempty"`
}

// Order is one form, filled in.
type Order struct {
	ID        string            `json:"id"`
	Form      string            `json:"form"`
	Actor     string            `json:"actor"`
	Channel   Channel           `json:"channel"`
	By        string            `json:"by,omitempty"` // national id of the requester
	Fields    map[string]string `json:"fields"`
	State     State             `json:"state"`
	Missing   []string          `json:"missing,omitempty"` // fields, when incomplete
	Reason    string            `json:"reason,omitempty"`  // of a refusal
	Code      string            `json:"code,omitempty"`    // of the rule that refused
	Remedy    string            `json:"remedy,omitempty"`
	Source    string            `json:"source,omitempty"` // the sentence the rule comes from
	Cards     []string          `json:"cards,omitempty"`  // serials
	Structure string            `json:"structure,omitempty"`
	ReadyAt   time.Time         `json:"ready_at,omitzero"` // when what is produced is sent
	History   []Step            `json:"history"`
}

var orders = store.Collection[Order]("orders")

// Desk runs the orders.
type Desk struct {
	store    store.Store
	clock    clock.Clock
	people   *identities.People
	cards    *cards.Cards
	pki      *pki.PKI
	outbox   *outbox.Outbox
	settings *config.Live
}

// New opens the desk.
func New(
	s store.Store,
	c clock.Clock,
	people *identities.People,
	k *cards.Cards,
	p *pki.PKI,
	o *outbox.Outbox,
	settings *config.Live,
) *Desk {
	return &Desk{store: s, clock: c, people: people, cards: k, pki: p, outbox: o, settings: settings}
}

// Place makes an order and submits it, as one command: a refusal leaves nothing.
func (d *Desk) Place(ctx context.Context, o Order) (out *Order, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		begun, err := d.BeginIn(tx, o)
		if err == nil {
			out, err = d.SubmitIn(tx, begun.ID)
		}
		return err
	})
	return out, err
}

// Begin makes a draft. Who does not see the form is told which forms there are.
func (d *Desk) Begin(ctx context.Context, o Order) (out *Order, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		out, err = d.BeginIn(tx, o)
		return err
	})
	return out, err
}

// BeginIn makes a draft.
func (d *Desk) BeginIn(tx store.Tx, o Order) (*Order, error) {
	form, actor, err := o.parties()
	if err != nil {
		return nil, err
	}
	if !actor.Sees(form) && !actor.offered(o.Channel, form) {
		return nil, problem.FormNotSeen.With("no", form.No).With("label", actor.Label).With("accepted", actor.Forms)
	}
	if o.Channel == "" {
		o.Channel = Paper
	}
	if err := channel(actor, form, o.Channel, o.Fields); err != nil {
		return nil, err
	}
	next := Order{
		ID:      rand.Text()[:12],
		Form:    o.Form,
		Actor:   o.Actor,
		Channel: o.Channel,
		By:      o.By,
		State:   Draft,
		Fields:  map[string]string{},
	}
	if err := fill(&next, form, o.Fields); err != nil {
		return nil, err
	}
	d.step(&next, Draft, o.By, "")
	return &next, errors.Join(enlist(tx, next.ID, d.clock.Now()), keepOrder(tx, &next))
}

func keepOrder(tx store.Tx, o *Order) error { return orders.Put(tx, o.ID, *o, store.Forever) }

// parties are the form and the actor that the order names.
func (o *Order) parties() (*Form, *Actor, error) {
	form, err := FormNamed(o.Form)
	if err != nil {
		return nil, nil, err
	}
	actor, err := ActorNamed(o.Actor)
	return form, actor, err
}

// channel: a démarche simplifiée must exist for the form, and begins with the
// structure's SIRET.
func channel(actor *Actor, form *Form, name Channel, fields map[string]string) error {
	switch {
	case actor.offered(name, form):
		return nil
	case name != Paper && name != Simplified:
		return problem.ChannelUnknown.With("accepted", append([]Channel{
			Paper,
			Simplified,
		}, actor.Services...)).Got(string(name))
	case name == Simplified && form.Simplified == "non":
		return problem.ChannelNotOffered.With("paper", Paper).Got(form.No)
	case name == Simplified && kinds["siret"](fields["siret"]) != nil:
		return problem.SIRETMissing.With("fields", fields["siret"])
	}
	return nil
}

// fill lays values over an order's fields; an unknown field or a wrong value is
// refused.
func fill(o *Order, form *Form, values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		n := slices.IndexFunc(form.Fields, func(f Field) bool { return f.Name == name })
		if n < 0 {
			var names []string
			for _, f := range form.Fields {
				names = append(names, f.Name)
			}
			return problem.OrderFieldUnknown.With("accepted", names).Got(name)
		}
		value := strings.TrimSpace(values[name])
		if err := form.Fields[n].check(value); err != nil {
			return err
		}
		if value == "" {
			delete(o.Fields, name)
		} else {
			o.Fields[name] = value
		}
	}
	return nil
}

func (d *Desk) step(o *Order, to State, by, note string) {
	if by == "" {
		by = "-"
	}
	o.State = to
	o.History = append(o.History, Step{d.clock.Now(), by, to, note})
}

// Get finds an order with its state of now.
func (d *Desk) Get(ctx context.Context, id string) (o *Order, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		o, err = d.getIn(tx, id)
		return err
	})
	return o, err
}

func (d *Desk) getIn(tx store.Tx, id string) (*Order, error) {
	o, err := orders.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.OrderUnknown.Got(id)
	}
	o.State = d.stateOf(&o)
	return &o, err
}

func (d *Desk) stateOf(o *Order) State {
	if o.State == InProduction && !d.clock.Now().Before(o.ReadyAt) {
		return Sent
	}
	return o.State
}

// Complete adds fields to an order that is a draft or incomplete.
func (d *Desk) Complete(ctx context.Context, id string, fields map[string]string) (*Order, error) {
	return d.command(ctx, id, []State{Draft, Incomplete}, func(_ store.Tx, o *Order) error {
		form, err := FormNamed(o.Form)
		if err == nil {
			err = fill(o, form, fields)
		}
		return err
	})
}

// Cancel takes back a draft, or what was submitted.
func (d *Desk) Cancel(ctx context.Context, id string) (*Order, error) {
	return d.command(ctx, id, []State{Draft, Submitted, Incomplete}, func(_ store.Tx, o *Order) error {
		d.step(o, Cancelled, o.By, "")
		return nil
	})
}

// Submit judges the order. Missing fields make it incomplete, a rule refuses
// it with the reason; else it waits for the ANS, or — order-delay instant — is
// accepted, produced, sent and received at once.
func (d *Desk) Submit(ctx context.Context, id string) (out *Order, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		out, err = d.SubmitIn(tx, id)
		return err
	})
	return out, err
}

// SubmitIn judges the order.
func (d *Desk) SubmitIn(tx store.Tx, id string) (*Order, error) {
	o, err := d.in(tx, id, Draft, Incomplete)
	if err == nil {
		err = d.submit(tx, o)
	}
	if err != nil {
		return nil, err
	}
	return o, keepOrder(tx, o)
}

// submit moves the order on as far as it comes by itself.
func (d *Desk) submit(tx store.Tx, o *Order) error {
	f, err := d.open(tx, o)
	if err != nil {
		return err
	}
	if o.Missing = f.missing(); len(o.Missing) > 0 {
		d.step(o, Incomplete, o.By, "manque : "+strings.Join(o.Missing, ", "))
		return nil
	}
	need, err := f.judge(tx)
	if err != nil {
		return err
	}
	if need != nil {
		o.Code, o.Reason, o.Remedy, o.Source = "order-"+need.Check, need.Say, need.Remedy, need.Source
		d.step(o, Refused, "ans", need.Say)
		return nil
	}
	d.step(o, Submitted, o.By, "")
	if err := f.apply(tx, "submit"); err != nil || d.delay() > 0 {
		return err
	}
	if err := d.validate(tx, o); err != nil {
		return err
	}
	return d.deliver(tx, o)
}

// delay is how long an order is in production.
func (d *Desk) delay() time.Duration {
	delay, err := time.ParseDuration(d.settings.Policies(nil, nil).OrderDelay)
	if err != nil {
		return 0 // instant
	}
	return delay
}

// Validate is the ANS accepting an order: what it orders takes effect, cards
// go into production.
func (d *Desk) Validate(ctx context.Context, id string) (*Order, error) {
	return d.command(ctx, id, []State{Submitted}, d.validate)
}

func (d *Desk) validate(tx store.Tx, o *Order) error {
	f, err := d.open(tx, o)
	if err == nil {
		err = f.apply(tx, "")
	}
	if err != nil {
		return err
	}
	now := d.clock.Now()
	o.ReadyAt = now.Add(d.delay())
	o.History = append(o.History, Step{now, "ans", Accepted, ""})
	d.step(o, InProduction, "ans", "")
	return nil
}

// Reject is the ANS refusing an order, with the reason.
func (d *Desk) Reject(ctx context.Context, id, reason string) (*Order, error) {
	if strings.TrimSpace(reason) == "" {
		return nil, problem.ReasonMissing.Of()
	}
	return d.command(ctx, id, []State{Submitted}, func(_ store.Tx, o *Order) error {
		o.Code, o.Reason = "order-rejected", reason
		d.step(o, Refused, "ans", reason)
		return nil
	})
}

// Deliver is the arrival of what was sent: its cards can be used from now on.
func (d *Desk) Deliver(ctx context.Context, id string) (*Order, error) {
	return d.command(ctx, id, []State{Sent}, d.deliver)
}

func (d *Desk) deliver(tx store.Tx, o *Order) error {
	for _, serial := range o.Cards {
		if err := d.cards.ReceiveIn(tx, serial); err != nil {
			return err
		}
	}
	d.step(o, Sent, "ans", "")
	d.step(o, Received, o.By, "")
	return nil
}

// command does something to an order that is in one of these states: all of
// it, or nothing.
func (d *Desk) command(
	ctx context.Context,
	id string,
	states []State,
	do func(store.Tx, *Order) error,
) (out *Order, err error) {
	err = d.store.Update(ctx, func(tx store.Tx) error {
		o, err := d.in(tx, id, states...)
		if err == nil {
			err = do(tx, o)
		}
		if err != nil {
			return err
		}
		out = o
		return keepOrder(tx, o)
	})
	return out, err
}

// in finds an order that is in one of these states.
func (d *Desk) in(tx store.Tx, id string, states ...State) (*Order, error) {
	o, err := d.getIn(tx, id)
	if err != nil || slices.Contains(states, o.State) {
		return o, err
	}
	p := problem.OrderState.With("accepted", strings.Trim(fmt.Sprint(states), "[]")).Got(string(o.State))
	if o.State == InProduction {
		p = p.Case("made").With("at", o.ReadyAt.Format(time.RFC3339))
	}
	return nil, p
}
