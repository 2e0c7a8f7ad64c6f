package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// What clients' servers are told is written down in the transaction that makes
// it true, and sent after: a crash between sends it later, and nothing twice.

// ping is what a client with ping mode is to be told when the person has
// answered.
type ping struct {
	Client  string `json:"client_id"`
	LoginID string `json:"login_id"`
	ID      string `json:"auth_req_id"`
	Token   string `json:"token"` // the client_notification_token
}

// pings are those to come, by the request that the person is to answer.
var pings = store.Collection[ping]("ciba-pings")

// Resume goes on with what an earlier run left, and with what comes: the answers
// that phones give after a while, pings, logout deliveries. It ends with ctx.
func (s *Server) Resume(ctx context.Context) {
	s.ecps.OnSettled(s.ping)
	s.sender.Writes(delivery.BackchannelLogout, s.writeLogout)
	s.sender.OnDone(s.delivered)
	s.sender.Run()
	go s.ecps.Serve(ctx)
}

// delivered notes in the journal how a delivery ended; the one of a logout is noted
// with the logout.
func (s *Server) delivered(ctx context.Context, d delivery.Delivery) {
	if d.Kind == delivery.CIBAPing {
		s.journal.Add(ctx, d.LoginID, journal.KindCIBAPing, map[string]string{"client_id": d.Client, "state": string(d.State)}, nil)
	}
}

// promisePing notes that the client wants to be told (CIBA Core §10.2), and
// tells it when the person has answered already.
func (s *Server) promisePing(tx store.Tx, b *oidc.Backchannel) error {
	if b.Notify == "" {
		return nil
	}
	p := ping{Client: b.Client, LoginID: b.LoginID, ID: b.ID, Token: b.Notify}
	if err := pings.Put(tx, b.Request, p, b.Kept(s.clock.Now())); err != nil {
		return err
	}
	r, err := s.ecps.RequestIn(tx, b.Request)
	if err != nil || r.State == ecps.Pending {
		return err
	}
	return s.ping(tx, *r)
}

// ping writes down that the client is told, once; a ping that fails is not tried
// again. It is called when a request is settled.
func (s *Server) ping(tx store.Tx, r ecps.Request) error {
	p, err := pings.Get(tx, r.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // a login in a browser, or one that is polled
	}
	if err == nil {
		err = pings.Delete(tx, r.ID)
	}
	if err != nil {
		return err
	}
	client, err := s.clients.In(tx, p.Client)
	if errors.Is(err, store.ErrNotFound) || err == nil && client.DeliveryMode != clients.Ping {
		return nil // removed, or registered otherwise meanwhile
	}
	body, bad := json.Marshal(map[string]string{"auth_req_id": p.ID})
	if err := errors.Join(err, bad); err != nil {
		return err
	}
	d := delivery.Delivery{Kind: delivery.CIBAPing, Client: p.Client, LoginID: p.LoginID, URI: client.NotificationEndpoint}
	return s.sender.SendIn(
		tx,
		d,
		delivery.Message{
			ContentType:   "application/json",
			Authorization: "Bearer " + p.Token,
			Body:          string(body),
			Tries:         1,
		},
	)
}

// ended is a session that was logged out, and who hears of it.
type ended struct {
	*oidc.Browser
	told   []string // clients whose servers are told (back channel)
	frames []string // addresses for the browser to open (front channel)
}

// endSession logs a session out and writes down what its clients are told, in
// one transaction; nil when there was none.
func (s *Server) endSession(ctx context.Context, sid string) (out *ended, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) (err error) {
		out, err = s.endSessionIn(tx, sid)
		return err
	})
	if err == nil && out != nil {
		s.noteTold(ctx, out)
	}
	return out, err
}

func (s *Server) noteTold(ctx context.Context, e *ended) {
	for _, id := range e.told {
		s.journal.Add(ctx, e.LoginID, journal.KindBackchannelLogout, map[string]string{"client_id": id}, nil)
	}
}

func (s *Server) endSessionIn(tx store.Tx, sid string) (*ended, error) {
	b, err := s.oidc.EndSessionIn(tx, sid)
	if err != nil || b == nil {
		return nil, err
	}
	out := &ended{Browser: b, frames: []string{}}
	for _, id := range b.Clients {
		client, err := s.clients.In(tx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		}
		if err == nil {
			err = s.tellIn(tx, out, client)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tellIn writes down what one client is told of a session's end.
func (s *Server) tellIn(tx store.Tx, e *ended, client *clients.Client) error {
	if client.FrontchannelLogoutURI != "" {
		e.frames = append(e.frames, withQuery(client.FrontchannelLogoutURI, pairs{{"iss", e.Issuer}, {"sid", e.SID}}))
	}
	if client.BackchannelLogoutURI == "" {
		return nil
	}
	intent, err := json.Marshal(logoutIntent{Issuer: e.Issuer, Sub: identities.Sub(e.NationalID), SID: e.SID})
	if err != nil {
		return err
	}
	e.told = append(e.told, client.ID)
	d := delivery.Delivery{Kind: delivery.BackchannelLogout, Client: client.ID, LoginID: e.LoginID, URI: client.BackchannelLogoutURI}
	return s.sender.SendIn(tx, d,
		delivery.Message{ContentType: "application/x-www-form-urlencoded", Intent: intent, Tries: delivery.MaxTries})
}

// sessionsAtOnce is how many sessions of a person end in one transaction.
const sessionsAtOnce = 200

// endSessionsOf logs all sessions of a person out, as endSession does: up to
// sessionsAtOnce of them together, more in turns, so that others can write.
func (s *Server) endSessionsOf(ctx context.Context, nationalID string) (all []*ended, err error) {
	for after := ""; ; {
		var batch []*ended
		next := ""
		err := s.store.Update(ctx, func(tx store.Tx) (err error) {
			batch, next, err = s.endSessionsIn(tx, nationalID, after)
			return err
		})
		if err != nil {
			return all, err
		}
		for _, e := range batch {
			s.noteTold(ctx, e)
		}
		if all = append(all, batch...); next == "" {
			return all, nil
		}
		after = next
	}
}

func (s *Server) endSessionsIn(tx store.Tx, nationalID, after string) (batch []*ended, next string, err error) {
	sids, next, err := oidc.SessionsIn(tx, nationalID, after, sessionsAtOnce)
	for _, sid := range sids {
		e, err := s.endSessionIn(tx, sid)
		if err != nil {
			return nil, "", err
		}
		if e != nil {
			batch = append(batch, e)
		}
	}
	return batch, next, err
}

// logoutIntent is what a logout token says.
type logoutIntent struct {
	Issuer string `json:"iss"`
	Sub    string `json:"sub"`
	SID    string `json:"sid"`
}

const logoutEvent = `{"http://schemas.openid.net/event/backchannel-logout":{}}`

// writeLogout signs the logout token (OIDC Back-Channel Logout 1.0 §2.4) when it
// is sent. Its jti stays the same however often that is: a client that has taken
// it knows it again.
func (s *Server) writeLogout(_ context.Context, d delivery.Delivery, raw json.RawMessage) (string, error) {
	var in logoutIntent
	if err := json.Unmarshal(raw, &in); err != nil {
		return "", err
	}
	now := s.clock.Now()
	token, err := s.oidc.SignJWT("logout+jwt", pairs{
		{"exp", itoa(int(now.Add(2 * time.Minute).Unix()))},
		{"iat", itoa(int(now.Unix()))},
		{"jti", d.ID},
		{
			"iss",
			in.Issuer,
		},
		{"aud", d.Client},
		{"sub", in.Sub},
		{"typ", "Logout"},
		{"sid", in.SID},
		{"events", logoutEvent},
	})
	return url.Values{"logout_token": {token}}.Encode(), err
}
