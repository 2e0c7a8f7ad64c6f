package console

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// The e-CPS by the control API.

// Phone is a person's e-CPS as the API shows it.
type Phone struct {
	*ecps.Device
	Blocked bool                   `json:"blocked"`
	Former  []ecps.Device          `json:"former"` // the devices before, newest first
	Next    []identities.Behaviour `json:"next"`   // how the coming requests are answered
}

func (s *Console) getPhone(c echo.Context) (any, error) {
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
func (s *Console) activate(c echo.Context) (any, error) {
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

func (s *Console) complete(c echo.Context) (any, error) {
	var in ecps.Completion
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.ECPS.Complete(ctx(c), in)
}

func (s *Console) totp(c echo.Context) (any, error) {
	return s.ECPS.CurrentTOTP(ctx(c), param(c, "id"))
}

// behaviour sets how the phone answers, always or — with next — one request.
func (s *Console) behaviour(c echo.Context) (any, error) {
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

func (s *Console) listRequests(c echo.Context) (any, error) {
	return s.waitingFor(c, identities.MeansECPS)
}

func (s *Console) readerRequests(c echo.Context) (any, error) {
	return s.waitingFor(c, identities.MeansCard)
}

func (s *Console) waitingFor(c echo.Context, means identities.Means) (any, error) {
	f := ecps.Filter{NationalID: c.QueryParam("national_id"), Means: means, PendingOnly: c.QueryParam("all") != "true"}
	return listed(c, s.requestList(ctx(c), f))
}

// requestList lists requests for a phone or a card.
func (s *Console) requestList(c context.Context, f ecps.Filter) lister[ecps.Request] {
	return func(after string, limit int) ([]ecps.Request, string, error) {
		f.After, f.Limit = after, limit
		return s.ECPS.Requests(c, f)
	}
}

func (s *Console) approve(c echo.Context) (any, error) {
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
func (s *Console) stream(c echo.Context) error {
	f := ecps.Filter{NationalID: c.QueryParam("national_id"), Means: identities.MeansECPS, PendingOnly: true, Limit: streamed}
	return s.events(c, func() (any, error) {
		rs, _, err := s.ECPS.Requests(ctx(c), f)
		return rs, err
	})
}

func filter(c echo.Context) outbox.Filter {
	return outbox.Filter{
		NationalID: c.QueryParam("national_id"),
		Channel:    outbox.Channel(c.QueryParam("channel")),
		After:      c.QueryParam("after"),
	}
}

func (s *Console) listOutbox(c echo.Context) (any, error) {
	f := filter(c)
	id := func(m *outbox.Message) string { return m.ID }
	return listed(c, byID(id, func(after string, limit int) ([]outbox.Message, error) {
		f.After = after
		return s.Outbox.List(ctx(c), f, limit)
	}))
}

func (s *Console) waitOutbox(c echo.Context) (any, error) {
	if err := web.Hold(c); err != nil {
		return nil, err
	}
	timeout := patience(c)
	waiting, stop := context.WithTimeout(ctx(c), timeout)
	defer stop()
	m, err := s.Outbox.Wait(waiting, filter(c))
	if err == nil && m == nil {
		err = problem.MessageNotSeen.With("timeout", timeout.String())
	}
	return m, err
}

// patience is how long a request may wait: ?timeout=10s, a minute at most.
func patience(c echo.Context) time.Duration {
	d, err := time.ParseDuration(c.QueryParam("timeout"))
	if err != nil || d <= 0 || d > time.Minute {
		return 10 * time.Second
	}
	return d
}
