package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
)

// Phones are people's e-CPS and the requests that wait on them.
type Phones struct {
	ECPS    *ecps.Phones
	People  *identities.People
	Cards   *cards.Cards
	Closing <-chan struct{} // streams end with it
}

// The e-CPS by the control API.

// Phone is a person's e-CPS as the API shows it.
type Phone struct {
	*ecps.Device
	Blocked bool                   `json:"blocked"`
	Former  []ecps.Device          `json:"former"` // the devices before, newest first
	Next    []identities.Behaviour `json:"next"`   // how the coming requests are answered
}

func (s *Phones) getPhone(c echo.Context) (any, error) {
	id := param(c, "id")
	d, err := s.ECPS.Device(ctx(c), id)
	if err != nil {
		return nil, err
	}
	former, err := s.ECPS.Former(ctx(c), id)
	if err != nil {
		return nil, err
	}
	next, err := s.ECPS.Prepared(ctx(c), id)
	return Phone{d, d.Blocked(), former, next}, err
}

// activate gives an e-CPS at once, or begins an activation as the portal does:
// by card (which is presented) or by contact details.
func (s *Phones) activate(c echo.Context) (any, error) {
	in := struct{ Code, By, Card, PIN string }{Code: cards.DefaultPIN}
	if c.Request().ContentLength != 0 {
		if err := body(c, &in); err != nil {
			return nil, err
		}
	}
	id := param(c, "id")
	switch in.By {
	case "":
		return s.ECPS.Activate(ctx(c), id, in.Code)
	case ecps.ByCard:
		card, err := s.Cards.PresentPIN(ctx(c), in.Card, in.PIN)
		if err != nil {
			return nil, err
		}
		if card.NationalID != id {
			return nil, problem.CardOtherPerson.With("id", id).Got(card.NationalID)
		}
	}
	a, err := s.ECPS.StartActivation(ctx(c), id, in.By)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": a.ID, "by": a.By, "qr": a.QR, "expires_at": a.ExpiresAt}, nil
}

func (s *Phones) complete(c echo.Context) (any, error) {
	var in ecps.Completion
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.ECPS.Complete(ctx(c), in)
}

func (s *Phones) totp(c echo.Context) (any, error) {
	return s.ECPS.CurrentTOTP(ctx(c), param(c, "id"))
}

// behaviour sets how the phone answers, always or — with next — one request.
func (s *Phones) behaviour(c echo.Context) (any, error) {
	var in struct {
		Action string `json:"action"`
		After  string `json:"after"`
		Next   bool   `json:"next"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	b, err := identities.ParseBehaviour(in.Action, in.After)
	if err != nil {
		return nil, err
	}
	if in.Next {
		return in, s.ECPS.Prepare(ctx(c), param(c, "id"), b)
	}
	return in, s.People.SetBehaviour(ctx(c), param(c, "id"), b)
}

func (s *Phones) listRequests(c echo.Context) (any, error) {
	return waitingFor(c, s.ECPS, identities.MeansECPS)
}

func waitingFor(c echo.Context, phones *ecps.Phones, means identities.Means) (any, error) {
	f := ecps.Filter{NationalID: c.QueryParam("national_id"), Means: means, PendingOnly: c.QueryParam("all") != "true"}
	return listed(c, Requests(ctx(c), phones, f))
}

// Requests lists requests for a phone or a card.
func Requests(c context.Context, phones *ecps.Phones, f ecps.Filter) Lister[ecps.Request] {
	return func(after string, limit int) ([]ecps.Request, string, error) {
		f.After, f.Limit = after, limit
		return phones.Requests(c, f)
	}
}

func (s *Phones) approve(c echo.Context) (any, error) {
	var in struct{ Code, Number, TOTP, Signature string }
	if c.Request().ContentLength != 0 {
		if err := body(c, &in); err != nil {
			return nil, err
		}
	}
	id := param(c, "id")
	switch {
	case in.TOTP != "":
		return s.ECPS.ApproveTOTP(ctx(c), id, in.TOTP)
	case in.Code != "" || in.Number != "":
		return s.ECPS.Approve(ctx(c), id, ecps.Response{Code: in.Code, Number: in.Number, Signature: in.Signature})
	}
	return s.ECPS.Answer(ctx(c), id, ecps.Approved)
}

// streamed is how many waiting requests an event holds at the most, the oldest
// first; the list has the others.
const streamed = 1000

// stream tells of every change of what waits as a server-sent event.
func (s *Phones) stream(c echo.Context) error {
	f := ecps.Filter{
		NationalID:  c.QueryParam("national_id"),
		Means:       identities.MeansECPS,
		PendingOnly: true,
		Limit:       streamed,
	}
	return Events(c, s.ECPS, s.Closing, func() (any, error) {
		rs, _, err := s.ECPS.Requests(ctx(c), f)
		return rs, err
	})
}

// patience is how long a request may wait: ?timeout=10s, a minute at most.
func patience(c echo.Context) time.Duration {
	d, err := time.ParseDuration(c.QueryParam("timeout"))
	if err != nil || d <= 0 || d > time.Minute {
		return 10 * time.Second
	}
	return d
}

func (s *Phones) routes() []route {
	return []route{
		{
			"GET",
			"/identities/:id/ecps",
			"The person's e-CPS, the devices before it, and how the coming requests are answered",
			s.getPhone,
		},
		{
			"POST",
			"/identities/:id/ecps",
			"Activate an e-CPS: at once {code}; or begin as on the portal: {by: card, card, pin} or {by: contact}",
			s.activate,
		},
		{
			"DELETE",
			"/identities/:id/ecps",
			"End the e-CPS; ?why=deleted or lost",
			func(c echo.Context) (any, error) {
				return nil, s.ECPS.Remove(ctx(c), param(c, "id"), c.QueryParam("why"))
			},
		},
		{
			"PUT",
			"/identities/:id/ecps/behaviour",
			"How the phone answers: {action, after}; with next: true the next request only",
			s.behaviour,
		},
		{
			"GET",
			"/identities/:id/ecps/totp",
			"The one-time password of this moment, whether it has served, and when the next one comes",
			s.totp,
		},
		{"POST", "/ecps/activations", "The phone's part of an activation: {qr, code, sms, key}", s.complete},
		{
			"GET",
			"/ecps/requests",
			"Requests waiting on phones, oldest first; ?all=true for settled ones too, ?national_id filters, ?limit&after pages",
			s.listRequests,
		},
		{
			"GET",
			"/ecps/requests/:id",
			"One request",
			func(c echo.Context) (any, error) { return s.ECPS.Request(ctx(c), param(c, "id")) },
		},
		{
			"POST",
			"/ecps/requests/:id/approve",
			"Approve; with {code, number, signature} as the phone would, with {totp}, or with authority",
			s.approve,
		},
		{
			"POST",
			"/ecps/requests/:id/refuse",
			"Refuse",
			func(c echo.Context) (any, error) { return s.ECPS.Answer(ctx(c), param(c, "id"), ecps.Refused) },
		},
	}
}
