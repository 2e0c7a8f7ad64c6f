package api

import (
	"context"
	"crypto/subtle"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// World is everything stored, taken as a whole.
type World struct {
	State  State
	Bearer Bearer
}

// Bearer tells whether a request holds the API token itself, and is not let in
// by a session.
type Bearer func(*http.Request) bool

// HoldsToken makes the Bearer of a token.
func HoldsToken(token string) Bearer {
	return func(r *http.Request) bool {
		scheme, said, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return strings.EqualFold(scheme, "Bearer") &&
			subtle.ConstantTimeCompare([]byte(strings.TrimSpace(said)), []byte(token)) == 1
	}
}

// keysFor leaves the keys of worlds out of an answer to a browser that was let
// in by its session: it never sees an API token.
func keysFor(c echo.Context, holds Bearer, answer any) any {
	keyed, has := answer.(interface{ WithoutKeys() any })
	if !has || holds(c.Request()) {
		return answer
	}
	return keyed.WithoutKeys()
}

// State is the whole world, to keep, to go back to, and to begin anew. by says
// who asks, for the journal.
type State interface {
	Dump(ctx context.Context) (*Whole, error)
	Restore(ctx context.Context, by string, r io.Reader) error
	// Reset begins anew; more may be nil.
	Reset(ctx context.Context, more *Beginning) error
	Backup(ctx context.Context) (*Whole, error)
	RestoreBackup(ctx context.Context, by string, r io.Reader) (*Restored, error)
	// Announcement is all that ready.json holds.
	Announcement() any
}

// Whole is everything stored, put aside to be read; it ends with Close.
type Whole struct {
	io.Reader
	io.Closer
	Size int64
}

// Restored says what took the place of everything stored.
type Restored struct {
	Bytes   int64     `json:"bytes"`
	Entries int       `json:"entries"`
	MadeAt  time.Time `json:"made_at,omitzero"` // the backup, by the clock of its machine
	Kept    string    `json:"kept,omitempty"`   // file beside the data file that holds what was there before
}

func (s *World) routes() []route {
	return []route{
		{
			"GET",
			"/ready",
			"What ready.json holds: addresses, the demo client, personas",
			func(c echo.Context) (any, error) { return keysFor(c, s.Bearer, s.State.Announcement()), nil },
		},
		{"GET", "/state", "The whole state, with its secrets", s.dumpState},
		{
			"PUT",
			"/state",
			"Go back to a state that GET answered: all of it, or nothing changes; what was revoked stays revoked",
			s.restoreState,
		},
		{"GET", "/backup", "A copy of everything stored, with its secrets, while the emulator goes on", s.backup},
		{
			"PUT",
			"/backup",
			"Put such a copy in the place of everything stored, or change nothing; what was there is kept beside the data file, and what was revoked stays revoked",
			s.restoreBackup,
		},
		{
			"DELETE",
			"/state",
			"Begin anew with the personas; keys and the demo client stay, so that applications need no new settings",
			s.reset,
		},
	}
}

func (s *World) dumpState(c echo.Context) (any, error) {
	out, err := s.State.Dump(ctx(c))
	if err != nil {
		return nil, err
	}
	return send(c, out, echo.MIMEApplicationJSON, "")
}

func (s *World) backup(c echo.Context) (any, error) {
	out, err := s.State.Backup(ctx(c))
	if err != nil {
		return nil, err
	}
	return send(c, out, echo.MIMEOctetStream, "pscemu.backup")
}

// send answers with what was put aside; what fails then can only break it off.
func send(c echo.Context, out *Whole, kind, name string) (any, error) {
	defer out.Close()
	h := c.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.FormatInt(out.Size, 10))
	if name != "" {
		h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	}
	c.Response().WriteHeader(http.StatusOK)
	if _, err := io.Copy(c.Response(), out); err != nil {
		panic(http.ErrAbortHandler)
	}
	return sent{}, nil
}

func (s *World) restoreState(c echo.Context) (any, error) {
	return nil, s.State.Restore(ctx(c), by(c), c.Request().Body)
}

func (s *World) restoreBackup(c echo.Context) (any, error) {
	return s.State.RestoreBackup(ctx(c), by(c), c.Request().Body)
}

func (s *World) reset(c echo.Context) (any, error) {
	return nil, s.State.Reset(ctx(c), nil)
}

// by says who asks: a command, a bearer of the token, or a page of the console.
func by(c echo.Context) string {
	agent, bearer := c.Request().UserAgent(), c.Request().Header.Get("Authorization") != ""
	switch {
	case bearer && strings.HasPrefix(agent, "pscemu "):
		return agent
	case bearer:
		return "API token"
	}
	return "console"
}
