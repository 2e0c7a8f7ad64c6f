package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider"
	"pscemu.invalid/pscemu/provider/journal"
)

// Logins is the journal: what was asked of the emulator and what it answered.
type Logins struct {
	Journal *journal.Journal
	Doors   *provider.Doors
	Version string
	URL     string // of the console
}

// Performance is the user's part of a login.
type Performance struct {
	// AuthorizeURL is the one that the application under test made.
	AuthorizeURL string `json:"authorize_url" required:"true"`
	// Identity is the national id of who logs in.
	Identity string `json:"identity" required:"true"`
	// Means is what they log in with: ecps when it is left out.
	Means identities.Means `json:"means,omitempty"`
	// PIN is the card's code.
	PIN string `json:"pin,omitempty"`
}

// EventNumber is the number of an event.
type EventNumber struct {
	Seq int64 `json:"seq"`
}

// LoginID names a login.
type LoginID struct {
	// ID of the login.
	ID string `path:"id"`
}

// LoginFilter chooses logins.
type LoginFilter struct {
	// Client is the client_id.
	Client string `query:"client"`
	// Identity is the national id of who logs in.
	Identity string `query:"identity"`
	// Login is the id of a login.
	Login string `query:"login"`
	// Event is the kind of an event that the login has.
	Event journal.Kind `query:"event"`
	// Code is the code of that event, when it is a refusal.
	Code string `query:"code"`
}

func (f LoginFilter) query() journal.Query {
	return journal.Query{Event: f.Event, Code: f.Code, Client: f.Client, Identity: f.Identity, Login: f.Login}
}

type performLogin struct {
	Body Performance `body:"application/json"`
}

type listLogins struct {
	LoginFilter
	Paging
}

type waitLogin struct {
	LoginFilter
	// After is the seq of an event: what was there before is left out.
	After eventSeq `query:"after"`
	// Timeout is how long to wait, up to a minute.
	Timeout Patience `query:"timeout"`
	Call    echo.Context
}

func (s *Logins) perform(c context.Context, in *performLogin) (*provider.Performed, error) {
	return s.Doors.Perform(c, in.Body.AuthorizeURL, in.Body.Identity, in.Body.Means, in.Body.PIN)
}

func (s *Logins) last(context.Context, *None) (EventNumber, error) {
	seq, _ := s.Journal.Last()
	return EventNumber{seq}, nil
}

// eventSeq is the number of an event, 0 for "".
type eventSeq int64

// UnmarshalText reads the parameter.
func (e *eventSeq) UnmarshalText(text []byte) error {
	seq, err := readSeq(string(text))
	*e = eventSeq(seq)
	return err
}

func (eventSeq) schema() *Schema {
	least := 0
	return &Schema{Type: "integer", Format: "int64", Minimum: &least}
}

// readSeq reads the number of an event, 0 for "".
func readSeq(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0, problem.SeqInvalid.Got(text)
	}
	return seq, nil
}

func (s *Logins) list(_ context.Context, in *listLogins) (*Page[*journal.Login], error) {
	return page(in.Paging, s.List(in.query()))
}

// List lists logins, the newest first. A place in the list is the event that
// its logins lie behind, as the first page was asked for it, a dot, and the event
// that they began before.
func (s *Logins) List(q journal.Query) Lister[*journal.Login] {
	return func(after string, limit int) ([]*journal.Login, string, error) {
		behind, began, paged := strings.Cut(after, ".")
		seq, err := readSeq(behind)
		before := int64(0)
		if err == nil && paged {
			if before, err = readSeq(began); err != nil || before == 0 {
				err = store.NoPlace(after)
			}
		}
		if err != nil {
			return nil, "", err
		}
		q.After = seq
		rows, next := s.Journal.List(q, before, limit)
		if next == 0 {
			return rows, "", nil
		}
		return rows, fmt.Sprintf("%d.%d", seq, next), nil
	}
}

func (s *Logins) wait(c context.Context, in *waitLogin) (*journal.Login, error) {
	if err := web.Hold(in.Call); err != nil {
		return nil, err
	}
	timeout := time.Duration(in.Timeout)
	waiting, stop := context.WithTimeout(c, timeout)
	defer stop()
	q := in.query()
	q.After = int64(in.After)
	if l := s.Journal.Wait(waiting, q); l != nil {
		return l, nil
	}
	return nil, problem.EventNotSeen.With("event", in.Event).With("timeout", timeout.String())
}

// Find is the login with this id.
func (s *Logins) Find(id string) (*journal.Login, error) {
	if l := s.Journal.Get(id); l != nil {
		return l, nil
	}
	return nil, problem.LoginNotKept.Got(id)
}

func (s *Logins) get(_ context.Context, in *LoginID) (*journal.Login, error) { return s.Find(in.ID) }

func (s *Logins) har(_ context.Context, in *LoginID) (out File, err error) {
	l, err := s.Find(in.ID)
	if err != nil {
		return out, err
	}
	data, err := json.MarshalIndent(l.HAR(s.Version), "", " ")
	return File{"login-" + l.ID + ".har", "application/json", data}, err
}

func (s *Logins) expectations(context.Context, *None) (*List[journal.Expectation], error) {
	return all(journal.Expectations), nil
}

// Verified is the outcome of assertions on a login.
type Verified struct {
	OK      bool             `json:"ok"`
	LoginID string           `json:"login_id"`
	Results []journal.Result `json:"results"`
	Journal string           `json:"journal"` // the login's page
}

// Assertion is what is expected of a login.
type Assertion struct {
	// Login is its id; or else the newest one of Client or Identity counts.
	Login    string `json:"login,omitempty"`
	Client   string `json:"client,omitempty"`
	Identity string `json:"identity,omitempty"`
	// After is the seq of an event that the login's must lie behind.
	After int64 `json:"after,omitempty"`
	// Timeout is how long to wait until it holds: 2s, up to a minute.
	Timeout string `json:"timeout,omitempty"`
	// Expect are expectations, as GET /verify/expectations lists them.
	Expect []string `json:"expect" required:"true"`
}

type verify struct {
	Body Assertion `body:"application/json"`
	Call echo.Context
}

// verify waits until the newest login that fits fulfils the expectations, or
// says at the end of its patience what is missing.
func (s *Logins) verify(c context.Context, call *verify) (out Verified, err error) {
	in := &call.Body
	patience := 2 * time.Second
	if d, err := time.ParseDuration(in.Timeout); err == nil && d >= 0 && d <= time.Minute {
		patience = d
	} else if in.Timeout != "" {
		return out, problem.TimeoutInvalid.Got(in.Timeout)
	}
	if err := web.Hold(call.Call); err != nil {
		return out, err
	}
	waiting, stop := context.WithTimeout(c, patience)
	defer stop()
	q := journal.Query{Login: in.Login, Client: in.Client, Identity: in.Identity, After: in.After}
	for {
		l, changed := s.Journal.Find(q)
		out, err = Verified{}, nil
		if l != nil {
			out.LoginID, out.Journal = l.ID, s.URL+"/logins/"+l.ID
			out.Results, out.OK, err = journal.Verify(l, in.Expect)
		} else {
			_, _, err = journal.Verify(&journal.Login{}, in.Expect)
		}
		if err != nil || out.OK {
			return out, err
		}
		select {
		case <-changed:
		case <-waiting.Done():
			if l == nil {
				return out, problem.LoginNotSeen.With("login", strconv.Quote(in.Login)).
					With("client", strconv.Quote(in.Client)).
					With("identity", strconv.Quote(in.Identity))
			}
			return out, nil
		}
	}
}

func (s *Logins) operations() []Operation {
	login := Example{Path: map[string]string{"id": exampleLogin}}
	return of("logins",
		operation("GET", "/logins", "listLogins", "List the latest logins, newest first", s.list,
			says("The parameter after also takes the seq of an event, and leaves out what has no event behind it."),
			refuses(problem.LimitInvalid, problem.AfterInvalid, problem.SeqInvalid),
			example(Example{Query: map[string]string{"client": "demo", "event": "token"}})),
		operation(
			"POST",
			"/logins",
			"performLogin",
			"Do the user's part of a login",
			s.perform,
			says("For an authorize URL that the application under test made; the answer says where the browser would go."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.AuthorizeURLInvalid,
				problem.AuthorizeURLElsewhere,
				problem.RedirectURIMissing,
				problem.DoorClosed,
				problem.MeansUnknown,
				problem.IdentityUnknown,
				problem.CardNone,
				problem.ECPSUnknown,
				problem.ECPSRefused,
				problem.ECPSUnreachable,
				problem.ECPSUnanswered,
			),
			refuses(presenting...),
			example(Example{Body: Performance{exampleAuthorize, examplePerson["id"], identities.MeansECPS, ""}}),
		),
		operation("GET", "/logins/wait", "waitForLogin", "Wait for an event of a login", s.wait,
			refuses(problem.EventNotSeen, problem.SeqInvalid, problem.StreamsTooMany),
			example(Example{Query: map[string]string{"event": "authorize", "client": "demo", "timeout": "5s"}})),
		operation("GET", "/logins/last", "getLastEvent", "Get the number of the latest event", s.last,
			says("For the parameter after.")),
		operation("GET", "/logins/:id", "getLogin", "Get a login with its events", s.get,
			says("Each with the request that it belongs to, secrets masked."),
			refuses(problem.LoginNotKept), example(login)),
		operation("GET", "/logins/:id/har", "getLoginHAR", "Get a login as an HTTP Archive", s.har,
			answersA[any](200, "the archive (HAR 1.2)"), refuses(problem.LoginNotKept), example(login)),
		operation(
			"POST",
			"/verify",
			"verifyLogin",
			"Assert something of a login",
			s.verify,
			says("Waits until it holds, or says at the end of its patience what is missing."),
			refuses(
				problem.ContentTypeWrong,
				problem.BodyInvalid,
				problem.TimeoutInvalid,
				problem.ExpectationUnknown,
				problem.LoginNotSeen,
				problem.StreamsTooMany,
			),
			example(Example{Body: Assertion{Login: exampleLogin, Expect: []string{"pkce", "nonce"}, Timeout: "0s"}}),
		),
		operation("GET", "/verify/expectations", "listExpectations", "List what can be expected of a login",
			s.expectations),
	)
}
