package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// Ends logs sessions out. What clients' servers are told is written down in the
// transaction that makes it true, and sent after: a crash between sends it
// later, and nothing twice.
type Ends struct {
	Store   store.Store
	Clock   clock.Clock
	OIDC    *oidc.Provider
	Clients *clients.Registry
	Sender  *delivery.Sender
	Journal *journal.Journal
}

// Ended is a session that was logged out, and who hears of it.
type Ended struct {
	*oidc.Browser
	Frames []string // addresses for the browser to open (front channel)
	told   []string // clients whose servers are told (back channel)
}

// End logs a session out and writes down what its clients are told, in one
// transaction; nil when there was none.
func (e *Ends) End(ctx context.Context, sid string) (out *Ended, err error) {
	err = e.Store.Update(ctx, func(tx store.Tx) (err error) {
		out, err = e.endIn(tx, sid)
		return err
	})
	if err == nil && out != nil {
		e.noteTold(ctx, out)
	}
	return out, err
}

func (e *Ends) noteTold(ctx context.Context, ended *Ended) {
	for _, id := range ended.told {
		e.Journal.Add(ctx, ended.LoginID, journal.KindBackchannelLogout, map[string]string{"client_id": id}, nil)
	}
}

func (e *Ends) endIn(tx store.Tx, sid string) (*Ended, error) {
	b, err := e.OIDC.EndSessionIn(tx, sid)
	if err != nil || b == nil {
		return nil, err
	}
	out := &Ended{Browser: b, Frames: []string{}}
	for _, id := range b.Clients {
		client, err := e.Clients.In(tx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		}
		if err == nil {
			err = e.tellIn(tx, out, client)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tellIn writes down what one client is told of a session's end.
func (e *Ends) tellIn(tx store.Tx, ended *Ended, client *clients.Client) error {
	if client.FrontchannelLogoutURI != "" {
		params := wire.Params{{"iss", ended.Issuer}, {"sid", ended.SID}}
		ended.Frames = append(ended.Frames, params.AddedTo(client.FrontchannelLogoutURI))
	}
	if client.BackchannelLogoutURI == "" {
		return nil
	}
	intent, err := json.Marshal(logoutIntent{ended.Issuer, identities.Sub(ended.NationalID), ended.SID})
	if err != nil {
		return err
	}
	ended.told = append(ended.told, client.ID)
	d := delivery.Delivery{
		Kind:    delivery.BackchannelLogout,
		Client:  client.ID,
		LoginID: ended.LoginID,
		URI:     client.BackchannelLogoutURI,
	}
	return e.Sender.SendIn(tx, d,
		delivery.Message{ContentType: "application/x-www-form-urlencoded", Intent: intent, Tries: delivery.MaxTries})
}

// atOnce is how many sessions of a person end in one transaction.
const atOnce = 200

// EndAll logs all sessions of a person out, as End does: up to atOnce of them
// together, more in turns, so that others can write.
func (e *Ends) EndAll(ctx context.Context, nationalID string) (all []*Ended, err error) {
	for after := ""; ; {
		var batch []*Ended
		next := ""
		err := e.Store.Update(ctx, func(tx store.Tx) (err error) {
			batch, next, err = e.endSomeIn(tx, nationalID, after)
			return err
		})
		if err != nil {
			return all, err
		}
		for _, ended := range batch {
			e.noteTold(ctx, ended)
		}
		if all = append(all, batch...); next == "" {
			return all, nil
		}
		after = next
	}
}

func (e *Ends) endSomeIn(tx store.Tx, nationalID, after string) (batch []*Ended, next string, err error) {
	sids, next, err := oidc.SessionsIn(tx, nationalID, after, atOnce)
	for _, sid := range sids {
		ended, err := e.endIn(tx, sid)
		if err != nil {
			return nil, "", err
		}
		if ended != nil {
			batch = append(batch, ended)
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

// WriteLogout signs the logout token (OIDC Back-Channel Logout 1.0 §2.4) when it
// is sent. Its jti stays the same however often that is: a client that has taken
// it knows it again.
func (e *Ends) WriteLogout(_ context.Context, d delivery.Delivery, raw json.RawMessage) (string, error) {
	var in logoutIntent
	if err := json.Unmarshal(raw, &in); err != nil {
		return "", err
	}
	now := e.Clock.Now()
	token, err := e.OIDC.SignJWT("logout+jwt", wire.Params{
		{"exp", strconv.FormatInt(now.Add(2*time.Minute).Unix(), 10)},
		{"iat", strconv.FormatInt(now.Unix(), 10)},
		{"jti", d.ID},
		{"iss", in.Issuer},
		{"aud", d.Client},
		{"sub", in.Sub},
		{"typ", "Logout"},
		{"sid", in.SID},
		{"events", logoutEvent},
	})
	return url.Values{"logout_token": {token}}.Encode(), err
}
