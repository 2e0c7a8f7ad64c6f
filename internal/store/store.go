// Package store keeps everything that must survive a restart in a small
// transactional key/value interface: read and write transactions, listing by
// prefix, a time to live per entry, and watching a prefix for changes.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// ErrNotFound is returned for a key that is absent or whose time has passed.
var ErrNotFound = errors.New("store: not found")

// Forever is the time to live of an entry that does not expire.
const Forever time.Duration = 0

// Entry is a key with its value.
type Entry struct {
	Key     string
	Value   []byte
	Expires time.Time // zero: never
}

// Tx reads and writes within one transaction. A transaction function may hold
// no reference to its Tx, nor to a value it read, after it returned.
type Tx interface {
	Get(key string) ([]byte, error)
	// Put writes a value that expires after ttl on the emulator's clock.
	Put(key string, value []byte, ttl time.Duration) error
	Delete(key string) error
	// List returns up to limit live entries with the prefix, in key order,
	// behind the key after ("" = from the start).
	List(prefix, after string, limit int) ([]Entry, error)
	// Now is the moment of the transaction, on the emulator's clock.
	Now() time.Time
}

// Replacement is a whole content that takes the place of the one there. It is
// built beside it, while others read and write; what they write meanwhile is
// gone with the former content. A long command that is under way in what is
// handed over is taken back.
type Replacement struct {
	// Fill hands over the entries, in any order; the last with a key stays. What
	// has expired is kept until the next sweep. put is for the goroutine of Fill.
	Fill func(put func(Entry) error) error
	// Last, unless nil, may change the new content by what the former holds. It
	// runs when nothing can change the former any more, so it is short.
	Last func(was, now Tx) error
	// Then, unless nil, runs when the new content serves. When it fails, the
	// former is put back and the error is an ErrPutBack.
	Then func() error
	// Keep keeps the former content under a name with a date, where there are
	// files; the oldest of more than KeptFormer goes.
	Keep bool
}

// KeptFormer is how many former contents are kept.
const KeptFormer = 3

// ErrPutBack tells that a Replacement's Then failed and the former content
// serves again. ErrReplacing that another Replacement is under way.
var (
	ErrPutBack   = errors.New("store: the former content was put back")
	ErrReplacing = error(problem.StoreReplacing.Of())
)

// Store is what every backend implements; package storetest checks it.
//
// A function of View or Update may not open another transaction: ErrNested.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	// Update commits all of fn's writes, durably, or none when fn fails.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch delivers the keys below prefix that change after the call, until
	// ctx ends. It is a hint to read again: bursts may be merged. The prefix
	// itself says that everything may have changed.
	Watch(ctx context.Context, prefix string) <-chan string
	// Sweep removes expired entries, some thousand at most, and tells how many;
	// 0 when none is left.
	Sweep(ctx context.Context) (int, error)
	// Replace puts a whole new content in the place of everything, durably, or
	// changes nothing. Updates that come during the exchange itself see the new
	// content. It returns the name under which the former content was kept.
	Replace(ctx context.Context, r Replacement) (kept string, err error)
	Close() error
}

// Collection is a typed view of the entries below one prefix. Ids are escaped,
// since national ids may hold a slash.
type Collection[T any] string

// Key is where the entry with this id lies.
func (c Collection[T]) Key(id string) string { return c.Prefix() + url.PathEscape(id) }

// Prefix is what all keys of the collection begin with.
func (c Collection[T]) Prefix() string { return string(c) + "/" }

// ID is the id behind a key of this collection.
func (c Collection[T]) ID(key string) string {
	id, _ := url.PathUnescape(strings.TrimPrefix(key, c.Prefix()))
	return id
}

// Get reads one entry.
func (c Collection[T]) Get(tx Tx, id string) (v T, err error) {
	raw, err := tx.Get(c.Key(id))
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(raw, &v)
}

// Maybe reads one entry; one that is absent is the zero value.
func (c Collection[T]) Maybe(tx Tx, id string) (v T, err error) {
	if v, err = c.Get(tx, id); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return v, err
}

// Those reads the entries with these ids, in their order; absent ones are left
// out.
func (c Collection[T]) Those(tx Tx, ids []string) (out []T, err error) {
	for _, id := range ids {
		v, err := c.Get(tx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Put writes one entry.
func (c Collection[T]) Put(tx Tx, id string, v T, ttl time.Duration) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Put(c.Key(id), raw, ttl)
}

// Delete removes one entry; removing what is not there is no error.
func (c Collection[T]) Delete(tx Tx, id string) error { return tx.Delete(c.Key(id)) }

// List returns up to limit entries behind the id after.
func (c Collection[T]) List(tx Tx, after string, limit int) ([]T, error) {
	if after != "" {
		after = c.Key(after)
	}
	entries, err := tx.List(c.Prefix(), after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal(e.Value, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Load reads one entry in a transaction of its own.
func (c Collection[T]) Load(ctx context.Context, s Store, id string) (v T, err error) {
	err = s.View(ctx, func(tx Tx) error {
		v, err = c.Get(tx, id)
		return err
	})
	return v, err
}

// LoadMaybe is Maybe in a transaction of its own.
func (c Collection[T]) LoadMaybe(ctx context.Context, s Store, id string) (v T, err error) {
	err = s.View(ctx, func(tx Tx) error {
		v, err = c.Maybe(tx, id)
		return err
	})
	return v, err
}

// Save writes one entry in a transaction of its own.
func (c Collection[T]) Save(ctx context.Context, s Store, id string, v T, ttl time.Duration) error {
	return s.Update(ctx, func(tx Tx) error { return c.Put(tx, id, v, ttl) })
}

// Page lists in a transaction of its own.
func (c Collection[T]) Page(ctx context.Context, s Store, after string, limit int) (out []T, err error) {
	err = s.View(ctx, func(tx Tx) error {
		out, err = c.List(tx, after, limit)
		return err
	})
	return out, err
}
