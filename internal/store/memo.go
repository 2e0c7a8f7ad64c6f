package store

import (
	"bytes"
	"context"
	"sync"
)

// Memo reads a collection whose entries are read far more often than they
// change, and decodes again only what changed: each read compares the bytes
// that are stored, so it is never out of date.
type Memo[T any] struct {
	Of Collection[T]

	mu   sync.Mutex
	kept map[string]remembered[T] // by key
}

type remembered[T any] struct {
	raw   []byte
	value *T
}

// memoSize bounds what one memo keeps.
const memoSize = 64

// Load reads one entry in a transaction of its own. The value is shared with
// other readers: nobody may change it.
func (m *Memo[T]) Load(ctx context.Context, s Store, id string) (v *T, err error) {
	err = s.View(ctx, func(tx Tx) error {
		v, err = m.Get(tx, id)
		return err
	})
	return v, err
}

// Get reads one entry; the value is shared, as Load's is.
func (m *Memo[T]) Get(tx Tx, id string) (*T, error) {
	key := m.Of.Key(id)
	raw, err := tx.Get(key)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	known, ok := m.kept[key]
	m.mu.Unlock()
	if ok && bytes.Equal(known.raw, raw) {
		return known.value, nil
	}
	v, err := m.Of.Get(tx, id)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= memoSize {
		m.kept = map[string]remembered[T]{} // begin anew: those in use come back
	}
	m.kept[key] = remembered[T]{bytes.Clone(raw), &v}
	return &v, nil
}
