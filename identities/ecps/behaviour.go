package ecps

import (
	"context"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// next holds the behaviours of the coming requests, by person, the first one
// first; the person's own behaviour comes after them.
var next = store.Collection[[]identities.Behaviour]("ecps-next")

// maxNext is how many requests can be prepared.
const maxNext = 100

// Prepare says how the person's phone answers the next request but those that
// were prepared before.
func (s *Phones) Prepare(ctx context.Context, nationalID string, b identities.Behaviour) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return s.PrepareIn(tx, nationalID, b) })
}

// PrepareIn is Prepare within a transaction.
func (s *Phones) PrepareIn(tx store.Tx, nationalID string, b identities.Behaviour) error {
	if _, err := s.people.ReadIn(tx, nationalID); err != nil {
		return err
	}
	list, err := next.Maybe(tx, nationalID)
	if err != nil {
		return err
	}
	if len(list) >= maxNext {
		return problem.ECPSNextTooMany.Of()
	}
	return next.Put(tx, nationalID, append(list, b), store.Forever)
}

// Prepared lists how the coming requests will be answered.
func (s *Phones) Prepared(ctx context.Context, nationalID string) ([]identities.Behaviour, error) {
	list, err := next.LoadMaybe(ctx, s.store, nationalID)
	return append([]identities.Behaviour{}, list...), err
}

// behaves tells how the person answers a request without what was prepared, and
// whether that counts. Where the door is closed everybody is asked.
func (s *Phones) behaves(person *identities.Identity) (b identities.Behaviour, prepared bool) {
	policies := s.settings.Policies(nil, nil)
	if !policies.DoorBehaviours {
		return identities.Behaviour{Action: identities.Ask}, false
	}
	if person.Has(identities.FaultPhoneUnreachable) && policies.DoorPersonFaults {
		return identities.Behaviour{Action: identities.Unreachable}, true
	}
	return person.Behaviour, true
}

// behavesIn tells how the person answers this request, and uses up what was
// prepared for it.
func (s *Phones) behavesIn(tx store.Tx, person *identities.Identity) (identities.Behaviour, error) {
	b, prepared := s.behaves(person)
	if !prepared {
		return b, nil
	}
	list, err := next.Maybe(tx, person.NationalID)
	switch {
	case err != nil || len(list) == 0:
		return b, err
	case len(list) == 1:
		return list[0], next.Delete(tx, person.NationalID)
	}
	return list[0], next.Put(tx, person.NationalID, list[1:], store.Forever)
}

// Behaves is behavesIn in a transaction of its own, which writes only what was
// prepared.
func (s *Phones) Behaves(ctx context.Context, person *identities.Identity) (b identities.Behaviour, err error) {
	b, prepared := s.behaves(person)
	if !prepared {
		return b, nil
	}
	if list, err := next.LoadMaybe(ctx, s.store, person.NationalID); err != nil || len(list) == 0 {
		return b, err
	}
	err = s.store.Update(ctx, func(tx store.Tx) (err error) {
		b, err = s.behavesIn(tx, person)
		return err
	})
	return b, err
}

// unreachable is what a person sees whose phone has no network.
func unreachable(id string) error {
	return problem.ECPSUnreachable.Got(id)
}

// outcomes are what the behaviours that act make of a request.
var outcomes = map[identities.Action]State{
	identities.Approve:     Approved,
	identities.Refuse:      Refused,
	identities.WrongNumber: WrongNumber,
	identities.Late:        Approved,
}

// Decide is the behaviour without a phone or page: nil for an approval, else
// why the person did not approve. It waits as long as the person would.
func (s *Phones) Decide(ctx context.Context, person *identities.Identity) error {
	b, err := s.Behaves(ctx, person)
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.After):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch b.Action {
	case identities.Approve:
		return nil
	case identities.Refuse:
		return problem.ECPSRefused.Of()
	case identities.WrongNumber:
		return problem.ECPSWrongNumber.Of()
	case identities.Unreachable:
		return problem.ECPSUnreachable.Case("behaviour")
	}
	return problem.ECPSUnanswered.With("action", b.Action)
}
