package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// Step runs one transaction of a long command. It may run fn twice.
type Step func(fn func(Tx) error) error

// Long runs a command that is too large for one transaction, all or nothing:
// run calls step again and again, each so short that others hardly wait, and
// what a step overwrites is kept in the same transaction. When run fails or
// panics, or ctx ends, everything is taken back in small steps; what a crash
// leaves half-way, Recover takes back.
//
// Others see what is done so far, and write meanwhile, but not the entries that
// the command wrote: they are refused with the problem store-claimed until it is
// done. The same goes for two long commands: whoever comes second at an entry
// fails, and is taken back. What many write, such as a counter, is therefore
// written by an Update of its own, before or after.
func Long(ctx context.Context, s Store, run func(Step) error) error {
	return LongAs(ctx, s, "a long command", run)
}

// LongAs is Long by a name that tells those whom it disturbs what it is.
func LongAs(ctx context.Context, s Store, name string, run func(Step) error) (err error) {
	if err := outermost("Long"); err != nil {
		return err
	}
	l := &long{ctx: ctx, store: s, id: rand.Text()[:longID], name: name}
	active.Store(l.id, true)
	defer active.Delete(l.id)
	done := false
	defer func() {
		if !done { // also when run panicked
			err = errors.Join(l.undo(), err)
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

// active are the ids of the long commands that run in this process.
var active sync.Map

type long struct {
	ctx      context.Context
	store    Store
	id, name string
	begun    bool
}

func (l *long) step(fn func(Tx) error) error {
	err := l.update(func(t *overlay) error {
		if !l.begun {
			name, _ := json.Marshal(l.name) // cannot fail
			t.set(longPrefix+l.id, encode(name, time.Time{}))
		} else if t.raw(longPrefix+l.id) == nil {
			return overtaken(l.name)
		}
		t.long = l.id
		return fn(t)
	})
	l.begun = l.begun || err == nil
	return err
}

func overtaken(name string) error {
	return problem.StoreReplaced.Case("command").Got(name)
}

func (l *long) update(fn func(*overlay) error) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	return l.store.Update(l.ctx, func(tx Tx) error { return fn(tx.(*overlay)) })
}

// finish is the moment from which the command is done: without a header its
// undo records are mere remains.
func (l *long) finish() error {
	if !l.begun {
		return l.ctx.Err()
	}
	err := l.step(func(tx Tx) error {
		tx.(*overlay).set(longPrefix+l.id, nil)
		return nil
	})
	if err != nil {
		return err
	}
	if err := drop(context.WithoutCancel(l.ctx), l.store, l.id); err != nil {
		slog.Warn("what a command kept to be taken back stays until the next start", "command", l.name, "error", err)
	}
	return nil
}

func (l *long) undo() error {
	if !l.begun {
		return nil
	}
	err := undo(context.WithoutCancel(l.ctx), l.store, l.id)
	if err != nil {
		slog.Error("a command that failed could not be taken back yet", "command", l.name, "error", err)
		return halfDone(l.name, err)
	}
	return nil
}

// halfDone is what is left when a command failed, and undoing it too. Recover
// tries again.
func halfDone(name string, err error) error {
	return problem.StoreHalfDone.Got(name + ": " + err.Error())
}

// Recover takes back the long commands that were cut off: by the end of the
// program, by another content that took the place of theirs, or by a disk that
// took no more, also not to undo them. It does nothing where there are none.
func Recover(ctx context.Context, s Store) error { return recoverIn(ctx, s, true) }

// updater is as much of a store as undoing needs.
type updater interface {
	Update(ctx context.Context, fn func(Tx) error) error
}

// recoverIn takes back what the store knows of long commands, but not those that
// run in this process when they are spared.
func recoverIn(ctx context.Context, s updater, spare bool) error {
	for at := ""; ; {
		var found leftover
		err := s.Update(ctx, func(tx Tx) error {
			found = tx.(*overlay).leftover(at)
			return nil
		})
		if err != nil || found.id == "" {
			return err
		}
		at = found.id
		if _, runs := active.Load(found.id); runs && spare {
			continue
		}
		if !found.underWay {
			err = drop(ctx, s, found.id)
		} else {
			slog.Warn("a command was cut off; it is taken back", "command", found.name)
			err = undo(ctx, s, found.id)
		}
		if err != nil {
			return err
		}
	}
}

// leftover is a long command that the store knows.
type leftover struct {
	id, name string
	underWay bool // else it was done, and its undo records are remains
}

// leftover finds the first with an id behind after.
func (t *overlay) leftover(after string) (l leftover) {
	l.id = t.idFrom(longPrefix, after+"\x00")
	// "0" follows the slash behind an id, and comes before every id.
	if id := t.idFrom(undoPrefix, after+"0"); l.id == "" || id != "" && id < l.id {
		l.id = id
	}
	l.underWay, l.name = t.raw(longPrefix+l.id) != nil, t.nameOf(l.id)
	return l
}

// idFrom is the id of the first key below the prefix, from here on.
func (t *overlay) idFrom(prefix, from string) (id string) {
	t.ascend(prefix+from, func(key string, _ []byte) bool {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			id, _, _ = strings.Cut(rest, "/")
		}
		return false
	})
	return id
}

// What one transaction of undoing takes at most. The fewer entries it takes the
// less room it needs on the disk, until they are gone.
const (
	undoEntries = 200
	undoPage    = 50
	undoBytes   = 1 << 19
)

// undo puts back what was before the long command, then forgets that it was.
func undo(ctx context.Context, s updater, id string) error {
	return inBatches(ctx, s, undoPrefix+id+"/", func(t *overlay, key string, value []byte) error {
		var u undone
		if err := json.Unmarshal(value, &u); err != nil {
			return err
		}
		t.set(key, u.entry())
		return nil
	}, func(t *overlay) { t.set(longPrefix+id, nil) })
}

// drop forgets what a long command that is done has kept.
func drop(ctx context.Context, s updater, id string) error {
	keep := func(*overlay, string, []byte) error { return nil }
	return inBatches(ctx, s, undoPrefix+id+"/", keep, func(*overlay) {})
}

// eachFunc does one entry; the key is without the prefix.
type eachFunc func(t *overlay, key string, value []byte) error

// inBatches does each entry below the prefix and removes it, in transactions of
// bounded size, and last in the transaction of the last.
func inBatches(ctx context.Context, s updater, prefix string, each eachFunc, last func(*overlay)) error {
	most := undoEntries
	for done := false; !done; {
		err := s.Update(ctx, func(tx Tx) (err error) {
			t := tx.(*overlay)
			t.free = true
			if done, err = t.batch(prefix, most, each); done {
				last(t)
			}
			return err
		})
		switch {
		case err == nil:
		case most == 1:
			return err
		default: // the disk may be nearly full
			most, done = max(1, most/8), false
		}
	}
	return nil
}

// batch is one transaction of inBatches; done tells that nothing is left.
func (t *overlay) batch(prefix string, most int, each eachFunc) (done bool, err error) {
	n, size, after := 0, 0, ""
	for n < most && size < undoBytes {
		limit := min(undoPage, most-n)
		page, err := t.List(prefix, after, limit)
		if err != nil {
			return false, err
		}
		for _, e := range page {
			n, size, after = n+1, size+len(e.Key)+len(e.Value), e.Key
			if err := each(t, e.Key[len(prefix):], e.Value); err != nil {
				return false, err
			}
			t.set(e.Key, nil)
		}
		if len(page) < limit {
			return true, nil
		}
	}
	return false, nil
}

// A batch of Each is as large as takes about so long: to write, and with what
// the backend needs for it. A slow disk alone does not make batches of one.
const (
	batchTime  = 15 * time.Millisecond
	stepTime   = 30 * time.Millisecond
	batchSmall = 16
	batchMost  = 1000
)

// Each is LongAs over items, as many a step as others can wait for. fn writes one
// item, and may be called twice with it; done hears after each step how many
// are written so far.
func Each[T any](ctx context.Context, s Store, name string, items iter.Seq2[T, error],
	fn func(Tx, T) error, done func(n int)) error {
	return LongAs(ctx, s, name, func(step Step) error {
		b := batches[T]{step: step, fn: fn, done: done, size: batchSmall}
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
	began := time.Now()
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
	b.size = nextSize(b.size, took, time.Since(began))
	b.items = b.items[:0]
	if b.done != nil {
		b.done(b.n)
	}
	return nil
}

// nextSize at most doubles, and shrinks when writing a batch, or its whole step,
// took too long.
func nextSize(size int, writing, step time.Duration) int {
	switch {
	case writing > batchTime:
		return max(1, size/2)
	case step > stepTime:
		return max(min(size, batchSmall), size/2)
	case writing < batchTime/2 && step < stepTime/2:
		return min(batchMost, size*2)
	}
	return size
}
