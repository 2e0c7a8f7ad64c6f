package ecps

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

// How Serve goes about it: at most so many answers in one transaction, a look at
// the clock at least so often while one is to come (it may be moved), and a look
// at the store now and then without a change (it may be replaced).
const (
	dueAtOnce = 200
	dueTick   = time.Second
	dueIdle   = 5 * time.Second
)

// Serve notes the answers that phones give by themselves after a while, at their
// time on the emulator's clock, until ctx ends. What came due while nothing ran
// is noted at once.
func (s *Phones) Serve(ctx context.Context) {
	changed := s.store.Watch(ctx, due.Prefix())
	for ctx.Err() == nil {
		wait, err := s.answerDue(ctx)
		if err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "answers of phones", "error", err)
			wait = dueTick
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// answerDue settles what is due, and says how long to wait for what is not.
func (s *Phones) answerDue(ctx context.Context) (wait time.Duration, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		wait, err = s.untilDue(tx)
		return err
	})
	if err != nil || wait > 0 {
		return wait, err
	}
	return 0, s.store.Update(ctx, s.settleDue)
}

// untilDue is how long to wait for the first answer, 0 when it is due.
func (s *Phones) untilDue(tx store.Tx) (time.Duration, error) {
	first, err := tx.List(due.Prefix(), "", 1)
	if err != nil || len(first) == 0 {
		return dueIdle, err
	}
	at, err := store.ParseMoment(due.ID(first[0].Key))
	return min(max(at.Sub(s.clock.Now()), 0), dueTick), err
}

// settleDue settles the requests whose phones have answered; one that is gone,
// or was answered too late, is forgotten.
func (s *Phones) settleDue(tx store.Tx) error {
	entries, err := tx.List(due.Prefix(), "", dueAtOnce)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	for _, e := range entries {
		at := due.ID(e.Key)
		if at > store.Moment(now)+"~" {
			return nil
		}
		r, err := requests.Get(tx, idOf(at))
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && (r.State != Pending || !r.answers(now)):
			err = tx.Delete(e.Key)
		case err == nil:
			err = s.settleIn(tx, &r, r.Answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
