package provider

import (
	"context"
	"encoding/json"
	"errors"

	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
)

// What clients' servers are told is written down in the transaction that makes
// it true, and sent after: a crash between sends it later, and nothing twice.

// outbound sends what clients' servers are told.
type outbound struct {
	ends    *sessions.Ends
	pings   *pings
	sender  *delivery.Sender
	ecps    *ecps.Phones
	journal *journal.Journal
}

// run goes on with what an earlier run left, and with what comes, until ctx ends.
func (o *outbound) run(ctx context.Context) {
	o.ecps.OnSettled(o.pings.settled)
	o.sender.Writes(delivery.BackchannelLogout, o.ends.WriteLogout)
	o.sender.OnDone(o.delivered)
	o.sender.Run()
	go o.ecps.Serve(ctx)
}

// delivered notes in the journal how a delivery ended; the one of a logout is noted
// with the logout.
func (o *outbound) delivered(ctx context.Context, d delivery.Delivery) {
	if d.Kind == delivery.CIBAPing {
		o.journal.Add(
			ctx,
			d.LoginID,
			journal.KindCIBAPing,
			map[string]string{"client_id": d.Client, "state": string(d.State)},
			nil,
		)
	}
}

// ping is what a client with ping mode is to be told when the person has
// answered.
type ping struct {
	Client  string `json:"client_id"`
	LoginID string `json:"login_id"`
	ID      string `json:"auth_req_id"`
	Token   string `json:"token"` // the client_notification_token
}

// pingsToCome are those to come, by the request that the person is to answer.
var pingsToCome = store.Collection[ping]("ciba-pings")

// pings tells clients that a person has answered (CIBA Core §10.2).
type pings struct {
	clients *clients.Registry
	ecps    *ecps.Phones
	sender  *delivery.Sender
	clock   clock.Clock
}

// promise notes that the client wants to be told, and tells it when the person
// has answered already.
func (h *pings) promise(tx store.Tx, b *oidc.Backchannel) error {
	if b.Notify == "" {
		return nil
	}
	p := ping{Client: b.Client, LoginID: b.LoginID, ID: b.ID, Token: b.Notify}
	if err := pingsToCome.Put(tx, b.Request, p, b.Kept(h.clock.Now())); err != nil {
		return err
	}
	r, err := h.ecps.RequestIn(tx, b.Request)
	if err != nil || r.State == ecps.Pending {
		return err
	}
	return h.settled(tx, *r)
}

// settled writes down that the client is told, once; a ping that fails is not tried
// again. It is called when a request is settled.
func (h *pings) settled(tx store.Tx, r ecps.Request) error {
	p, err := pingsToCome.Get(tx, r.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // a login in a browser, or one that is polled
	}
	if err == nil {
		err = pingsToCome.Delete(tx, r.ID)
	}
	if err != nil {
		return err
	}
	client, err := h.clients.In(tx, p.Client)
	if errors.Is(err, store.ErrNotFound) || err == nil && client.DeliveryMode != clients.Ping {
		return nil // removed, or registered otherwise meanwhile
	}
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"auth_req_id": p.ID})
	if err != nil {
		return err
	}
	d := delivery.Delivery{Kind: delivery.CIBAPing, Client: p.Client, LoginID: p.LoginID, URI: client.NotificationEndpoint}
	m := delivery.Message{
		ContentType:   "application/json",
		Authorization: "Bearer " + p.Token,
		Body:          string(body),
		Tries:         1,
	}
	return h.sender.SendIn(tx, d, m)
}
