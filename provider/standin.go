package provider

import (
	"context"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// doorLogin is what a door was asked to do.
type doorLogin struct {
	nationalID string
	means      identities.Means
	pin        string
}

// standIn does the person's part of a login, without a person.
type standIn struct {
	people  *identities.People
	ecps    *ecps.Phones
	cards   *cards.Cards
	journal *journal.Journal
	clock   clock.Clock
}

// open does the person's part: their behaviour for the
// e-CPS, their card and its code for the reader.
func (s *standIn) open(ctx context.Context, a *asking, d doorLogin) (*oidc.Authentication, error) {
	id := journal.NewID()
	s.journal.Add(ctx, id, journal.KindAuthorize, detail(a), nil)
	person, err := s.people.Read(ctx, d.nationalID)
	if err == nil && d.means == identities.MeansCard {
		err = s.useCard(ctx, person, d.pin)
	} else if err == nil {
		err = s.ecps.Decide(ctx, person)
	}
	s.journal.Add(
		ctx,
		id,
		journal.KindMeans,
		map[string]string{"means": string(d.means), "national_id": d.nationalID},
		err,
	)
	if err != nil {
		return nil, err
	}
	return &oidc.Authentication{LoginID: id, Person: person, AuthMode: d.means.AuthMode(), Time: s.clock.Now()}, nil
}

// useCard presents the person's first usable card. Without a code the door
// takes the card's own.
func (s *standIn) useCard(ctx context.Context, person *identities.Identity, pin string) error {
	all, err := s.cards.List(ctx, person.NationalID, "", cards.All)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problem.CardNone.Case("issue").Got(person.NationalID)
	}
	card := all[0]
	for _, c := range all {
		if c.State == cards.Active {
			card = c
		}
	}
	if pin == "" {
		pin = card.PIN
	}
	_, err = s.cards.PresentPIN(ctx, card.Serial, pin)
	return err
}
