package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"pscemu/clock"
	"pscemu/problem"
)

// Memory keeps a Store in memory: it ends with the process. Every commit makes
// a new tree that shares what it did not change, so that reading needs no lock
// and a copy costs nothing.
type Memory struct {
	clock     clock.Clock
	commit    sync.Mutex
	replacing sync.Mutex
	tree      atomic.Pointer[tree]
	most      int64 // bytes that may be in use, 0 for any
	watchers
	nesting
}

// tree is one moment's content.
type tree struct {
	entries btree.Map[string, []byte]
	expiry  btree.Map[string, struct{}] // 8 bytes of expiry and the key
	bytes   int64                       // of keys and values, with what keeping one costs
}

// perEntry is what an entry takes beside its key and value, roughly.
const perEntry = 64

func (t *tree) get(key string) []byte { v, _ := t.entries.Get(key); return v }

func (t *tree) ascend(from string, fn func(key string, raw []byte) bool) { t.entries.Ascend(from, fn) }

func (t *tree) copy() *tree { return &tree{*t.entries.Copy(), *t.expiry.Copy(), t.bytes} }

// due is an entry's key in the order of expiry, "" when it does not expire.
func due(key string, raw []byte) string {
	if binary.BigEndian.Uint64(raw) == 0 {
		return ""
	}
	return string(raw[:8]) + key
}

func (t *tree) set(key string, raw []byte) {
	before, there := t.entries.Set(key, raw)
	t.forget(key, before, there)
	t.bytes += int64(len(key)+len(raw)) + perEntry
	if at := due(key, raw); at != "" {
		t.expiry.Set(at, struct{}{})
	}
}

func (t *tree) delete(key string) {
	before, there := t.entries.Delete(key)
	t.forget(key, before, there)
}

func (t *tree) forget(key string, raw []byte, there bool) {
	if !there {
		return
	}
	t.bytes -= int64(len(key)+len(raw)) + perEntry
	if at := due(key, raw); at != "" {
		t.expiry.Delete(at)
	}
}

// NewMemory makes an empty store.
func NewMemory(c clock.Clock) *Memory {
	s := &Memory{clock: c}
	s.tree.Store(&tree{})
	return s
}

// Limit bounds the bytes in use: what would add to more is refused.
func (s *Memory) Limit(bytes int64) { s.most = bytes }

// Clone makes a store on another clock that begins with what this one holds.
func (s *Memory) Clone(c clock.Clock) *Memory {
	s.commit.Lock()
	defer s.commit.Unlock()
	out := &Memory{clock: c}
	out.tree.Store(s.tree.Load().copy())
	return out
}

// View runs fn on a consistent snapshot.
func (s *Memory) View(_ context.Context, fn func(Tx) error) error {
	if err := s.nesting.refuse(); err != nil {
		return err
	}
	return fn(&overlay{source: s.tree.Load(), now: s.clock.Now()})
}

// Update runs one transaction after the other.
func (s *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.nesting.refuse(); err != nil {
		return err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	before := s.tree.Load()
	o := &overlay{source: before, now: s.clock.Now(), writes: map[string]*write{}}
	if err := s.run(fn, o); err != nil {
		return err
	}
	if s.most > 0 && before.bytes >= s.most && o.adds() {
		return storeFull(before.bytes, s.most)
	}
	s.tree.Store(before.with(o))
	s.notify(o.order)
	return nil
}

func (s *Memory) run(fn func(Tx) error, tx Tx) error {
	defer s.nesting.enter()()
	return call(fn, tx)
}

// with is the content after a transaction's writes.
func (t *tree) with(o *overlay) *tree {
	after := t.copy()
	for _, key := range o.order {
		if v := o.writes[key].value; v != nil {
			after.set(key, v)
		} else {
			after.delete(key)
		}
	}
	return after
}

func storeFull(used, most int64) error {
	return problem.New(problem.TooLarge, "store-full", "the store is as large as it may be").
		Got(fmt.Sprintf("%d MiB in use", used>>20)).Want(fmt.Sprintf("at most %d MiB", most>>20)).
		Do("delete people or orders, or raise the setting max-store")
}

// sweepMost is how many entries one Sweep removes: others write in between.
const sweepMost = 5000

// Sweep removes expired entries.
func (s *Memory) Sweep(context.Context) (n int, err error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	now, after := string(expiryBytes(s.clock.Now())), s.tree.Load()
	var gone []string
	after.expiry.Scan(func(at string, _ struct{}) bool {
		if at[:8] > now || len(gone) == sweepMost {
			return false
		}
		gone = append(gone, at[8:])
		return true
	})
	if len(gone) == 0 {
		return 0, nil
	}
	after = after.copy()
	for _, key := range gone {
		after.delete(key)
	}
	s.tree.Store(after)
	return len(gone), nil
}

// Replace builds the new content beside the one that serves.
func (s *Memory) Replace(_ context.Context, r Replacement) (string, error) {
	if !s.replacing.TryLock() {
		return "", ErrReplacing
	}
	defer s.replacing.Unlock()
	fresh := &tree{}
	err := r.Fill(func(e Entry) error {
		raw, err := r.raw(e)
		if err == nil {
			fresh.set(e.Key, raw)
		}
		if err == nil && s.most > 0 && fresh.bytes > s.most {
			err = storeFull(fresh.bytes, s.most)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	former, err := s.swap(fresh, r.Last)
	if err != nil {
		return "", err
	}
	s.notifyAll()
	if err := r.then(); err != nil {
		s.commit.Lock()
		s.tree.Store(former)
		s.commit.Unlock()
		s.notifyAll()
		return "", putBack(err)
	}
	return "", nil
}

// swap lets the fresh content serve, and returns the former.
func (s *Memory) swap(fresh *tree, last func(was, now Tx) error) (*tree, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	former := s.tree.Load()
	if last != nil {
		now := s.clock.Now()
		o := &overlay{source: fresh, now: now, writes: map[string]*write{}}
		if err := last(&overlay{source: former, now: now}, o); err != nil {
			return nil, err
		}
		fresh = fresh.with(o)
	}
	s.tree.Store(fresh)
	return former, nil
}

// Used is how many bytes are in use.
func (s *Memory) Used() int64 { return s.tree.Load().bytes }

// Figures of this moment.
func (s *Memory) Figures() Figures { return Figures{Used: s.Used()} }

// Close forgets everything.
func (s *Memory) Close() error {
	s.tree.Store(&tree{})
	return nil
}
