package api

import (
	"context"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/faults"
)

// Faults are what goes wrong on purpose.
type Faults struct {
	Faults   *faults.Set
	Settings *config.Live
}

// FaultOrder is what is to go wrong.
type FaultOrder struct {
	Items []faults.Fault `json:"items"`
}

type putFaults struct {
	Body FaultOrder `body:"application/json"`
}

func (s *Faults) list(context.Context, *None) (*List[faults.Fault], error) {
	return all(s.Faults.List()), nil
}

func (s *Faults) put(_ context.Context, in *putFaults) (*List[faults.Fault], error) {
	if err := s.order(in.Body.Items); err != nil {
		return nil, err
	}
	return all(s.Faults.List()), nil
}

func (s *Faults) clear(context.Context, *None) (Nothing, error) {
	return Nothing{}, s.Faults.Replace(nil)
}

func (s *Faults) kinds(context.Context, *None) (*List[faults.Description], error) {
	return all(faults.Table), nil
}

// order refuses what would not strike behind a closed door.
func (s *Faults) order(list []faults.Fault) error {
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
	return problem.DoorClosed.With("door", "door-faults")
}

func (s *Faults) operations() []Operation {
	return of("faults",
		operation("GET", "/faults", "listFaults", "List the faults in force, with how often each has struck", s.list),
		operation(
			"PUT",
			"/faults",
			"putFaults",
			"Set faults, in the place of those in force",
			s.put,
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.DoorClosed,
				problem.FaultUnknown,
				problem.FaultEndpoint,
				problem.FaultTimes,
				problem.FaultDelay,
				problem.FaultStatus,
				problem.FaultsMany,
			),
			example(
				Example{
					Body: FaultOrder{[]faults.Fault{{Kind: faults.KindSlow, Endpoint: faults.AtToken, Delay: "50ms", Times: 1}}},
				},
			),
		),
		operation("DELETE", "/faults", "clearFaults", "Take all faults away", s.clear),
		operation("GET", "/faults/kinds", "listFaultKinds", "List what can go wrong", s.kinds,
			says("And what a client must then do.")),
	)
}
