package api

import (
	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/faults"
)

// Faults are what goes wrong on purpose.
type Faults struct {
	Faults   *faults.Set
	Settings *config.Live
}

func (s *Faults) putFaults(c echo.Context) (any, error) {
	var in struct {
		Items []faults.Fault `json:"items"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	err := s.orderFaults(in.Items)
	return items{s.Faults.List(), ""}, err
}

// orderFaults refuses what would not strike behind a closed door.
func (s *Faults) orderFaults(list []faults.Fault) error {
	if len(list) > 0 {
		if err := faultsAllowed(s.Settings); err != nil {
			return err
		}
	}
	return s.Faults.Replace(list)
}

func faultsAllowed(settings *config.Live) error {
	if settings.Policies(nil, nil).DoorFaults {
		return nil
	}
	return problem.DoorClosed.Of()
}

func (s *Faults) routes() []route {
	return []route{
		{
			"GET",
			"/faults",
			"The faults in force, with how often each has struck",
			func(echo.Context) (any, error) { return items{s.Faults.List(), ""}, nil },
		},
		{
			"PUT",
			"/faults",
			"Order faults instead of those in force: {items: [{kind, endpoint, client_id, identity, times, delay, status}]}",
			s.putFaults,
		},
		{
			"DELETE",
			"/faults",
			"Take all faults away",
			func(echo.Context) (any, error) { return nil, s.Faults.Replace(nil) },
		},
		{
			"GET",
			"/faults/kinds",
			"What can go wrong, and what a client must then do",
			func(echo.Context) (any, error) { return items{faults.Table, ""}, nil },
		},
	}
}
