package api

import (
	"context"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

// Clock is the emulator's clock.
type Clock struct{ Clock *clock.Adjustable }

// ClockChange says one way to move the clock at most, and whether it stands still
// then.
type ClockChange struct {
	// Offset is how far it is from the machine's clock, such as 10m.
	Offset *string `json:"offset,omitempty"`
	// Advance is how far it moves from where it is.
	Advance *string `json:"advance,omitempty"`
	// Now is what it shows (RFC 3339).
	Now *string `json:"now,omitempty"`
	// Frozen has it stand still, or go on.
	Frozen *bool `json:"frozen,omitempty"`
}

type putClock struct {
	Body ClockChange `body:"application/json"`
}

func (s *Clock) get(context.Context, *None) (clock.State, error) { return s.Clock.State(), nil }

func (s *Clock) set(_ context.Context, in *putClock) (out clock.State, err error) {
	if err := in.Body.check(); err != nil {
		return out, err
	}
	change, err := in.Body.change()
	if err != nil {
		return out, err
	}
	if err := s.Clock.Apply(change); err != nil {
		return out, err
	}
	return s.Clock.State(), nil
}

func (s *Clock) reset(context.Context, *None) (Nothing, error) {
	s.Clock.Reset()
	return Nothing{}, nil
}

// check refuses a change that says nothing, or two things at once.
func (in *ClockChange) check() error {
	var ways []string
	for _, way := range []struct {
		name  string
		value *string
	}{{"now", in.Now}, {"offset", in.Offset}, {"advance", in.Advance}} {
		if way.value != nil {
			ways = append(ways, way.name)
		}
	}
	switch {
	case len(ways) > 1:
		return problem.ClockContradictory.Got(strings.Join(ways, ", "))
	case len(ways) == 0 && in.Frozen == nil:
		return problem.ClockChangeEmpty.Of()
	}
	return nil
}

// change reads the texts.
func (in *ClockChange) change() (out clock.Change, err error) {
	out.Frozen = in.Frozen
	if in.Now != nil {
		t, err := time.Parse(time.RFC3339, *in.Now)
		if err != nil {
			return out, problem.ClockTimeInvalid.Got(*in.Now)
		}
		out.Now = &t
	}
	if out.Offset, err = duration(in.Offset); err != nil {
		return out, err
	}
	out.Advance, err = duration(in.Advance)
	return out, err
}

func duration(text *string) (*time.Duration, error) {
	if text == nil {
		return nil, nil
	}
	d, err := clock.ParseOffset(*text)
	return &d, err
}

func (s *Clock) operations() []Operation {
	ahead := "10m"
	return of("clock",
		operation("GET", "/clock", "getClock", "Get the emulator's clock", s.get),
		operation("PUT", "/clock", "setClock", "Move the clock", s.set,
			says("In one way: offset, advance or now; beside it or alone frozen."),
			refuses(problem.ContentTypeWrong, problem.BodyInvalid, problem.ClockChangeEmpty, problem.ClockContradictory,
				problem.ClockTimeInvalid, problem.OffsetInvalid, problem.ClockOutOfRange),
			example(Example{Body: ClockChange{Offset: &ahead}})),
		operation("DELETE", "/clock", "resetClock", "Follow the machine's clock", s.reset),
	)
}
