// Package journal tells the story of each login: what came, what was judged,
// and why a refusal was a refusal. It lies in memory and is bounded.
package journal

import (
	"context"
	"crypto/rand"
	"maps"
	"sync"
	"time"

	"pscemu/clock"
	"pscemu/problem"
)

// Event is one step of a login.
type Event struct {
	Time   time.Time         `json:"time"`
	Kind   string            `json:"kind"` // authorize, page, means, callback, token, refresh, userinfo, introspect, revoke, logout
	Code   string            `json:"code,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
}

// Login is one passage from authorize to logout.
type Login struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"client_id,omitempty"`
	NationalID string    `json:"national_id,omitempty"`
	Started    time.Time `json:"started"`
	Events     []Event   `json:"events"`
}

const (
	maxLogins = 500
	maxEvents = 100
)

// Journal keeps the latest logins.
type Journal struct {
	clock clock.Clock

	mu      sync.Mutex
	logins  map[string]*Login
	order   []string
	changed chan struct{} // closed and replaced at each event
}

// New makes an empty journal.
func New(c clock.Clock) *Journal {
	return &Journal{clock: c, logins: map[string]*Login{}, changed: make(chan struct{})}
}

// NewID makes a login id.
func NewID() string { return rand.Text() }

// Add writes an event; err, when not nil, is the refusal it tells of.
// Secrets, codes and tokens never belong into detail.
func (j *Journal) Add(loginID, kind string, detail map[string]string, err error) {
	if loginID == "" {
		loginID = NewID()
	}
	e := Event{Time: j.clock.Now(), Kind: kind, Detail: detail}
	if err != nil {
		p := problem.From(err)
		e.Code, e.Reason = p.Code, p.Error()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.logins[loginID]
	if l == nil {
		l = &Login{ID: loginID, Started: e.Time}
		j.logins[loginID] = l
		j.order = append(j.order, loginID)
		if len(j.order) > maxLogins {
			delete(j.logins, j.order[0])
			j.order = j.order[1:]
		}
	}
	if id := detail["client_id"]; id != "" {
		l.ClientID = id
	}
	if id := detail["national_id"]; id != "" {
		l.NationalID = id
	}
	if len(l.Events) < maxEvents {
		l.Events = append(l.Events, e)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// Get returns a copy of one login, nil when it is not kept (any more).
func (j *Journal) Get(id string) *Login {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l := j.logins[id]; l != nil {
		return l.copy()
	}
	return nil
}

func (l *Login) copy() *Login {
	c := *l
	c.Events = append([]Event(nil), l.Events...)
	for i := range c.Events {
		c.Events[i].Detail = maps.Clone(c.Events[i].Detail)
	}
	return &c
}

// List returns the latest logins, newest first.
func (j *Journal) List(limit int) []*Login {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []*Login{}
	for i := len(j.order) - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, j.logins[j.order[i]].copy())
	}
	return out
}

// Wait returns the newest login with an event of this kind (and of this
// client, unless ""), waiting for one until ctx ends; then nil.
func (j *Journal) Wait(ctx context.Context, kind, clientID string) *Login {
	for {
		j.mu.Lock()
		changed := j.changed
		j.mu.Unlock()
		for _, l := range j.List(maxLogins) {
			if clientID == "" || l.ClientID == clientID {
				for _, e := range l.Events {
					if e.Kind == kind {
						return l
					}
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
