package store

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"log/slog"
	"time"

	"pscemu/problem"
)

// Step runs one transaction of a long command. It may run fn twice.
type Step func(fn func(Tx) error) error

// Long runs a command that is too large for one transaction, all or nothing:
// run calls step again and again, each with so little that others never wait
// long, and what each step overwrites is kept beside its writes. When run fails
// or panics, or ctx ends, everything is taken back in small steps; what a crash
// leaves half-way, Recover takes back. name says what it is to whom it
// disturbs.
//
// Others see what is done so far, and write meanwhile, but not the entries that
// a long command wrote: that is refused with the problem store-claimed, until
// the command is done. The same goes for two long commands: whoever comes
// second fails, and is taken back. What many write, such as a counter, is
// therefore written by an Update of its own, before or after.
func Long(ctx context.Context, s Store, name string, run func(Step) error) (err error) {
	if err := outermost("Long"); err != nil {
		return err
	}
	l := &long{ctx: ctx, store: s, id: rand.Text()[:longID], name: name}
	done := false
	defer func() {
		if !done { // also when run panicked
			err = errors.Join(err, l.undo())
		}
	}()
	if err = run(l.step); err != nil {
		return err
	}
	if err = l.finish(); err != nil {
		return err
	}
	done = true
	return nil
}

type long struct {
	ctx      context.Context
	store    Store
	id, name string
	begun    bool
}

func (l *long) step(fn func(Tx) error) error {
	err := l.update(l.ctx, func(t *overlay) error {
		if !l.begun {
			t.set(longPrefix+l.id, encode([]byte(l.name), time.Time{}))
		} else if t.raw(longPrefix+l.id) == nil {
			return problem.New(problem.Conflict, "long-overtaken", "everything stored was replaced while this command was under way").Got(l.name).Do("start it again")
		}
		t.long = l.id
		return fn(t)
	})
	l.begun = l.begun || err == nil
	return err
}

func (l *long) update(ctx context.Context, fn func(*overlay) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.store.Update(ctx, func(tx Tx) error { return fn(tx.(*overlay)) })
}

// finish is the moment from which the command is done: without a header its
// undo records are mere remains.
func (l *long) finish() error {
	if !l.begun {
		return l.ctx.Err()
	}
	if err := l.step(func(tx Tx) error {
		tx.(*overlay).set(longPrefix+l.id, nil)
		return nil
	}); err != nil {
		return err
	}
	if err := drop(context.WithoutCancel(l.ctx), l.store, undoPrefix+l.id+"/"); err != nil {
		slog.Warn("the undo log of a command that is done stays until the next start", "command", l.name, "error", err)
	}
	return nil
}

func (l *long) undo() error {
	if !l.begun {
		return nil
	}
	err := undo(context.WithoutCancel(l.ctx), l.store, l.id)
	if err != nil {
		slog.Error("a command that failed could not be taken back; the next start does it", "command", l.name, "error", err)
	}
	return err
}

// Recover takes back the long commands that a crash left half-way. It runs
// before anything else writes.
func Recover(ctx context.Context, s Store) error {
	return recoverIn(ctx, s)
}

// updater is as much of a store as undoing needs.
type updater interface {
	Update(ctx context.Context, fn func(Tx) error) error
}

func recoverIn(ctx context.Context, s updater) error {
	for {
		var left []string
		var name string
		err := s.Update(ctx, func(tx Tx) error {
			t := tx.(*overlay)
			if left = t.underWay(""); len(left) > 0 {
				name = string(t.raw(longPrefix + left[0])[expiryLen:])
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return drop(ctx, s, undoPrefix)
		}
		slog.Warn("taking back a command that was interrupted", "command", name)
		if err := undo(ctx, s, left[0]); err != nil {
			return err
		}
	}
}

// What one transaction of undoing takes at most.
const (
	undoEntries = 500
	undoPage    = 50
	undoBytes   = 1 << 20
)

// undo puts back what was before the long command, then forgets that it was.
func undo(ctx context.Context, s updater, id string) error {
	return inBatches(ctx, s, undoPrefix+id+"/", func(t *overlay, key string, former []byte) {
		if len(former) == 0 {
			former = nil
		}
		t.set(key, former)
	}, func(t *overlay) { t.set(longPrefix+id, nil) })
}

// drop forgets undo records.
func drop(ctx context.Context, s updater, prefix string) error {
	return inBatches(ctx, s, prefix, func(*overlay, string, []byte) {}, func(*overlay) {})
}

// inBatches removes the entries below the prefix and does each, in transactions
// of bounded size, and last in the transaction of the last.
func inBatches(ctx context.Context, s updater, prefix string, each func(t *overlay, key string, value []byte), last func(*overlay)) error {
	for done := false; !done; {
		err := s.Update(ctx, func(tx Tx) error {
			t := tx.(*overlay)
			t.free = true
			n, size, after := 0, 0, ""
			for n < undoEntries && size < undoBytes {
				page, err := t.List(prefix, after, undoPage)
				if err != nil {
					return err
				}
				for _, e := range page {
					n, size, after = n+1, size+len(e.Key)+len(e.Value), e.Key
					t.set(e.Key, nil)
					each(t, e.Key[len(prefix):], e.Value)
				}
				if done = len(page) < undoPage; done {
					last(t)
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A batch of Each is as large as takes about so long.
const (
	batchTime  = 15 * time.Millisecond
	batchStart = 16
	batchMost  = 1000
)

// Each is Long over items, as many a step as others can wait for. fn writes one
// item, and may be called twice with it; done hears after each step how many
// are written so far.
func Each[T any](ctx context.Context, s Store, name string, items iter.Seq2[T, error], fn func(Tx, T) error, done func(n int)) error {
	return Long(ctx, s, name, func(step Step) error {
		b := batches[T]{step: step, fn: fn, done: done, size: batchStart}
		for item, err := range items {
			if err != nil {
				return err
			}
			if err := b.add(item); err != nil {
				return err
			}
		}
		return b.flush()
	})
}

// batches collects items until there are enough for a step.
type batches[T any] struct {
	step  Step
	fn    func(Tx, T) error
	done  func(int)
	size  int
	items []T
	n     int
}

func (b *batches[T]) add(item T) error {
	if b.items = append(b.items, item); len(b.items) < b.size {
		return nil
	}
	return b.flush()
}

func (b *batches[T]) flush() error {
	if len(b.items) == 0 {
		return nil
	}
	var took time.Duration
	err := b.step(func(tx Tx) error {
		start := time.Now()
		for _, item := range b.items {
			if err := b.fn(tx, item); err != nil {
				return err
			}
		}
		took = time.Since(start)
		return nil
	})
	if err != nil {
		return err
	}
	b.n += len(b.items)
	b.size = nextSize(b.size, took)
	b.items = b.items[:0]
	if b.done != nil {
		b.done(b.n)
	}
	return nil
}

// nextSize at most doubles, and halves when a step took too long.
func nextSize(size int, took time.Duration) int {
	switch {
	case took > 2*batchTime:
		return max(1, size/4)
	case took > batchTime:
		return max(1, size/2)
	case took < batchTime/2:
		return min(batchMost, size*2)
	}
	return size
}
