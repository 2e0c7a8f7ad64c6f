package console

import (
	"context"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
)

// State is the whole world, to keep, to go back to, and to begin anew.
type State interface {
	Dump(ctx context.Context) (any, error)
	Restore(ctx context.Context, raw []byte) error
	// Reset begins anew. more, unless nil, writes further into the fresh world,
	// and tells what to set beside it once it has taken its place; when it fails
	// nothing is changed.
	Reset(ctx context.Context, more func(Fresh) (then func() error, err error)) error
	Backup(w io.Writer) error
	RestoreBackup(ctx context.Context, r io.Reader) error
	// Announcement is all that ready.json holds.
	Announcement() any
}

func (s *Console) stateRoutes() []route {
	return []route{
		{"GET", "/ready", "What ready.json holds: addresses, the demo client, personas", func(echo.Context) (any, error) { return s.State.Announcement(), nil }},
		{"GET", "/state", "The whole state, with its secrets", func(c echo.Context) (any, error) { return s.State.Dump(ctx(c)) }},
		{"PUT", "/state", "Go back to a state that GET answered", s.restoreState},
		{"GET", "/backup", "A copy of the data file, with its secrets, while the emulator goes on", s.backup},
		{"PUT", "/backup", "Put such a copy in the place of everything stored; the file of before is kept beside it", func(c echo.Context) (any, error) {
			return nil, s.State.RestoreBackup(ctx(c), c.Request().Body)
		}},
		{"DELETE", "/state", "Begin anew with the personas; keys and the demo client stay, so that applications need no new settings", func(c echo.Context) (any, error) { return nil, s.State.Reset(ctx(c), nil) }},
	}
}

// backup streams the copy; what fails then can only break it off.
func (s *Console) backup(c echo.Context) (any, error) {
	h := c.Response().Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="pscemu.backup"`)
	if err := s.State.Backup(c.Response()); err != nil {
		if c.Response().Committed {
			panic(http.ErrAbortHandler)
		}
		h.Del("Content-Disposition")
		return nil, err
	}
	return sent{}, nil
}

func (s *Console) restoreState(c echo.Context) (any, error) {
	raw, err := io.ReadAll(c.Request().Body) // bounded by bodyLimit
	if err != nil {
		return nil, err
	}
	return nil, s.State.Restore(ctx(c), raw)
}
