package store

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"pscemu/clock"
)

// Memory keeps a Store in memory: it ends with the process. Every commit makes
// a new tree that shares what it did not change, so that reading needs no lock
// and a copy costs nothing.
type Memory struct {
	clock     clock.Clock
	commit    sync.Mutex
	replacing sync.Mutex // one content at a time takes the place of everything
	tree      atomic.Pointer[tree]
	watchers
}

type tree struct{ btree.Map[string, []byte] }

func (t *tree) get(key string) []byte { v, _ := t.Get(key); return v }

func (t *tree) ascend(from string, fn func(string, []byte) bool) { t.Ascend(from, fn) }

// NewMemory makes an empty store.
func NewMemory(c clock.Clock) *Memory {
	s := &Memory{clock: c}
	s.tree.Store(&tree{})
	return s
}

// Clone makes a store on another clock that begins with what this one holds.
func (s *Memory) Clone(c clock.Clock) *Memory {
	s.commit.Lock()
	defer s.commit.Unlock()
	out := &Memory{clock: c}
	out.tree.Store(&tree{*s.tree.Load().Copy()})
	return out
}

// View runs fn on a consistent snapshot.
func (s *Memory) View(_ context.Context, fn func(Tx) error) error {
	return fn(&overlay{source: s.tree.Load(), now: s.clock.Now()})
}

// Update runs one transaction after the other.
func (s *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	o := &overlay{source: s.tree.Load(), now: s.clock.Now(), writes: map[string]*write{}}
	if err := call(fn, o); err != nil {
		return err
	}
	after := &tree{*s.tree.Load().Copy()}
	after.apply(o)
	s.tree.Store(after)
	s.notify(o.order)
	return nil
}

// Sweep removes the expired entries.
func (s *Memory) Sweep(context.Context) (n int, err error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	now := s.clock.Now().UnixNano()
	after := &tree{*s.tree.Load().Copy()}
	s.tree.Load().Scan(func(key string, raw []byte) bool {
		if e := int64(binary.BigEndian.Uint64(raw)); e != 0 && e <= now {
			after.Delete(key)
			n++
		}
		return true
	})
	if n > 0 {
		s.tree.Store(after)
	}
	return n, nil
}

// Close forgets everything.
func (s *Memory) Close() error {
	s.tree.Store(&tree{})
	return nil
}
