package api

import (
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Outbox are the mails and SMS that would have been sent.
type Outbox struct{ Outbox *outbox.Outbox }

func filter(c echo.Context) outbox.Filter {
	return outbox.Filter{
		NationalID: c.QueryParam("national_id"),
		Channel:    outbox.Channel(c.QueryParam("channel")),
		After:      c.QueryParam("after"),
	}
}

func (s *Outbox) listOutbox(c echo.Context) (any, error) {
	f := filter(c)
	id := func(m *outbox.Message) string { return m.ID }
	return listed(c, ByID(id, func(after string, limit int) ([]outbox.Message, error) {
		f.After = after
		return s.Outbox.List(ctx(c), f, limit)
	}))
}

func (s *Outbox) waitOutbox(c echo.Context) (any, error) {
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

func (s *Outbox) routes() []route {
	return []route{
		{
			"GET",
			"/outbox",
			"Mails and SMS, oldest first; ?national_id&channel=mail|sms filter, ?limit&after pages",
			s.listOutbox,
		},
		{"GET", "/outbox/wait", "Wait for a mail or SMS: ?national_id&channel&after&timeout=10s", s.waitOutbox},
		{
			"GET",
			"/outbox/:id",
			"One mail or SMS",
			func(c echo.Context) (any, error) { return s.Outbox.Get(ctx(c), param(c, "id")) },
		},
	}
}
