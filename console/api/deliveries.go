package api

import (
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/provider/delivery"
)

// Deliveries are what clients' servers were told.
type Deliveries struct{ Sender *delivery.Sender }

func (s *Deliveries) deliveries(c echo.Context) (any, error) {
	return listed(c, s.List(ctx(c), c.QueryParam("client")))
}

// List lists deliveries, the newest first.
func (s *Deliveries) List(c context.Context, client string) Lister[delivery.Delivery] {
	return func(after string, limit int) ([]delivery.Delivery, string, error) {
		return s.Sender.List(c, client, after, limit)
	}
}

func (s *Deliveries) routes() []route {
	return []route{
		{
			"GET",
			"/deliveries",
			"What clients' servers were told, and how they answered, newest first; ?client= filters, ?limit&after pages",
			s.deliveries,
		},
	}
}
