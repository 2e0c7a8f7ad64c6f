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
	now func() time.Time
	mu  sync.Mutex
	all *Kept[pending] // by state
}

type pending struct {
	browser string
	login   *Login
}

// NewPending keeps each login for that long.
func NewPending(life time.Duration, now func() time.Time) *Pending {
	return &Pending{now: now, all: NewKept[pending](life, maxPending)}
}

// Keep remembers a login of a browser, which a secret in its cookie names.
func (p *Pending) Keep(browser string, l *Login) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all.Put(l.State, pending{browser, l}, p.now())
}

// Take is the login with this state, if one of these browsers began it: once.
func (p *Pending) Take(browsers []string, state string) (*Login, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.all.Get(state, p.now())
	if !ok || !slices.Contains(browsers, found.browser) {
		return nil, false
	}
	p.all.Delete(state)
	return found.login, true
}

// Began tells whether one of these browsers has a login under way.
func (p *Pending) Began(browsers []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, found := range p.all.All(p.now()) {
		if slices.Contains(browsers, found.browser) {
			return true
		}
	}
	return false
}
