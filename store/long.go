package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"pscemu/problem"
)

// Step is a part of a long command: a transaction of its own, so short that
// others hardly wait.
type Step func(fn func(Tx) error) error

// Long runs a command that is too large for one transaction, and is all or
// nothing all the same. Its steps are committed one after the other and seen at
// once. What each overwrites is written down with it; when a step fails, or the
// program ends half-way, what was done is undone: now, or by Recover at the
// next start. Entries that somebody else changed meanwhile stay as they are.
func Long(ctx context.Context, s Store, command func(Step) error) error {
	l := &long{id: rand.Text()}
	err := command(func(fn func(Tx) error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return l.step(ctx, s, fn)
	})
	if err == nil {
		return l.end(context.WithoutCancel(ctx), s)
	}
	return errors.Join(err, undo(context.WithoutCancel(ctx), s, l.id))
}

// long is a long command under way.
type long struct {
	id string
	n  int // entries written down so far
}

// undone is what an entry was before a long command changed it.
type undone struct {
	Key     string    `json:"key"`
	There   bool      `json:"there"` // it was there
	Value   []byte    `json:"value,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Wrote   []byte    `json:"wrote,omitempty"` // SHA-256 of what the command wrote, none for a deletion
}

var (
	// undoLog lies by command and number, so that a command's entries are in order.
	undoLog = Collection[undone]("undo")
	// undoDone marks the commands whose log is of no use any more.
	undoDone = Collection[bool]("undo-done")
)

func undoID(id string, n int) string { return fmt.Sprintf("%s.%010d", id, n) }

// step is one transaction, with what it overwrites.
func (l *long) step(ctx context.Context, s Store, fn func(Tx) error) error {
	n := 0
	err := s.Update(ctx, func(tx Tx) error {
		if err := l.goesOn(tx); err != nil {
			return err
		}
		r := &recorder{Tx: tx, before: map[string]*undone{}}
		if err := fn(r); err != nil {
			return err
		}
		n = 0 // a transaction may run twice
		for _, key := range r.order {
			if err := undoLog.Put(tx, undoID(l.id, l.n+n), *r.before[key], Forever); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err == nil {
		l.n += n
	}
	return err
}

// end drops the log: from its first commit on the command is done.
func (l *long) end(ctx context.Context, s Store) error {
	if l.n == 0 {
		return nil
	}
	err := s.Update(ctx, func(tx Tx) error {
		if err := l.goesOn(tx); err != nil {
			return err
		}
		return undoDone.Put(tx, l.id, true, Forever)
	})
	if err != nil {
		return err
	}
	return drop(ctx, s, l.id)
}

// goesOn refuses a step when the log of the one before is gone: another content
// took the place of everything meanwhile, and what was done is not in it.
func (l *long) goesOn(tx Tx) error {
	if l.n == 0 {
		return nil
	}
	_, err := undoLog.Get(tx, undoID(l.id, l.n-1))
	if errors.Is(err, ErrNotFound) {
		return problem.New(problem.Conflict, "store-replaced", "everything stored was replaced while this went on; nothing of it was done").
			Want("no restore and no reset meanwhile").Do("try again")
	}
	return err
}

// LongRecords are the kinds of record that long commands keep while they run.
// what judges the entries that a command overwrote: undoing it puts them back.
func LongRecords(what Kinds) []Kind {
	judged := func(_ string, u *undone) error {
		if !u.There {
			return nil
		}
		return what.Check(Entry{Key: u.Key, Value: u.Value, Expires: u.Expires})
	}
	return []Kind{undoLog.Kind(judged), undoDone.Kind()}
}

// recorder is a transaction that notes what it overwrites.
type recorder struct {
	Tx
	before map[string]*undone
	order  []string
}

// Put writes, and notes.
func (r *recorder) Put(key string, value []byte, ttl time.Duration) error {
	if err := r.note(key); err != nil {
		return err
	}
	sum := sha256.Sum256(value)
	r.before[key].Wrote = sum[:]
	return r.Tx.Put(key, value, ttl)
}

// Delete deletes, and notes.
func (r *recorder) Delete(key string) error {
	if err := r.note(key); err != nil {
		return err
	}
	r.before[key].Wrote = nil
	return r.Tx.Delete(key)
}

// note keeps what an entry was before this transaction first changed it.
func (r *recorder) note(key string) error {
	if r.before[key] != nil {
		return nil
	}
	was, there, err := entryAt(r.Tx, key)
	if err != nil {
		return err
	}
	r.before[key] = &undone{Key: key, There: there, Value: was.Value, Expires: was.Expires}
	r.order = append(r.order, key)
	return nil
}

// entryAt reads one entry with its expiry.
func entryAt(tx Tx, key string) (Entry, bool, error) {
	found, err := tx.List(key, "", 1)
	if err != nil || len(found) == 0 || found[0].Key != key {
		return Entry{}, false, err
	}
	return found[0], true, nil
}

// Recover undoes the long commands that the end of the program cut off. Nothing
// else may use the store yet.
func Recover(ctx context.Context, s Store) error {
	for {
		var first []Entry
		err := s.View(ctx, func(tx Tx) (err error) {
			first, err = tx.List(undoLog.Prefix(), "", 1)
			return err
		})
		if err != nil || len(first) == 0 {
			return err
		}
		id, _, _ := strings.Cut(undoLog.ID(first[0].Key), ".")
		done, err := undoDone.LoadMaybe(ctx, s, id)
		if err == nil && done {
			err = drop(ctx, s, id)
		} else if err == nil {
			slog.Warn("a command was cut off by the end of the program; it is undone", "command", id)
			err = undo(ctx, s, id)
		}
		if err != nil {
			return err
		}
	}
}

// undoBatch is how many entries one transaction undoes or drops.
const undoBatch = 200

// undo takes a command's changes back, the last first.
func undo(ctx context.Context, s Store, id string) error {
	last, err := lastOf(ctx, s, id)
	for n := last; err == nil && n >= 0; n -= undoBatch {
		err = s.Update(ctx, func(tx Tx) error {
			for k := n; k >= 0 && k > n-undoBatch; k-- {
				if err := undoOne(tx, undoID(id, k)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return err
}

// lastOf is the highest number of a command's log, -1 for none.
func lastOf(ctx context.Context, s Store, id string) (last int, err error) {
	last, after := -1, ""
	for {
		var page []Entry
		err := s.View(ctx, func(tx Tx) (err error) {
			page, err = tx.List(undoLog.Key(id+"."), after, undoBatch)
			return err
		})
		if err != nil || len(page) == 0 {
			return last, err
		}
		after = page[len(page)-1].Key
		if _, err := fmt.Sscanf(undoLog.ID(after)[len(id)+1:], "%d", &last); err != nil {
			return last, err
		}
	}
}

// undoOne puts one entry back, unless somebody else changed it since.
func undoOne(tx Tx, at string) error {
	u, err := undoLog.Get(tx, at)
	if errors.Is(err, ErrNotFound) {
		return nil // undone before
	}
	if err != nil {
		return err
	}
	now, there, err := entryAt(tx, u.Key)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(now.Value)
	switch ours := there && bytes.Equal(sum[:], u.Wrote) || !there && u.Wrote == nil; {
	case !ours:
	case u.There:
		err = tx.Put(u.Key, u.Value, u.left(tx))
	default:
		err = tx.Delete(u.Key)
	}
	return errors.Join(err, undoLog.Delete(tx, at))
}

// left is how long the entry still lives.
func (u *undone) left(tx Tx) time.Duration {
	if u.Expires.IsZero() {
		return Forever
	}
	return max(1, u.Expires.Sub(tx.Now()))
}

// drop forgets a log in batches, and its mark last.
func drop(ctx context.Context, s Store, id string) error {
	for {
		n := 0
		err := s.Update(ctx, func(tx Tx) error {
			page, err := tx.List(undoLog.Key(id+"."), "", undoBatch)
			if n = len(page); n == 0 {
				return errors.Join(err, undoDone.Delete(tx, id))
			}
			for _, e := range page {
				if err := tx.Delete(e.Key); err != nil {
					return err
				}
			}
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}
