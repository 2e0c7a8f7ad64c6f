package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"pscemu.invalid/pscemu/internal/clock"
)

// Memory keeps a Store in memory: it ends with the process. Every commit makes
// a new tree that shares what it did not change, so that reading needs no lock
// and a copy costs nothing.
type Memory struct {
	clock            clock.Clock
	budget           *Budget
	commit           sync.Mutex
	replacing        sync.Mutex           // one prepares another content
	tree             atomic.Pointer[tree] // nil when the store is closed
	due              *order               // of tree; under commit
	commits, updates atomic.Uint64
	watchers
}

// Budget bounds what the stores that share it hold together.
type Budget struct {
	most int64
	used atomic.Int64
}

// NewBudget makes a budget of so many bytes, 0 for any.
func NewBudget(bytes int64) *Budget { return &Budget{most: bytes} }

// take changes what is used; what would add to more than may be is refused,
// unless it must be.
func (b *Budget) take(bytes int64, must bool) error {
	used := b.used.Add(bytes)
	if bytes > 0 && b.most > 0 && used > b.most && !must {
		b.used.Add(-bytes)
		return fullProblem(used-bytes, b.most)
	}
	return nil
}

// tree is the content at one moment.
type tree struct {
	data  btree.Map[string, []byte]
	bytes int64
}

// entryCost is what an entry takes beside its key and value, in bytes: headers,
// its place in the tree, and what allocation rounds up.
const entryCost = 96

func cost(key string, raw []byte) int64 {
	if raw == nil {
		return 0
	}
	n := int64(len(key)+len(raw)) + entryCost
	if expiryOf(raw) != 0 {
		n += int64(len(key)) + entryCost/2
	}
	return n
}

func (t *tree) get(key string) []byte { v, _ := t.data.Get(key); return v }

func (t *tree) ascend(from string, fn func(string, []byte) bool) { t.data.Ascend(from, fn) }

func (t *tree) copy() *tree { return &tree{*t.data.Copy(), t.bytes} }

// set puts an entry, or deletes it when raw is nil.
func (t *tree) set(key string, raw []byte) (former []byte) {
	if raw == nil {
		former, _ = t.data.Delete(key)
	} else {
		former, _ = t.data.Set(key, raw)
	}
	t.bytes += cost(key, raw) - cost(key, former)
	return former
}

// order has the keys of the entries of a tree that expire, those first that do
// so first. Readers do not use it, so it is not kept for them: it is of the
// newest tree alone.
type order struct{ btree.Map[string, struct{}] } // by dueKey

// move follows an entry from one value to another; nil is none.
func (o *order) move(key string, from, to []byte) {
	if from != nil && expiryOf(from) != 0 {
		o.Delete(dueKey(key, from))
	}
	if to != nil && expiryOf(to) != 0 {
		o.Set(dueKey(key, to), struct{}{})
	}
}

// content is a tree with its order, which one goroutine writes.
type content struct {
	*tree
	due *order
}

func newContent() content { return content{&tree{}, &order{}} }

func (c *content) set(key string, raw []byte) { c.due.move(key, c.tree.set(key, raw), raw) }

// apply makes the tree that a transaction leaves. The order is changed in place:
// revert takes that back.
func (c *content) apply(w *changes) (after *tree) {
	next := content{c.tree.copy(), c.due}
	w.writes.Scan(func(key string, raw []byte) bool {
		next.set(key, raw)
		return true
	})
	return next.tree
}

func (c *content) revert(w *changes) {
	w.writes.Scan(func(key string, raw []byte) bool {
		c.due.move(key, raw, c.tree.get(key))
		return true
	})
}

// NewMemory makes an empty store.
func NewMemory(c clock.Clock, with ...Option) *Memory {
	return newMemory(c, newContent(), with)
}

func newMemory(c clock.Clock, begin content, with []Option) *Memory {
	s := &Memory{clock: c, budget: newSetup(with).share(), due: begin.due}
	s.budget.used.Add(begin.bytes)
	s.tree.Store(begin.tree)
	return s
}

// Clone makes a store on another clock that begins with what this one holds.
func (s *Memory) Clone(c clock.Clock, with ...Option) *Memory {
	s.commit.Lock()
	defer s.commit.Unlock()
	return newMemory(c, content{s.tree.Load().copy(), &order{*s.due.Copy()}}, with)
}

// View runs fn on a consistent snapshot.
func (s *Memory) View(_ context.Context, fn func(Tx) error) error {
	if err := outermost("View"); err != nil {
		return err
	}
	now := s.tree.Load()
	if now == nil {
		return ErrClosed
	}
	return look(fn, reader(now, s.clock.Now()))
}

// Update runs one transaction after the other.
func (s *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	if err := outermost("Update"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	keys, err := s.update(fn)
	if err != nil {
		return rethrow(err)
	}
	s.notify(keys)
	return nil
}

func (s *Memory) update(fn func(Tx) error) ([]string, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	now := content{s.tree.Load(), s.due}
	if now.tree == nil {
		return nil, ErrClosed
	}
	s.updates.Add(1)
	o := writer(now.tree, s.clock.Now())
	if err := call(fn, o); err != nil || o.writes.Len() == 0 {
		return nil, err
	}
	after := now.apply(o.changes)
	if err := s.budget.take(after.bytes-now.bytes, o.free); err != nil {
		now.revert(o.changes)
		return nil, err
	}
	s.commits.Add(1)
	s.tree.Store(after)
	return o.keys(), nil
}

// Replace builds the new content beside the one that serves.
func (s *Memory) Replace(ctx context.Context, r Replacement) (kept string, err error) {
	if err := outermost("Replace"); err != nil {
		return "", err
	}
	if !s.replacing.TryLock() {
		return "", ErrReplacing
	}
	defer s.replacing.Unlock()
	next, err := s.build(ctx, r.Fill)
	if err != nil {
		return "", err
	}
	former, err := s.swapIn(next, r.Last)
	if err != nil {
		return "", err
	}
	s.notifyAll()
	if err := r.then(); err != nil {
		back := s.swapBack(former)
		s.notifyAll()
		return "", errors.Join(putBack(err), back)
	}
	return "", nil
}

func (s *Memory) build(ctx context.Context, fill func(func(Entry) error) error) (*contentUpdater, error) {
	u := &contentUpdater{s, newContent()}
	err := fill(func(e Entry) error {
		if err := errors.Join(ctx.Err(), stored(e)); err != nil {
			return err
		}
		u.set(e.Key, encode(e.Value, e.Expires))
		if most := s.budget.most; most > 0 && u.bytes > most {
			return fullProblem(u.bytes, most)
		}
		return nil
	})
	if err == nil {
		err = recoverIn(ctx, u, false)
	}
	return u, errors.Join(err, ctx.Err())
}

// contentUpdater writes a content that does not serve yet.
type contentUpdater struct {
	s *Memory
	content
}

func (u *contentUpdater) Update(_ context.Context, fn func(Tx) error) error {
	o := writer(u.tree, u.s.clock.Now())
	err := call(fn, o)
	if err == nil {
		u.tree = u.apply(o.changes)
	}
	return err
}

// swapIn lets a content serve, and returns the one before. This is what others
// wait for.
func (s *Memory) swapIn(next *contentUpdater, last func(was, now Tx) error) (former content, err error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	former = content{s.tree.Load(), s.due}
	if former.tree == nil {
		return former, ErrClosed
	}
	if last != nil {
		was := reader(former.tree, s.clock.Now())
		if err := next.Update(context.Background(), func(now Tx) error { return last(was, now) }); err != nil {
			return former, err
		}
	}
	if err := s.budget.take(next.bytes-former.bytes, false); err != nil {
		return former, err
	}
	s.tree.Store(next.tree)
	s.due = next.due
	return former, nil
}

// swapBack lets the former content serve again.
func (s *Memory) swapBack(former content) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	failed := s.tree.Load()
	if failed == nil {
		return ErrClosed
	}
	_ = s.budget.take(former.bytes-failed.bytes, true) // it was there before
	s.tree.Store(former.tree)
	s.due = former.due
	return nil
}

// Sweep removes at most some thousand expired entries.
func (s *Memory) Sweep(context.Context) (n int, err error) {
	if err := outermost("Sweep"); err != nil {
		return 0, err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	now := s.tree.Load()
	if now == nil {
		return 0, ErrClosed
	}
	due := s.due.expired(nanos(s.clock.Now()))
	if len(due) == 0 {
		return 0, nil
	}
	after := content{now.copy(), s.due}
	for _, key := range due {
		after.set(key, nil)
	}
	_ = s.budget.take(after.bytes-now.bytes, true)
	s.tree.Store(after.tree)
	return len(due), nil
}

// expired are the keys of entries whose time has passed, those of one sweep.
func (o *order) expired(at int64) (keys []string) {
	o.Scan(func(due string, _ struct{}) bool {
		if len(keys) >= sweepMost || !expired(due, at) {
			return false
		}
		keys = append(keys, due[expiryLen:])
		return true
	})
	return keys
}

// Figures of this moment.
func (s *Memory) Figures() (f Figures) {
	if now := s.tree.Load(); now != nil {
		f.Used, f.File = now.bytes, 0
	}
	f.Commits, f.Updates = s.commits.Load(), s.updates.Load()
	return f
}

// Close forgets everything.
func (s *Memory) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if former := s.tree.Swap(nil); former != nil {
		s.budget.used.Add(-former.bytes)
	}
	return nil
}
