package api

import (
	"context"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/delivery"
)

// Deliveries are what clients' servers were told.
type Deliveries struct{ Sender *delivery.Sender }

type listDeliveries struct {
	// Client is the client_id of whom they went to; of everybody when it is left out.
	Client string `query:"client"`
	Paging
}

func (s *Deliveries) list(c context.Context, in *listDeliveries) (*Page[delivery.Delivery], error) {
	return page(in.Paging, s.List(c, in.Client))
}

// List lists deliveries, the newest first.
func (s *Deliveries) List(c context.Context, client string) Lister[delivery.Delivery] {
	return func(after string, limit int) ([]delivery.Delivery, string, error) {
		return s.Sender.List(c, client, after, limit)
	}
}

func (s *Deliveries) operations() []Operation {
	return of("deliveries",
		operation("GET", "/deliveries", "listDeliveries", "List what clients' servers were told, newest first", s.list,
			says("And how they answered."), refuses(problem.LimitInvalid, problem.AfterInvalid),
			example(Example{Query: map[string]string{"client": "demo"}})),
	)
}
