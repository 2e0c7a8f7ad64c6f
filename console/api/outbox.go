package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Outbox are the mails and SMS that would have been sent.
type Outbox struct{ Outbox *outbox.Outbox }

// Addressed chooses mails and SMS.
type Addressed struct {
	// NationalID is to whom they go; to everybody when it is left out.
	NationalID string `query:"national_id"`
	// Channel is mail or sms; both when it is left out.
	Channel outbox.Channel `query:"channel"`
}

type listOutbox struct {
	Addressed
	Paging
}

type waitOutbox struct {
	Addressed
	// After is the id of a message; only those behind it count.
	After string `query:"after"`
	// Timeout is how long to wait, up to a minute.
	Timeout Patience `query:"timeout"`
	Call    echo.Context
}

type messageID struct {
	// ID of the message.
	ID string `path:"id"`
}

// Patience is how long a request may wait: ten seconds unless it says otherwise,
// and a minute at most.
type Patience time.Duration

// UnmarshalText reads the parameter.
func (p *Patience) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 || d > time.Minute {
		d = 10 * time.Second
	}
	*p = Patience(d)
	return nil
}

func (Patience) schema() *Schema { return &Schema{Type: "string", Default: "10s"} }

func (s *Outbox) list(c context.Context, in *listOutbox) (*Page[outbox.Message], error) {
	id := func(m *outbox.Message) string { return m.ID }
	return page(in.Paging, ByID(id, func(after string, limit int) ([]outbox.Message, error) {
		f := outbox.Filter{NationalID: in.NationalID, Channel: in.Channel, After: after}
		return s.Outbox.List(c, f, limit)
	}))
}

func (s *Outbox) wait(c context.Context, in *waitOutbox) (*outbox.Message, error) {
	if err := web.Hold(in.Call); err != nil {
		return nil, err
	}
	timeout := time.Duration(in.Timeout)
	waiting, stop := context.WithTimeout(c, timeout)
	defer stop()
	m, err := s.Outbox.Wait(waiting, outbox.Filter{NationalID: in.NationalID, Channel: in.Channel, After: in.After})
	if err == nil && m == nil {
		err = problem.MessageNotSeen.With("timeout", timeout.String())
	}
	return m, err
}

func (s *Outbox) get(c context.Context, in *messageID) (*outbox.Message, error) {
	return s.Outbox.Get(c, in.ID)
}

func (s *Outbox) operations() []Operation {
	return of("outbox",
		operation("GET", "/outbox", "listMessages", "List mails and SMS, oldest first", s.list,
			refuses(problem.LimitInvalid, problem.AfterInvalid), example(Example{Query: map[string]string{"channel": "mail"}})),
		operation("GET", "/outbox/wait", "waitForMessage", "Wait for a mail or SMS", s.wait,
			refuses(problem.MessageNotSeen, problem.StreamsTooMany),
			example(Example{Query: map[string]string{"channel": "sms", "timeout": "5s"}})),
		operation("GET", "/outbox/:id", "getMessage", "Get a mail or SMS", s.get, refuses(problem.MessageUnknown),
			example(Example{Path: map[string]string{"id": exampleMessage}})),
	)
}
