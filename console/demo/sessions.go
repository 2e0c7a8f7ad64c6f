package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/rp"
)

// Bounds of what the demo remembers: PSC's own session lasts as long.
const (
	sessionLife = 4 * time.Hour
	maxSessions = 1000
	nearItsEnd  = 5 * time.Second // an access token is refreshed before it ends
)

// session is somebody logged in at the demo.
type session struct {
	sub, sid  string
	mu        sync.Mutex // one refresh at a time: its token serves once
	in        *rp.Session
	refreshed rp.Checks // those of the last refresh
}

// sessions are the people logged in at the demo; they are forgotten at the end
// of the program.
type sessions struct {
	client *rp.Client
	mu     sync.Mutex
	all    *rp.Kept[*session]   // by name
	seen   map[string]time.Time // logout tokens that were taken, until their end
}

func newSessions(c *rp.Client) *sessions {
	return &sessions{client: c, all: rp.NewKept[*session](sessionLife, maxSessions), seen: map[string]time.Time{}}
}

// open begins a session under a new name.
func (s *sessions) open(in *rp.Session) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := rand.Text()
	begun := &session{sub: in.Claims.Text("sub"), sid: in.Claims.Text("sid"), in: in}
	s.all.Put(name, begun, s.client.Now())
	return name
}

// find is the session under one of these names, with its name.
func (s *sessions) find(names []string) (string, *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if at, ok := s.all.Get(name, s.client.Now()); ok {
			return name, at
		}
	}
	return "", nil
}

func (s *sessions) end(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Delete(name)
}

// fresh is what a session holds, with tokens that can be used, and the checks
// of the last refresh. A refresh that PSC refuses, or that does not pass its
// checks, ends the session.
func (s *sessions) fresh(ctx context.Context, name string, at *session) (*rp.Session, rp.Checks, error) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.in.Fresh(s.client.Now(), nearItsEnd) || at.in.Tokens.Refresh == "" {
		return at.in, at.refreshed, nil
	}
	next, err := s.client.Refresh(ctx, at.in)
	var refused *rp.Refusal
	var unverified *rp.Unverified
	switch {
	case err == nil:
		at.refreshed, next.Checks = next.Checks, at.in.Checks
		at.in = next
	case errors.As(err, &refused), errors.As(err, &unverified):
		s.end(name)
		return nil, next.Checks, err
	}
	return at.in, at.refreshed, nil // PSC could not be asked: it is shown as it is
}

// logout ends what a logout token names, which serves once.
func (s *sessions) logout(ctx context.Context, raw string) error {
	token, err := s.client.VerifyLogout(ctx, raw)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.client.Now()
	for id, until := range s.seen {
		if now.After(until) {
			delete(s.seen, id)
		}
	}
	if _, again := s.seen[token.ID]; again {
		return nil
	}
	s.seen[token.ID] = now.Add(time.Hour)
	for name, at := range s.all.All(now) {
		if token.SID == at.sid && at.sid != "" || token.SID == "" && token.Subject == at.sub {
			s.all.Delete(name)
		}
	}
	return nil
}
