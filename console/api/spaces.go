package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// SpaceList are the isolated worlds, as the control API shows them.
type SpaceList struct {
	Spaces Spaces // nil in a space
	Bearer Bearer
}

// Spaces are the isolated worlds beside the server's own.
type Spaces interface {
	Create(ctx context.Context, name string) (*Space, error)
	List() []Space
	Get(name string) (*Space, error)
	Drop(name string) error
}

// Space is an isolated world: its name, and all that ready.json holds for the
// server's own world.
type Space struct {
	Name   string    `json:"name"`
	MadeAt time.Time `json:"made_at"`
	UsedAt time.Time `json:"used_at"`
	Ready
}

// NewSpace asks for a space.
type NewSpace struct {
	// Name of the space; one of its own when it is left out.
	Name string `json:"name,omitempty"`
}

// SpaceName names a space.
type SpaceName struct {
	// Name of the space.
	Name string `path:"name"`
	Call echo.Context
}

type listSpaces struct{ Call echo.Context }

type createSpace struct {
	Body NewSpace `body:"application/json,optional"`
	Call echo.Context
}

// here refuses spaces within a space.
func (s *SpaceList) here() error {
	if s.Spaces == nil {
		return problem.SpaceWithinSpace.Of()
	}
	return nil
}

// shown leaves the keys out for a browser that was let in by its session.
func (s *SpaceList) shown(c echo.Context, space Space) *Space {
	if !s.Bearer(c.Request()) {
		space.Ready = space.WithoutKeys()
	}
	return &space
}

func (s *SpaceList) list(_ context.Context, in *listSpaces) (*List[Space], error) {
	if err := s.here(); err != nil {
		return nil, err
	}
	rows := s.Spaces.List()
	for n := range rows {
		rows[n] = *s.shown(in.Call, rows[n])
	}
	return all(rows), nil
}

func (s *SpaceList) create(c context.Context, in *createSpace) (*Space, error) {
	if err := s.here(); err != nil {
		return nil, err
	}
	space, err := s.Spaces.Create(c, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return s.shown(in.Call, *space), nil
}

func (s *SpaceList) get(_ context.Context, in *SpaceName) (*Space, error) {
	if err := s.here(); err != nil {
		return nil, err
	}
	space, err := s.Spaces.Get(in.Name)
	if err != nil {
		return nil, err
	}
	return s.shown(in.Call, *space), nil
}

func (s *SpaceList) drop(_ context.Context, in *SpaceName) (Nothing, error) {
	if err := s.here(); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, s.Spaces.Drop(in.Name)
}

func (s *SpaceList) operations() []Operation {
	space, within := Example{Path: map[string]string{"name": exampleSpace}}, refuses(problem.SpaceWithinSpace)
	return of("spaces",
		operation("GET", "/spaces", "listSpaces", "List the isolated spaces", s.list, within,
			says("Each is an emulator of its own below /s/NAME.")),
		operation(
			"POST",
			"/spaces",
			"createSpace",
			"Make a space",
			s.create,
			within,
			says("The answer is its ready.json."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.SpaceNameInvalid,
				problem.SpaceExists,
				problem.SpacesFull,
			),
			example(Example{Body: NewSpace{exampleSpace}}),
		),
		operation("GET", "/spaces/:name", "getSpace", "Get a space", s.get, within, refuses(problem.SpaceUnknown),
			example(space)),
		operation("DELETE", "/spaces/:name", "dropSpace", "Drop a space with all that is in it", s.drop, within,
			refuses(problem.SpaceUnknown), example(space)),
	)
}
