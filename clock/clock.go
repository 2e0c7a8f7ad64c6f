// Package clock is the one source of time of the emulator, so that codes,
// tokens, sessions and certificates can be frozen or moved together.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time. Nothing outside this package calls time.Now to decide
// whether something is valid.
type Clock interface {
	Now() time.Time
}

// Adjustable is the machine's clock, shifted by an offset or frozen.
// The zero value follows the machine's clock.
type Adjustable struct {
	mu     sync.RWMutex
	start  time.Duration // offset to begin with, and to come back to
	offset time.Duration
	frozen *time.Time
}

// Now returns the emulator's time in UTC.
func (c *Adjustable) Now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.frozen != nil {
		return *c.frozen
	}
	return time.Now().UTC().Add(c.offset)
}

// Offset shifts the clock by d against the machine's and lets it run.
func (c *Adjustable) Offset(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.frozen = d, nil
}

// Advance moves the clock by d; it runs or stands still as before.
func (c *Adjustable) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen != nil {
		t := c.frozen.Add(d)
		c.frozen = &t
	}
	c.offset += d
}

// Set moves the clock to t; it goes on from there, or stands still when frozen.
func (c *Adjustable) Set(t time.Time, frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t = t.UTC()
	c.offset, c.frozen = time.Until(t), nil
	if frozen {
		c.frozen = &t
	}
}

// Start shifts the clock by d, also after a Reset.
func (c *Adjustable) Start(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.offset, c.frozen = d, d, nil
}

// Reset follows the machine's clock again, as far from it as at the start.
func (c *Adjustable) Reset() {
	c.mu.RLock()
	start := c.start
	c.mu.RUnlock()
	c.Offset(start)
}

// State describes the clock for the control API.
type State struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"`
	Frozen bool      `json:"frozen"`
}

// Restore sets the clock as a state tells: standing still at its time, or
// running with its offset.
func (c *Adjustable) Restore(s State) {
	if s.Frozen {
		c.Set(s.Now, true)
		return
	}
	d, _ := time.ParseDuration(s.Offset) // "" is none
	c.Offset(d)
}

// State returns what the clock shows and how it is set.
func (c *Adjustable) State() State {
	now := c.Now()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return State{Now: now, Offset: c.offset.Round(time.Millisecond).String(), Frozen: c.frozen != nil}
}
