package api

import (
	"context"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/problem"
)

// SpaceList are the isolated worlds, as the control API shows them.
type SpaceList struct {
	Spaces Spaces // nil in a space
	Bearer Bearer
}

// Spaces are the isolated worlds beside the server's own. What describes one
// is the emulator's announcement, with its name.
type Spaces interface {
	Create(ctx context.Context, name string) (any, error)
	List() any
	Get(name string) (any, error)
	Drop(name string) error
}

func (s *SpaceList) routes() []route {
	in := func(h func(echo.Context) (any, error)) func(echo.Context) (any, error) {
		return func(c echo.Context) (any, error) {
			if s.Spaces == nil {
				return nil, problem.SpaceWithinSpace.Of()
			}
			v, err := h(c)
			return keysFor(c, s.Bearer, v), err
		}
	}
	return []route{
		{
			"GET",
			"/spaces",
			"The isolated spaces: emulators of their own below /s/NAME",
			in(func(c echo.Context) (any, error) { return items{keysFor(c, s.Bearer, s.Spaces.List()), ""}, nil }),
		},
		{
			"POST",
			"/spaces",
			"Make one: {name}, or {} for a name of its own; the answer is its ready.json",
			in(s.createSpace),
		},
		{
			"GET",
			"/spaces/:name",
			"One space",
			in(func(c echo.Context) (any, error) { return s.Spaces.Get(c.Param("name")) }),
		},
		{
			"DELETE",
			"/spaces/:name",
			"Drop it with all that is in it",
			in(func(c echo.Context) (any, error) { return nil, s.Spaces.Drop(c.Param("name")) }),
		},
	}
}

func (s *SpaceList) createSpace(c echo.Context) (any, error) {
	var in struct{ Name string }
	if c.Request().ContentLength != 0 {
		if err := body(c, &in); err != nil {
			return nil, err
		}
	}
	return s.Spaces.Create(ctx(c), in.Name)
}
