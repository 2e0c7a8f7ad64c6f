package rp

import (
	"slices"
	"sync"
	"time"
)

// maxPending bounds the logins under way at one application.
const maxPending = 10_000

// Pending keeps the logins under way, each for the browser that began it and
// for one callback.
type Pending struct {
	life time.Duration
	now  func() time.Time
	mu   sync.Mutex
	all  map[string]pending // by state
}

type pending struct {
	browser string
	until   time.Time
	login   *Login
}

// NewPending keeps each login for that long.
func NewPending(life time.Duration, now func() time.Time) *Pending {
	return &Pending{life: life, now: now, all: map[string]pending{}}
}

// Keep remembers a login of a browser, which a secret in its cookie names.
func (p *Pending) Keep(browser string, l *Login) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	first, at := "", now.Add(p.life)
	for state, other := range p.all {
		if now.After(other.until) {
			delete(p.all, state)
		} else if !other.until.After(at) {
			first, at = state, other.until
		}
	}
	if len(p.all) >= maxPending {
		delete(p.all, first)
	}
	p.all[l.State] = pending{browser, now.Add(p.life), l}
}

// Take is the login with this state, if one of these browsers began it: once.
func (p *Pending) Take(browsers []string, state string) (*Login, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept, ok := p.all[state]
	if !ok || !slices.Contains(browsers, kept.browser) || p.now().After(kept.until) {
		return nil, false
	}
	delete(p.all, state)
	return kept.login, true
}

// Began tells whether one of these browsers has a login under way.
func (p *Pending) Began(browsers []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kept := range p.all {
		if slices.Contains(browsers, kept.browser) && !p.now().After(kept.until) {
			return true
		}
	}
	return false
}
