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
	"pscemu.invalid/pscemu/internal/problem"
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
	Announcement() Ready
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

// Dump is the whole state: entries by collection.
type Dump map[string]any

type putState struct {
	Body io.Reader `body:"application/json"`
	Call echo.Context
}

type putBackup struct {
	Body io.Reader `body:"application/octet-stream"`
	Call echo.Context
}

type getReady struct{ Call echo.Context }

// ready is the announcement. A browser that was let in by its session sees no
// API token.
func (s *World) ready(_ context.Context, in *getReady) (Ready, error) {
	if s.Bearer(in.Call.Request()) {
		return s.State.Announcement(), nil
	}
	return s.State.Announcement().WithoutKeys(), nil
}

func (s *World) dump(c context.Context, _ *None) (Stream, error) {
	out, err := s.State.Dump(c)
	if err != nil {
		return nil, err
	}
	return send(out, echo.MIMEApplicationJSON, ""), nil
}

func (s *World) backup(c context.Context, _ *None) (Stream, error) {
	out, err := s.State.Backup(c)
	if err != nil {
		return nil, err
	}
	return send(out, echo.MIMEOctetStream, "pscemu.backup"), nil
}

// send answers with what was put aside; what fails then can only break it off.
func send(out *Whole, kind, name string) Stream {
	return func(c echo.Context) error {
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
		return nil
	}
}

func (s *World) restore(c context.Context, in *putState) (Nothing, error) {
	return Nothing{}, s.State.Restore(c, by(in.Call), in.Body)
}

func (s *World) restoreBackup(c context.Context, in *putBackup) (*Restored, error) {
	return s.State.RestoreBackup(c, by(in.Call), in.Body)
}

func (s *World) reset(c context.Context, _ *None) (Nothing, error) {
	return Nothing{}, s.State.Reset(c, nil)
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

func (s *World) operations() []Operation {
	whole := refuses(
		problem.RestoreRunning,
		problem.RestorePutBack,
		problem.BodyCutOff,
		problem.BodyTooLarge,
		problem.StoreFull,
		problem.StoreReplacing,
	)
	return of("state",
		operation("GET", "/ready", "getReady", "Get what ready.json holds", s.ready,
			says("Addresses, the demo client, personas.")),
		operation("GET", "/state", "getState", "Get the whole state, with its secrets", s.dump,
			answersA[Dump](200, "the state")),
		operation("PUT", "/state", "putState", "Go back to a state that GET answered", s.restore,
			says("All of it, or nothing changes. What was revoked stays revoked."),
			whole, refuses(
				problem.StateUnreadable,
				problem.SettingInvalid,
				problem.PolicyUnknown,
				problem.FaultUnknown,
				problem.ClockOutOfRange,
				problem.OffsetInvalid,
				problem.DoorsStrict,
			), example(Example{Body: exampleState})),
		operation("DELETE", "/state", "resetState", "Begin anew with the personas", s.reset,
			says("Keys and the demo client stay, so that applications need no new settings."),
			refuses(problem.RestoreRunning, problem.RestorePutBack)),
		operation("GET", "/backup", "getBackup", "Get a copy of everything stored, with its secrets", s.backup,
			says("While the emulator goes on."), answers(echo.MIMEOctetStream, "the copy"),
			refuses(problem.BackupUnwritable)),
		operation("PUT", "/backup", "putBackup", "Put a copy in the place of everything stored", s.restoreBackup,
			says("All of it, or nothing changes. What was there is kept beside the data file, and what was revoked "+
				"stays revoked."),
			whole, refuses(problem.BackupUnreadable),
			example(Example{Body: exampleBackup, Kind: echo.MIMEOctetStream})),
	)
}
