package api

import (
	"context"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Reader is the virtual card reader, and the logins that wait at it.
type Reader struct {
	ECPS  *ecps.Phones
	Cards *cards.Cards
}

// InReader is what the reader holds.
type InReader struct {
	Card *cards.Card `json:"card"`
}

// Insertion says which card goes into the reader.
type Insertion struct {
	// Card is its serial.
	Card string `json:"card" required:"true"`
}

// Presentation is a card with its code.
type Presentation struct {
	// Card is its serial.
	Card string `json:"card" required:"true"`
	// PIN is the card's code.
	PIN string `json:"pin" required:"true"`
}

type insertCard struct {
	Body Insertion `body:"application/json"`
}

type presentCard struct {
	RequestID
	Body Presentation `body:"application/json"`
}

// presenting are the refusals of a card that is presented with its code.
var presenting = []problem.Code{
	problem.CardUnknown,
	problem.CardOpposed,
	problem.CardExpired,
	problem.CardBlocked,
	problem.CardNotDelivered,
	problem.CardNotNominative,
	problem.CardOtherEnvironment,
	problem.PINWrong,
}

func (s *Reader) get(c context.Context, _ *None) (out InReader, err error) {
	out.Card, err = s.Cards.Inserted(c)
	return out, err
}

func (s *Reader) insert(c context.Context, in *insertCard) (out InReader, err error) {
	out.Card, err = s.Cards.Insert(c, in.Body.Card)
	return out, err
}

func (s *Reader) pullOut(c context.Context, _ *None) (Nothing, error) {
	return Nothing{}, s.Cards.PullOut(c)
}

func (s *Reader) requests(c context.Context, in *listRequests) (*Page[ecps.Request], error) {
	return page(in.Paging, Requests(c, s.ECPS, in.filter(identities.MeansCard)))
}

// present answers a CIBA login of channel CARD.
func (s *Reader) present(c context.Context, in *presentCard) (*ecps.Request, error) {
	return s.Present(c, in.ID, in.Body.Card, in.Body.PIN)
}

// Present presents a card to a request that waits for it.
func (s *Reader) Present(c context.Context, request, serial, pin string) (*ecps.Request, error) {
	return s.ECPS.ApproveCard(c, request, func(tx store.Tx) (holder string, verdict, err error) {
		card, verdict, err := s.Cards.PresentPINIn(tx, serial, pin)
		if err == nil && verdict == nil {
			holder = card.NationalID
		}
		return holder, verdict, err
	})
}

func (s *Reader) refuse(c context.Context, in *RequestID) (*ecps.Request, error) {
	return s.ECPS.Answer(c, in.ID, ecps.Refused)
}

func (s *Reader) operations() []Operation {
	waiting := map[string]string{"id": exampleReaderRequest}
	return of("reader",
		operation("GET", "/reader", "getReader", "Get the card in the virtual reader", s.get),
		operation("PUT", "/reader", "insertCard", "Insert a card", s.insert,
			says("The login page then takes that one alone."),
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.CardUnknown),
			example(Example{Body: Insertion{exampleCard}})),
		operation("DELETE", "/reader", "pullOutCard", "Pull the card out", s.pullOut,
			says("A login that began with it is refused.")),
		operation("GET", "/reader/requests", "listReaderRequests",
			"List the logins that wait for a card in the reader, oldest first", s.requests,
			refuses(problem.LimitInvalid, problem.AfterInvalid), example(Example{Query: map[string]string{"all": "true"}})),
		operation("POST", "/reader/requests/:id", "presentCard", "Present a card to a login that waits", s.present,
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.ECPSRequestUnknown, problem.ECPSRequestSettled,
				problem.RequestWantsPhone, problem.CardOtherPerson), refuses(presenting...),
			example(Example{Path: waiting, Body: Presentation{exampleCard, "1234"}})),
		operation("POST", "/reader/requests/:id/refuse", "refuseReaderRequest", "Refuse a login that waits", s.refuse,
			refuses(problem.ECPSRequestUnknown, problem.ECPSRequestSettled), example(Example{Path: waiting})),
	)
}
