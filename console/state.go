package console

import (
	"context"
	"io"

	"github.com/labstack/echo/v4"
)

// State is the whole world, to keep, to go back to, and to begin anew.
type State interface {
	Dump(ctx context.Context) (any, error)
	Restore(ctx context.Context, raw []byte) error
	Reset(ctx context.Context) error
	// Announcement is all that ready.json holds.
	Announcement() any
}

func (s *Console) stateRoutes() []route {
	return []route{
		{"GET", "/ready", "What ready.json holds: addresses, the demo client, personas", func(echo.Context) (any, error) { return s.State.Announcement(), nil }},
		{"GET", "/state", "The whole state, with its secrets", func(c echo.Context) (any, error) { return s.State.Dump(ctx(c)) }},
		{"PUT", "/state", "Go back to a state that GET answered", s.restoreState},
		{"DELETE", "/state", "Begin anew with the personas; keys and the demo client stay, so that applications need no new settings", func(c echo.Context) (any, error) { return nil, s.State.Reset(ctx(c)) }},
	}
}

func (s *Console) restoreState(c echo.Context) (any, error) {
	raw, err := io.ReadAll(c.Request().Body) // bounded by bodyLimit
	if err != nil {
		return nil, err
	}
	return nil, s.State.Restore(ctx(c), raw)
}
