package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pscemu/clock"
	"pscemu/problem"
)

const schemaVersion = "1"

var (
	dataBucket   = []byte("data")   // key → 8 bytes expiry (Unix ns, 0 = never) + value
	expiryBucket = []byte("expiry") // 8 bytes expiry + key → nothing
	metaBucket   = []byte("meta")
)

// Bolt keeps a Store in one bbolt file. Writes that arrive while another is
// being synced to disk are committed together, each still all or nothing.
type Bolt struct {
	path             string
	current          sync.RWMutex // file
	file             *file        // nil when the store is closed
	writing          sync.Mutex   // one writes, or exchanges the file
	replacing        sync.Mutex   // one prepares another file
	clock            clock.Clock
	commits, updates atomic.Uint64
	most             int64 // bytes that may be in use, 0 for any
	jobs             chan *job
	stop             chan struct{}
	done             chan struct{}
	once             sync.Once

	watchers
}

type job struct {
	fn     func(Tx) error
	err    error
	result chan error
	keys   []string
}

// Option is one of OpenBolt and NewMemory.
type Option func(*setup)

// setup is what a backend is opened with.
type setup struct {
	most int64
}

// Limit bounds the bytes in use: what would add to more is refused.
func Limit(bytes int64) Option { return func(s *setup) { s.most = bytes } }

// OpenBolt opens or makes the file, which no other process may hold open.
func OpenBolt(path string, c clock.Clock, with ...Option) (*Bolt, error) {
	var set setup
	for _, o := range with {
		o(&set)
	}
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Bolt{path: path, most: set.most, file: newFile(db), clock: c, jobs: make(chan *job), stop: make(chan struct{}), done: make(chan struct{})}
	s.forgetTemporary()
	go s.write()
	return s, nil
}

// View runs fn on a consistent snapshot.
func (s *Bolt) View(_ context.Context, fn func(Tx) error) error {
	return s.view(func(_ *file, tx *bbolt.Tx) error { return fn(s.reader(tx)) })
}

func (s *Bolt) reader(tx *bbolt.Tx) *overlay {
	return &overlay{source: boltSource{tx.Bucket(dataBucket)}, now: s.clock.Now()}
}

func (s *Bolt) writer(data *bbolt.Bucket) *overlay {
	return &overlay{source: boltSource{data}, now: s.clock.Now(), writes: map[string]*write{}}
}

// Update queues fn for the next commit and waits until it is on disk.
func (s *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	j := &job{fn: fn, result: make(chan error, 1)}
	select {
	case s.jobs <- j:
		return <-j.result
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stop:
		return bolterrors.ErrDatabaseNotOpen
	}
}

// A write is committed at once, unless several were committed together just
// before: then there is load, and it waits a little for company. Each commit
// saved is two syncs less. Who writes alone, one after the other, never waits.
const (
	maxGroup  = 256
	closeUpon = 4 * time.Millisecond
	company   = 3 * time.Millisecond
)

// write is the only writer.
func (s *Bolt) write() {
	defer close(s.done)
	var last time.Time // end of the last commit of several, zero when it was of one
	for {
		select {
		case first := <-s.jobs:
			if time.Since(last) < closeUpon {
				time.Sleep(company)
			}
			group := s.gather(first)
			s.commit(group)
			last = time.Time{}
			if len(group) > 1 {
				last = time.Now()
			}
		case <-s.stop:
			return
		}
	}
}

// gather takes what waits beside the first.
func (s *Bolt) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case j := <-s.jobs:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

func (s *Bolt) commit(group []*job) {
	s.writing.Lock()
	defer s.writing.Unlock()
	db := s.file.DB // nobody else changes it while this one writes
	err := db.Update(func(tx *bbolt.Tx) error {
		wrote, data, full := false, tx.Bucket(dataBucket), s.full(db, tx)
		for _, j := range group {
			o := s.writer(data)
			if j.err = call(j.fn, o); j.err != nil {
				continue
			}
			if full != nil && o.adds() {
				j.err = full
				continue
			}
			if err := o.apply(data, tx.Bucket(expiryBucket)); err != nil {
				return err
			}
			j.keys = o.order
			wrote = wrote || len(o.order) > 0
		}
		if !wrote {
			return errNothing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if err != nil {
		err = unwritable(err)
	}
	s.commits.Add(1)
	s.updates.Add(uint64(len(group)))
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
		if j.err == nil {
			s.notify(j.keys)
		}
		j.result <- j.err
	}
}

// full is the refusal of what would add to a store that is full, nil while there
// is room. The figures are those of before the commit.
func (s *Bolt) full(db *bbolt.DB, tx *bbolt.Tx) error {
	if s.most == 0 {
		return nil
	}
	used := usedOf(db, tx)
	if used < s.most {
		return nil
	}
	return fullProblem(used, s.most)
}

func fullProblem(used, most int64) error {
	return problem.New(problem.TooLarge, "store-full", "the data file is as large as it may be").Got(fmt.Sprintf("%d MiB in use", used>>20)).Want(fmt.Sprintf("at most %d MiB", most>>20)).Do("delete people or orders, or raise the setting max-store")
}

// adds tells whether the transaction does more than delete.
func (t *overlay) adds() bool {
	for _, w := range t.writes {
		if w.value != nil {
			return true
		}
	}
	return false
}

// usedOf is how many bytes of a file are in use.
func usedOf(db *bbolt.DB, tx *bbolt.Tx) int64 {
	stats := db.Stats()
	return tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(db.Info().PageSize)
}

// Figures are how large the file is and what was done to it.
type Figures struct {
	Used, File       int64  // bytes
	Commits, Updates uint64 // since the start: updates share commits
}

// Figures of this moment.
func (s *Bolt) Figures() (f Figures) {
	_ = s.view(func(in *file, tx *bbolt.Tx) error {
		f = Figures{Used: usedOf(in.DB, tx), File: tx.Size(), Commits: s.commits.Load(), Updates: s.updates.Load()}
		return nil
	})
	return f
}

var errNothing = errors.New("nothing written")

// Sweep removes at most some thousand expired entries in one commit.
func (s *Bolt) Sweep(context.Context) (n int, err error) {
	now := expiryBytes(s.clock.Now())
	due := func(c *bbolt.Cursor) []byte {
		if k, _ := c.First(); k != nil && bytes.Compare(k[:8], now) <= 0 {
			return k
		}
		return nil
	}
	idle := false
	err = s.view(func(_ *file, tx *bbolt.Tx) error {
		idle = due(tx.Bucket(expiryBucket).Cursor()) == nil
		return nil
	})
	if err != nil || idle {
		return 0, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.file == nil {
		return 0, bolterrors.ErrDatabaseNotOpen
	}
	err = s.file.Update(func(tx *bbolt.Tx) error {
		data, expiry := tx.Bucket(dataBucket), tx.Bucket(expiryBucket)
		c := expiry.Cursor()
		for k := due(c); k != nil && n < 5000; k = due(c) {
			k = bytes.Clone(k)
			if v := data.Get(k[8:]); v != nil && bytes.Equal(v[:8], k[:8]) {
				if err := data.Delete(k[8:]); err != nil {
					return err
				}
				n++
			}
			if err := expiry.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// Close waits for the commit and the readers under way.
func (s *Bolt) Close() error {
	s.once.Do(func() { close(s.stop) })
	<-s.done
	s.writing.Lock()
	defer s.writing.Unlock()
	former := s.change(nil)
	if former == nil {
		return nil
	}
	<-former.closed
	return former.err
}

// boltSource reads what is committed.
type boltSource struct{ *bbolt.Bucket }

func (b boltSource) get(key string) []byte { return b.Get([]byte(key)) }

func (b boltSource) ascend(from string, fn func(string, []byte) bool) {
	c := b.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil && fn(string(k), v); k, v = c.Next() {
	}
}

// apply writes a transaction's changes.
func (t *overlay) apply(data, expiry *bbolt.Bucket) error {
	for _, key := range t.order {
		w, k := t.writes[key], []byte(key)
		if w.value == nil {
			if err := data.Delete(k); err != nil {
				return err
			}
			continue
		}
		if err := data.Put(k, w.value); err != nil {
			return err
		}
		if w.expires != 0 {
			if err := expiry.Put(append(bytes.Clone(w.value[:8]), k...), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func expiryBytes(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano()))
}
