package api

import (
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/store"
)

// Reader is the virtual card reader, and the logins that wait at it.
type Reader struct {
	ECPS  *ecps.Phones
	Cards *cards.Cards
}

// presentCard answers a CIBA login of channel CARD.
func (s *Reader) presentCard(c echo.Context) (any, error) {
	var in struct{ Card, PIN string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Present(ctx(c), param(c, "id"), in.Card, in.PIN)
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

func (s *Reader) getReader(c echo.Context) (any, error) {
	card, err := s.Cards.Inserted(ctx(c))
	return map[string]any{"card": card}, err
}

func (s *Reader) insertCard(c echo.Context) (any, error) {
	var in struct{ Card string }
	if err := body(c, &in); err != nil {
		return nil, err
	}
	card, err := s.Cards.Insert(ctx(c), in.Card)
	return map[string]any{"card": card}, err
}

func (s *Reader) readerRequests(c echo.Context) (any, error) {
	return waitingFor(c, s.ECPS, identities.MeansCard)
}

func (s *Reader) routes() []route {
	return []route{
		{"GET", "/reader", "The card in the virtual reader", s.getReader},
		{"PUT", "/reader", "Insert a card: {card: serial}; the login page then takes that one alone", s.insertCard},
		{
			"DELETE",
			"/reader",
			"Pull it out: a login that began with it is refused",
			func(c echo.Context) (any, error) { return nil, s.Cards.PullOut(ctx(c)) },
		},
		{
			"GET",
			"/reader/requests",
			"Logins that wait for a card in the reader, oldest first; ?national_id filters, ?limit&after pages",
			s.readerRequests,
		},
		{"POST", "/reader/requests/:id", "Present a card: {card, pin}", s.presentCard},
		{
			"POST",
			"/reader/requests/:id/refuse",
			"Refuse",
			func(c echo.Context) (any, error) { return s.ECPS.Answer(ctx(c), param(c, "id"), ecps.Refused) },
		},
	}
}
