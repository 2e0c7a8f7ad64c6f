package ecps

import (
	"context"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Response is what the person does on their phone: the code and the number
// picked among three to approve, and the device's signature.
type Response struct {
	Code, Number, Signature string
}

// Approve answers on the phone.
func (s *Phones) Approve(ctx context.Context, id string, a Response) (*Request, error) {
	return s.answer(ctx, func(tx store.Tx) (r *Request, verdict, err error) { return s.approveIn(tx, id, a) })
}

// answer runs the core of an answer in one transaction: of two answers at once
// the second finds the request settled.
func (s *Phones) answer(ctx context.Context, core func(store.Tx) (*Request, error, error)) (r *Request, err error) {
	err = s.commit(ctx, func(tx store.Tx) (verdict, err error) {
		r, verdict, err = core(tx)
		return verdict, err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// approveIn wants the device's signature and code, counts wrong codes and
// numbers, and settles the request: all of it, or nothing.
func (s *Phones) approveIn(tx store.Tx, id string, a Response) (r *Request, verdict, err error) {
	r, d, err := s.onPhone(tx, id)
	if err == nil {
		err = s.proves(d, id, "approve", a.Number, a.Signature)
	}
	if err == nil && d.Blocked() {
		err = blocked(r.NationalID)
	}
	if err != nil {
		return nil, nil, err
	}
	before := *d
	if verdict = d.judgeCode(a.Code); verdict == nil {
		err = s.settleIn(tx, r, d.judgeNumber(a.Number, r.Number))
	}
	if err == nil {
		err = d.keep(tx, before)
	}
	return r, verdict, err
}

// Refuse answers on the phone; no code is asked.
func (s *Phones) Refuse(ctx context.Context, id, signature string) (*Request, error) {
	return s.answer(ctx, func(tx store.Tx) (*Request, error, error) {
		r, d, err := s.onPhone(tx, id)
		if err == nil {
			err = s.proves(d, id, "refuse", "", signature)
		}
		if err == nil {
			err = s.settleIn(tx, r, Refused)
		}
		return r, nil, err
	})
}

// onPhone finds a request that waits for the phone, not for the card, and the
// phone that the person has at this moment.
func (s *Phones) onPhone(tx store.Tx, id string) (*Request, *Device, error) {
	r, err := requests.Maybe(tx, id)
	if err == nil && r.Means == identities.MeansCard {
		return nil, nil, problem.RequestWantsCard.Got(id)
	}
	waits, err := s.pendingIn(tx, id)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.people.ReadIn(tx, waits.NationalID); err != nil {
		return nil, nil, err // deleted meanwhile
	}
	d, err := s.DeviceIn(tx, waits.NationalID)
	return waits, d, err
}

// Present presents a card within a transaction and tells whose it is. The
// verdict is a wrong code porteur, which was counted.
type Present func(tx store.Tx) (holder string, verdict, err error)

// ApproveCard settles a request that waits for the person's card, which is
// presented in the same transaction.
func (s *Phones) ApproveCard(ctx context.Context, id string, present Present) (*Request, error) {
	return s.answer(ctx, func(tx store.Tx) (r *Request, verdict, err error) { return s.approveCardIn(tx, id, present) })
}

func (s *Phones) approveCardIn(tx store.Tx, id string, present Present) (*Request, error, error) {
	r, err := s.pendingIn(tx, id)
	if err == nil && r.Means != identities.MeansCard {
		err = problem.RequestWantsPhone.Got(id)
	}
	if err != nil {
		return nil, nil, err
	}
	holder, verdict, err := present(tx)
	if err != nil || verdict != nil {
		return nil, verdict, err
	}
	if holder != r.NationalID {
		return nil, nil, problem.CardOtherPerson.Case("reader").With("national_id", r.NationalID).Got(holder)
	}
	return r, nil, s.settleIn(tx, r, Approved)
}

// Answer settles a request with authority (console, API): no code is asked.
func (s *Phones) Answer(ctx context.Context, id string, state State) (r *Request, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) (err error) {
		r, err = s.AnswerIn(tx, id, state)
		return err
	})
	return r, err
}

// AnswerIn is Answer within a transaction.
func (s *Phones) AnswerIn(tx store.Tx, id string, state State) (*Request, error) {
	r, err := s.pendingIn(tx, id)
	if err != nil {
		return nil, err
	}
	return r, s.settleIn(tx, r, state)
}
