package provider

import (
	"context"
	"net/url"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// backchannelStart asks a person for a login that a client's server wants.
type backchannelStart struct {
	settings *config.Live
	store    store.Store
	people   *identities.People
	cards    *cards.Cards
	ecps     *ecps.Phones
	oidc     *oidc.Provider
	pings    *pings
}

// login judges the request and asks the person.
func (s *backchannelStart) login(
	ctx context.Context,
	client *clients.Client,
	form url.Values,
	loginID string,
) (*oidc.Backchannel, *wire.Refusal, error) {
	if r := judgeBackchannel(client, form, s.plain(client)); r != nil {
		return nil, r, nil
	}
	lifetime, r := requestedExpiry(form.Get("requested_expiry"))
	if r != nil {
		return nil, r, nil
	}
	b := &oidc.Backchannel{
		Client:     client.ID,
		LoginID:    loginID,
		NationalID: form.Get("login_hint"),
		AuthMode:   channels[form.Get("channel")].AuthMode(),
		Scope:      form.Get("scope"),
		Notify:     form.Get("client_notification_token"),
	}
	ask := ecps.Ask{NationalID: b.NationalID, Client: client.Label(), Message: form.Get("binding_message"),
		Means: channels[form.Get("channel")], Lifetime: lifetime, NoNumber: true}
	var unable error
	err := s.store.Update(ctx, func(tx store.Tx) (err error) {
		kept := *b
		if unable, err = s.askIn(tx, ask, &kept, client, form.Get("acr_values")); err != nil || unable != nil {
			return err
		}
		if err = s.oidc.StartBackchannelIn(ctx, tx, &kept); err == nil {
			err = s.pings.promise(tx, &kept)
		}
		*b = kept
		return err
	})
	return begun(b, unable, err)
}

// plain tells whether binding messages keep to Keycloak's rule.
func (s *backchannelStart) plain(c *clients.Client) bool {
	return s.settings.Policies(c.Policies, nil).BindingMessage == "plain"
}

// begun tells a login that began from one that is refused and one that failed.
func begun(b *oidc.Backchannel, unable, err error) (*oidc.Backchannel, *wire.Refusal, error) {
	if err != nil {
		if p := problem.From(err); p.Kind == problem.Internal || p.Kind == problem.TooLarge {
			return nil, nil, err // the store's, not the person's
		}
		unable = err
	}
	switch {
	case problem.Is(unable, problem.ECPSTooMany):
		return nil, wire.Because(problem.CIBABusy, unable), nil
	case unable != nil:
		return nil, wire.Because(problem.CIBAUser, unable), nil
	}
	return b, nil, nil
}

// askIn asks the person, by phone or at the reader. unable is a refusal that is
// given after the commit.
func (s *backchannelStart) askIn(
	tx store.Tx,
	a ecps.Ask,
	b *oidc.Backchannel,
	c *clients.Client,
	acr string,
) (unable, err error) {
	person, err := s.people.ReadIn(tx, a.NationalID)
	if err == nil && a.Means == identities.MeansCard {
		err = s.hasCard(tx, person)
	}
	if err != nil {
		return nil, err
	}
	asked, unable, err := s.ecps.StartIn(tx, a)
	if err != nil || unable != nil {
		return unable, err
	}
	policy := s.settings.Policies(c.Policies, person.Policies).ACR
	b.Request, b.ExpiresAt, b.ACR = asked.ID, asked.ExpiresAt, grantedACR(policy, acr, b.AuthMode)
	return nil, nil
}

// hasCard refuses who has no card to put into the reader.
func (s *backchannelStart) hasCard(tx store.Tx, person *identities.Identity) error {
	serials, err := s.cards.SerialsIn(tx, person.NationalID)
	if err == nil && len(serials) == 0 {
		err = problem.CardNone.Case("usable").Got(person.NationalID)
	}
	return err
}
