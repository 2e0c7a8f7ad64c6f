// Package clock is the one source of time of the emulator, so that codes,
// tokens, sessions and certificates can be frozen or moved together.
package clock

import (
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// Clock tells the time. Nothing outside this package calls time.Now to decide
// whether something is valid.
type Clock interface {
	Now() time.Time
}

// Earliest and Latest bound what the clock may be set to. Before 2000 there is
// neither a card nor a certificate of PSC's. After 2200 what lasts longest, an
// authority of some decades, would end behind 2262, where 64 bits of
// nanoseconds since 1970 end (the store counts so).
var (
	Earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	Latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

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
	return c.now()
}

func (c *Adjustable) now() time.Time {
	if c.frozen != nil {
		return *c.frozen
	}
	return time.Now().UTC().Add(c.offset)
}

// inRange refuses a time that the clock cannot show. A sum of such a time and
// any duration cannot overflow, so it is checked after it was made.
func inRange(t time.Time, received string) error {
	if t.Before(Earliest) || t.After(Latest) {
		return problem.ClockOutOfRange.With("earliest", Earliest.Format(time.RFC3339)).With(
			"latest",
			Latest.Format(time.RFC3339),
		).Got(received)
	}
	return nil
}

// moved describes where a duration leads.
func moved(t time.Time, d time.Duration) string {
	return d.String() + ", which leads to " + t.Format(time.RFC3339)
}

// Change is what becomes of the clock: one way to move it at most, and whether
// it stands still then.
type Change struct {
	Now     *time.Time     // goes on from there
	Offset  *time.Duration // against the machine's clock; runs
	Advance *time.Duration // from where it is; runs or stands still as before
	Frozen  *bool
}

// Apply changes the clock in one step, or not at all.
func (c *Adjustable) Apply(to Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, offset, frozen := c.now(), c.offset, c.frozen != nil
	received := t.Format(time.RFC3339)
	switch {
	case to.Now != nil:
		t, frozen = to.Now.UTC(), false
		offset, received = time.Until(t), t.Format(time.RFC3339)
	case to.Offset != nil:
		t, frozen = time.Now().UTC().Add(*to.Offset), false
		offset, received = *to.Offset, moved(t, *to.Offset)
	case to.Advance != nil:
		t = t.Add(*to.Advance)
		offset, received = offset+*to.Advance, moved(t, *to.Advance)
	case to.Frozen != nil && frozen != *to.Frozen:
		offset = time.Until(t) // goes on from where it stood, or stands still there
	}
	if err := inRange(t, received); err != nil {
		return err
	}
	if to.Frozen != nil {
		frozen = *to.Frozen
	}
	c.offset, c.frozen = offset, nil
	if frozen {
		c.frozen = &t
	}
	return nil
}

// With is a copy of the clock that was changed.
func (c *Adjustable) With(to Change) (*Adjustable, error) {
	c.mu.RLock()
	out := &Adjustable{start: c.start, offset: c.offset, frozen: c.frozen}
	c.mu.RUnlock()
	return out, out.Apply(to)
}

// Offset shifts the clock by d against the machine's and lets it run.
func (c *Adjustable) Offset(d time.Duration) error { return c.Apply(Change{Offset: &d}) }

// Advance moves the clock by d; it runs or stands still as before.
func (c *Adjustable) Advance(d time.Duration) error { return c.Apply(Change{Advance: &d}) }

// Set moves the clock to t; it goes on from there, or stands still when frozen.
func (c *Adjustable) Set(t time.Time, frozen bool) error {
	return c.Apply(Change{Now: &t, Frozen: &frozen})
}

// Start shifts the clock by d, also after a Reset.
func (c *Adjustable) Start(d time.Duration) error {
	if err := c.Offset(d); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start = d
	return nil
}

// Reset follows the machine's clock again, as far from it as at the start.
func (c *Adjustable) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.frozen = c.start, nil
}

// AsStarted is another clock that shows what this one does after a Reset.
func (c *Adjustable) AsStarted() *Adjustable {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return &Adjustable{start: c.start, offset: c.start}
}

// State describes the clock for the control API.
type State struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"`
	Frozen bool      `json:"frozen"`
}

// Check tells whether Restore would take the state.
func (s State) Check() error {
	if s.Frozen {
		return inRange(s.Now, s.Now.Format(time.RFC3339))
	}
	d, err := s.offset()
	if err != nil {
		return err
	}
	return (&Adjustable{}).Offset(d)
}

// offset reads the offset; none is none.
func (s State) offset() (time.Duration, error) {
	if s.Offset == "" {
		return 0, nil
	}
	return ParseOffset(s.Offset)
}

// ParseOffset reads a duration by which the clock is to move.
func ParseOffset(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, problem.OffsetInvalid.Got(text)
	}
	return d, nil
}

// Restore sets the clock as a state tells: standing still at its time, or
// running with its offset.
func (c *Adjustable) Restore(s State) error {
	if s.Frozen {
		return c.Set(s.Now, true)
	}
	d, err := s.offset()
	if err != nil {
		return err
	}
	return c.Offset(d)
}

// State returns what the clock shows and how it is set.
func (c *Adjustable) State() State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return State{Now: c.now(), Offset: c.offset.Round(time.Millisecond).String(), Frozen: c.frozen != nil}
}
