package api

import (
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

// Clock is the emulator's clock.
type Clock struct{ Clock *clock.Adjustable }

// clockChange is the body of PUT /clock: one way to move the clock at most, and
// whether it stands still then.
type clockChange struct {
	Offset  *string `json:"offset"`
	Advance *string `json:"advance"`
	Now     *string `json:"now"`
	Frozen  *bool   `json:"frozen"`
}

func (s *Clock) setClock(c echo.Context) (any, error) {
	var in clockChange
	if err := body(c, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	change, err := in.change()
	if err != nil {
		return nil, err
	}
	if err := s.Clock.Apply(change); err != nil {
		return nil, err
	}
	return s.Clock.State(), nil
}

// check refuses a change that says nothing, or two things at once.
func (in *clockChange) check() error {
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
func (in *clockChange) change() (out clock.Change, err error) {
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

func (s *Clock) routes() []route {
	return []route{
		{"GET", "/clock", "The emulator's clock", func(echo.Context) (any, error) { return s.Clock.State(), nil }},
		{
			"PUT",
			"/clock",
			"Move it: one of {offset} against the machine, {advance} from where it is, {now}; beside it or alone {frozen: true or false}",
			s.setClock,
		},
		{
			"DELETE",
			"/clock",
			"Follow the machine's clock",
			func(echo.Context) (any, error) { s.Clock.Reset(); return nil, nil },
		},
	}
}
