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

func (s *Logins) perform(c echo.Context) (any, error) {
	var in struct {
		AuthorizeURL string           `json:"authorize_url"`
		Identity     string           `json:"identity"`
		Means        identities.Means `json:"means"`
		PIN          string           `json:"pin"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	return s.Doors.Perform(ctx(c), in.AuthorizeURL, in.Identity, in.Means, in.PIN)
}

func (s *Logins) routes() []route {
	return []route{
		{"GET", "/logins",
			"The latest logins, newest first; ?client&identity&event&code filter, ?limit&after pages " +
				"(after=SEQ leaves out what has no event behind that one)", s.listLogins},
		{"POST", "/logins", "Do the user's part: {authorize_url, identity, means, pin}", s.perform},
		{
			"GET",
			"/logins/wait",
			"Wait for ?event= (and &code, of a refusal) of ?client=, ?identity= or ?login= within ?timeout=10s; &after=SEQ leaves out what was there before",
			s.waitLogin,
		},
		{"GET", "/logins/last", "The number of the latest event: {seq}, for &after", func(echo.Context) (any, error) {
			seq, _ := s.Journal.Last()
			return map[string]int64{"seq": seq}, nil
		}},
		{"GET", "/logins/:id", "One login with its events and their requests, secrets masked", s.getLogin},
		{"GET", "/logins/:id/har", "One login as an HTTP Archive", func(c echo.Context) (any, error) {
			l, err := s.Find(param(c, "id"))
			if err != nil {
				return nil, err
			}
			data, err := json.MarshalIndent(l.HAR(s.Version), "", " ")
			return file{"login-" + l.ID + ".har", "application/json", data}, err
		}},
		{
			"POST",
			"/verify",
			"Assert: {login or client or identity, after, timeout, expect: [pkce, nonce, userinfo=1, no-refusal …]}; waits until it holds",
			s.verify,
		},
		{
			"GET",
			"/verify/expectations",
			"What can be expected of a login",
			func(echo.Context) (any, error) { return items{journal.Expectations, ""}, nil },
		},
	}
}

func loginQuery(c echo.Context) (journal.Query, error) {
	seq, err := eventSeq(c.QueryParam("after"))
	return journal.QueryOf(c.QueryParams(), seq), err
}

// eventSeq reads the number of an event, 0 for "".
func eventSeq(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0, problem.SeqInvalid.Got(text)
	}
	return seq, nil
}

func (s *Logins) listLogins(c echo.Context) (any, error) { return listed(c, s.List(c)) }

// List lists logins, the newest first. A place in the list is the event that
// its logins lie behind, as the first page was asked for it, a dot, and the event
// that they began before.
func (s *Logins) List(c echo.Context) Lister[*journal.Login] {
	return func(after string, limit int) ([]*journal.Login, string, error) {
		behind, began, paged := strings.Cut(after, ".")
		seq, err := eventSeq(behind)
		before := int64(0)
		if err == nil && paged {
			if before, err = eventSeq(began); err != nil || before == 0 {
				err = store.NoPlace(after)
			}
		}
		if err != nil {
			return nil, "", err
		}
		rows, next := s.Journal.List(journal.QueryOf(c.QueryParams(), seq), before, limit)
		if next == 0 {
			return rows, "", nil
		}
		return rows, fmt.Sprintf("%d.%d", seq, next), nil
	}
}

func (s *Logins) waitLogin(c echo.Context) (any, error) {
	q, err := loginQuery(c)
	if err != nil {
		return nil, err
	}
	if err := web.Hold(c); err != nil {
		return nil, err
	}
	timeout := patience(c)
	waiting, stop := context.WithTimeout(ctx(c), timeout)
	defer stop()
	if l := s.Journal.Wait(waiting, q); l != nil {
		return l, nil
	}
	return nil, problem.EventNotSeen.With("event", c.QueryParam("event")).With("timeout", timeout.String())
}

// Find is the login with this id.
func (s *Logins) Find(id string) (*journal.Login, error) {
	if l := s.Journal.Get(id); l != nil {
		return l, nil
	}
	return nil, problem.LoginNotKept.Got(id)
}

func (s *Logins) getLogin(c echo.Context) (any, error) { return s.Find(param(c, "id")) }

// Verified is the outcome of assertions on a login.
type Verified struct {
	OK      bool             `json:"ok"`
	LoginID string           `json:"login_id"`
	Results []journal.Result `json:"results"`
	Journal string           `json:"journal"` // the login's page
}

// verify waits until the newest login that fits fulfils the expectations, or
// says at the end of its patience what is missing.
func (s *Logins) verify(c echo.Context) (any, error) {
	var in struct {
		Login    string   `json:"login"`
		Client   string   `json:"client"`
		Identity string   `json:"identity"`
		After    int64    `json:"after"`
		Timeout  string   `json:"timeout"`
		Expect   []string `json:"expect"`
	}
	if err := body(c, &in); err != nil {
		return nil, err
	}
	patience := 2 * time.Second
	if d, err := time.ParseDuration(in.Timeout); err == nil && d >= 0 && d <= time.Minute {
		patience = d
	} else if in.Timeout != "" {
		return nil, problem.TimeoutInvalid.Got(in.Timeout)
	}
	if err := web.Hold(c); err != nil {
		return nil, err
	}
	waiting, stop := context.WithTimeout(ctx(c), patience)
	defer stop()
	q := journal.Query{Login: in.Login, Client: in.Client, Identity: in.Identity, After: in.After}
	for {
		l, changed := s.Journal.Find(q)
		out := Verified{}
		var err error
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
				return nil, problem.LoginNotSeen.With("login", strconv.Quote(in.Login)).With("client", strconv.Quote(in.Client)).With("identity", strconv.Quote(in.Identity))
			}
			return out, nil
		}
	}
}
