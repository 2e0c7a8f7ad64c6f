package oidc

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// Backchannel is a CIBA authentication under way (CIBA Core 1.0).
type Backchannel struct {
	ID         string              `json:"auth_req_id"`
	Client     string              `json:"client_id"`
	Issuer     string              `json:"iss"`
	LoginID    string              `json:"login_id"`
	NationalID string              `json:"national_id"`
	AuthMode   identities.AuthMode `json:"auth_mode"` // PSC's channel
	Request    string              `json:"request"`   // on the phone or at the reader
	Scope      string              `json:"scope"`
	ACR        string              `json:"acr"`
	ExpiresAt  time.Time           `json:"expires_at"`
	Interval   time.Duration       `json:"interval"` // grows with each poll that comes too early
	LastPoll   time.Time           `json:"last_poll"`
	// Notify is the client_notification_token of ping mode, "" with poll.
	Notify string `json:"notify,omitempty"`
}

// PollInterval is the interval a CIBA login begins with, and the step it grows
// by (CIBA Core §11: at least five seconds).
const PollInterval = 5 * time.Second

var backchannels = store.Collection[Backchannel]("ciba")

// backchannelKept is how long after its end a login still answers why.
const backchannelKept = time.Hour

// StartBackchannelIn keeps a CIBA login and gives it its auth_req_id, a secret
// of 244 bits. ctx names the issuer.
func (p *Provider) StartBackchannelIn(ctx context.Context, tx store.Tx, b *Backchannel) error {
	b.ID, b.Issuer, b.Interval = uuid()+"."+uuid(), issuer(ctx, p.config), PollInterval
	return backchannels.Put(tx, b.ID, *b, b.Kept(p.config.Clock.Now()))
}

// Kept is how long from now on the login, and what goes with it, is kept.
func (b *Backchannel) Kept(now time.Time) time.Duration {
	return b.ExpiresAt.Sub(now) + backchannelKept
}

// cibaGrant is the grant urn:openid:params:grant-type:ciba.
type cibaGrant struct{ p *Provider }

func (h *cibaGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }
func (h *cibaGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(clients.CIBA)
}

// HandleTokenEndpointRequest answers a poll: granted when the person approved,
// else the refusal that CIBA Core §11 names.
func (h *cibaGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	c := r.GetClient().(client)
	if !c.AllowsGrant(clients.CIBA) {
		return refuse(problem.CIBAGrantForbidden.Of())
	}
	b, err := h.poll(ctx, c.ID, r.GetRequestForm().Get("auth_req_id"))
	if err != nil {
		return err
	}
	if err := h.decided(ctx, b); err != nil {
		return err
	}
	person, err := h.p.config.People.Read(ctx, b.NationalID)
	if err != nil {
		return refuse(problem.PersonGone.Of())
	}
	x := h.p.newSession(
		ctx,
		c.Client,
		Authentication{LoginID: b.LoginID, Person: person, AuthMode: b.AuthMode, Time: h.p.config.Clock.Now()},
		b.Scope,
	)
	x.ACR = b.ACR
	r.SetSession(x)
	for _, s := range strings.Fields(b.Scope) {
		r.GrantScope(s)
	}
	return nil
}

// poll notes the poll, and refuses one that is early, late or not the client's.
func (h *cibaGrant) poll(ctx context.Context, clientID, id string) (b Backchannel, err error) {
	var verdict error
	err = h.p.storage.store.Update(ctx, func(tx store.Tx) error {
		now := h.p.config.Clock.Now()
		if b, err = backchannels.Get(tx, id); err != nil || b.Issuer != issuer(ctx, h.p.config) {
			verdict = refuse(problem.CIBAUnknown.Of())
			return nil
		}
		switch {
		case b.Client != clientID:
			verdict = refuse(problem.CIBAOtherClient.Of())
			return nil
		case !now.Before(b.ExpiresAt):
			verdict = refuse(problem.CIBAExpired.With("expires_at", b.ExpiresAt.Format(time.RFC3339)))
			return nil
		case now.Before(b.LastPoll.Add(b.Interval)):
			b.Interval += PollInterval
			verdict = refuse(problem.CIBATooFast.With("interval", b.Interval.String()))
		}
		b.LastPoll = now
		return backchannels.Put(tx, id, b, b.ExpiresAt.Sub(now)+backchannelKept)
	})
	return b, errors.Join(err, verdict)
}

// decided returns nil when the person approved.
func (h *cibaGrant) decided(ctx context.Context, b Backchannel) error {
	state, err := h.p.config.Decision(ctx, b.Request)
	if problem.Is(err, problem.ECPSRequestUnknown) {
		return refuse(problem.CIBAExpired.Case("gone"))
	}
	switch {
	case err != nil:
		return err
	case state == ecps.Pending:
		return refuse(problem.CIBAPending.Of())
	case state == ecps.Expired:
		return refuse(problem.CIBAExpired.Case("unanswered"))
	case state != ecps.Approved:
		return refuse(problem.CIBARefused.With("state", state))
	}
	return nil
}

// PopulateTokenEndpointResponse uses the login up and grants, in one commit:
// of two parallel polls one succeeds.
func (h *cibaGrant) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	w fosite.AccessResponder,
) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	x, id := r.GetSession().(*Session), r.GetRequestForm().Get("auth_req_id")
	ctx, _ = h.p.storage.BeginTX(ctx)
	err := h.p.storage.write(ctx, func(tx store.Tx) error {
		if _, err := backchannels.Get(tx, id); err != nil {
			return refuse(problem.CIBAUnknown.Case("collected"))
		}
		return backchannels.Delete(tx, id)
	})
	if err != nil {
		return err
	}
	if err := h.p.joinSession(ctx, r.GetClient().GetID(), Authentication{}, x, ""); err != nil {
		return err
	}
	access, jti, err := h.p.strategy.GenerateAccessToken(ctx, r)
	if err != nil {
		return err
	}
	refresh, rjti, err := h.p.strategy.GenerateRefreshToken(ctx, r)
	if err != nil {
		return err
	}
	w.SetAccessToken(access)
	w.SetTokenType("bearer")
	w.SetExtra("refresh_token", refresh)
	return errors.Join(h.p.storage.CreateRefreshTokenSession(ctx, rjti, jti, r), h.p.storage.Commit(ctx))
}
