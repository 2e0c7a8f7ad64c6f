package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"pscemu/clock"
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

// take changes what is used; what would add to more than may be is refused.
func (b *Budget) take(bytes int64) error {
	used := b.used.Add(bytes)
	if bytes > 0 && b.most > 0 && used > b.most {
		b.used.Add(-bytes)
		return fullProblem(used-bytes, b.most)
	}
	return nil
}

// tree is the content at one moment.
type tree struct {
	data   btree.Map[string, []byte]
	expiry btree.Map[string, struct{}] // by dueKey
	bytes  int64
}

// entryCost is what an entry takes beside its key and value, in bytes: headers,
// its place in the tree, and what allocation rounds up.
const entryCost = 96

func cost(key string, raw []byte) int64 {
	n := int64(len(key)+len(raw)) + entryCost
	if expiryOf(raw) != 0 {
		n += int64(len(key)) + entryCost/2
	}
	return n
}

func (t *tree) get(key string) []byte { v, _ := t.data.Get(key); return v }

func (t *tree) ascend(from string, fn func(string, []byte) bool) { t.data.Ascend(from, fn) }

func (t *tree) copy() *tree {
	return &tree{*t.data.Copy(), *t.expiry.Copy(), t.bytes}
}

// set puts an entry, or deletes it when raw is nil.
func (t *tree) set(key string, raw []byte) {
	var former []byte
	if raw == nil {
		former, _ = t.data.Delete(key)
	} else {
		former, _ = t.data.Set(key, raw)
	}
	if former != nil {
		t.bytes -= cost(key, former)
		if expiryOf(former) != 0 {
			t.expiry.Delete(string(dueKey(key, former)))
		}
	}
	if raw == nil {
		return
	}
	t.bytes += cost(key, raw)
	if expiryOf(raw) != 0 {
		t.expiry.Set(string(dueKey(key, raw)), struct{}{})
	}
}

func (t *tree) apply(c *changes) {
	c.writes.Scan(func(key string, raw []byte) bool {
		t.set(key, raw)
		return true
	})
}

// NewMemory makes an empty store.
func NewMemory(c clock.Clock, with ...Option) *Memory {
	s := &Memory{clock: c, budget: newSetup(with).share()}
	s.tree.Store(&tree{})
	return s
}

// Clone makes a store on another clock that begins with what this one holds.
func (s *Memory) Clone(c clock.Clock, with ...Option) *Memory {
	s.commit.Lock()
	defer s.commit.Unlock()
	out := &Memory{clock: c, budget: newSetup(with).share()}
	copied := s.tree.Load().copy()
	out.budget.used.Add(copied.bytes)
	out.tree.Store(copied)
	return out
}

// View runs fn on a consistent snapshot.
func (s *Memory) View(_ context.Context, fn func(Tx) error) error {
	if err := outermost("View"); err != nil {
		return err
	}
	now := s.tree.Load()
	if now == nil {
		return errClosed
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
	now := s.tree.Load()
	if now == nil {
		return nil, errClosed
	}
	s.updates.Add(1)
	after, keys, err := s.run(now, fn)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	if err := s.budget.take(after.bytes - now.bytes); err != nil {
		return nil, err
	}
	s.commits.Add(1)
	s.tree.Store(after)
	return keys, nil
}

// run makes the tree that a transaction leaves.
func (s *Memory) run(now *tree, fn func(Tx) error) (*tree, []string, error) {
	o := writer(now, s.clock.Now())
	if err := call(fn, o); err != nil {
		return nil, nil, err
	}
	if o.writes.Len() == 0 {
		return now, nil, nil
	}
	after := now.copy()
	after.apply(o.changes)
	return after, o.keys(), nil
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

func (s *Memory) build(ctx context.Context, fill func(func(Entry) error) error) (*treeUpdater, error) {
	u := &treeUpdater{s, &tree{}}
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

// treeUpdater writes a tree that is not in use yet.
type treeUpdater struct {
	s *Memory
	*tree
}

func (u *treeUpdater) Update(_ context.Context, fn func(Tx) error) error {
	after, _, err := u.s.run(u.tree, fn)
	if err == nil {
		u.tree = after
	}
	return err
}

// swapIn lets a content serve, and returns the one before. This is what others
// wait for.
func (s *Memory) swapIn(next *treeUpdater, last func(was, now Tx) error) (former *tree, err error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	former = s.tree.Load()
	if former == nil {
		return nil, errClosed
	}
	if last != nil {
		was := reader(former, s.clock.Now())
		if err := next.Update(context.Background(), func(now Tx) error { return last(was, now) }); err != nil {
			return nil, err
		}
	}
	if err := s.budget.take(next.bytes - former.bytes); err != nil {
		return nil, err
	}
	s.tree.Store(next.tree)
	return former, nil
}

// swapBack lets the former content serve again.
func (s *Memory) swapBack(former *tree) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	failed := s.tree.Load()
	if failed == nil {
		return errClosed
	}
	s.budget.used.Add(former.bytes - failed.bytes) // it was there before
	s.tree.Store(former)
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
		return 0, errClosed
	}
	due := now.due(nanos(s.clock.Now()))
	if len(due) == 0 {
		return 0, nil
	}
	after := now.copy()
	for _, key := range due {
		after.set(key, nil)
	}
	_ = s.budget.take(after.bytes - now.bytes) // less
	s.tree.Store(after)
	return len(due), nil
}

// due are keys of expired entries, those first that expired first.
func (t *tree) due(at int64) (keys []string) {
	t.expiry.Scan(func(due string, _ struct{}) bool {
		if len(keys) >= sweepMost || !expired([]byte(due[:expiryLen]), at) {
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
