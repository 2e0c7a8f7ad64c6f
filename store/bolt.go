package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
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
	replacing        sync.Mutex // one content at a time takes the place of everything
	mu               sync.RWMutex
	db               *handle // under mu
	clock            clock.Clock
	commits, updates atomic.Uint64
	most             int64 // bytes that may be in use, 0 for any
	jobs             chan *job
	alone            chan func() // runs while nothing else is written
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

// OpenBolt opens or makes the file, which no other process may hold open.
func OpenBolt(path string, c clock.Clock) (*Bolt, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	clearLeft(path)
	s := &Bolt{path: path, db: newHandle(db), clock: c, jobs: make(chan *job), alone: make(chan func()), stop: make(chan struct{}), done: make(chan struct{})}
	go s.write()
	return s, nil
}

// Limit bounds the bytes in use: what would add to more is refused.
func (s *Bolt) Limit(bytes int64) { s.most = bytes }

func openFile(path string) (*bbolt.DB, error) {
	db, err := openWhole(path)
	if err != nil {
		return nil, openProblem(path, err)
	}
	return db, nil
}

func openWhole(path string) (db *bbolt.DB, err error) {
	defer outOfMap(&err)()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	if err = whole(db); err == nil {
		err = db.Update(prepare)
	}
	if err != nil {
		_ = db.Close()
	}
	return db, err
}

func prepare(tx *bbolt.Tx) error {
	if first, _ := tx.Cursor().First(); first != nil && tx.Bucket(metaBucket) == nil {
		return fmt.Errorf("another program's bbolt file: it holds %q", first)
	}
	for _, name := range [][]byte{dataBucket, expiryBucket, metaBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	if found := meta.Get([]byte("schema")); found != nil && string(found) != schemaVersion {
		return fmt.Errorf("schema version %s, this program knows %s", found, schemaVersion)
	}
	return meta.Put([]byte("schema"), []byte(schemaVersion))
}

func openProblem(path string, err error) error {
	p := problem.New(problem.Internal, "store-unusable", "the data file cannot be used, it was left untouched").Got(path + ": " + err.Error())
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return p.Want("a file that no other pscemu holds open").Do("stop the other process or choose another --data folder")
	case errors.Is(err, os.ErrPermission):
		return p.Want("a file this user may read and write").Do("check the folder's owner or choose another --data folder")
	}
	return p.Want("a pscemu data file").Do("move it away or choose another --data folder")
}

// View runs fn on a consistent snapshot.
func (s *Bolt) View(_ context.Context, fn func(Tx) error) error {
	db := s.hold()
	defer db.release()
	return db.View(func(tx *bbolt.Tx) error {
		return fn(&overlay{source: boltSource{tx.Bucket(dataBucket)}, now: s.clock.Now()})
	})
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
		case fn := <-s.alone:
			fn()
		case <-s.stop:
			return
		}
	}
}

// exclusively runs fn while nothing is written.
func (s *Bolt) exclusively(fn func() error) error {
	result := make(chan error, 1)
	select {
	case s.alone <- func() { result <- fn() }:
		return <-result
	case <-s.stop:
		return bolterrors.ErrDatabaseNotOpen
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
	db := s.hold()
	defer db.release()
	err := db.Update(func(tx *bbolt.Tx) error {
		wrote, data, full := false, tx.Bucket(dataBucket), s.full(tx)
		for _, j := range group {
			o := &overlay{source: boltSource{data}, now: s.clock.Now(), writes: map[string]*write{}}
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
		err = problem.New(problem.Internal, "store-unwritable", "the data file cannot be written; nothing of this request was stored, all that was there before is").Got(err.Error()).Do("make room on the disk, or repair it, and try again")
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
func (s *Bolt) full(tx *bbolt.Tx) error {
	if s.most == 0 {
		return nil
	}
	used := used(tx)
	if used < s.most {
		return nil
	}
	return problem.New(problem.TooLarge, "store-full", "the data file is as large as it may be").Got(fmt.Sprintf("%d MiB in use", used>>20)).Want(fmt.Sprintf("at most %d MiB", s.most>>20)).Do("delete people or orders, or raise the setting max-store")
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

func used(tx *bbolt.Tx) int64 {
	stats := tx.DB().Stats()
	return tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(tx.DB().Info().PageSize)
}

// Figures are how large the file is and what was done to it.
type Figures struct {
	Used, File       int64  // bytes
	Commits, Updates uint64 // since the start: updates share commits
}

// Figures of this moment.
func (s *Bolt) Figures() (f Figures) {
	db := s.hold()
	defer db.release()
	_ = db.View(func(tx *bbolt.Tx) error {
		f = Figures{Used: used(tx), File: tx.Size(), Commits: s.commits.Load(), Updates: s.updates.Load()}
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
	db := s.hold()
	defer db.release()
	idle := false
	err = db.View(func(tx *bbolt.Tx) error {
		idle = due(tx.Bucket(expiryBucket).Cursor()) == nil
		return nil
	})
	if err != nil || idle {
		return 0, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
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

// Close waits for the commit under way.
func (s *Bolt) Close() error {
	s.once.Do(func() { close(s.stop) })
	<-s.done
	return s.hold().close()
}

// handle is an open data file and who uses it: one that another took the place
// of closes when the last has left.
type handle struct {
	*bbolt.DB
	users sync.WaitGroup
}

func newHandle(db *bbolt.DB) *handle { return &handle{DB: db} }

// hold finds the file that serves; who holds it releases it.
func (s *Bolt) hold() *handle {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.db.users.Add(1)
	return s.db
}

func (h *handle) release() { h.users.Done() }

// use lets another file serve, and returns the former one.
func (s *Bolt) use(next *handle) (was *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.db = s.db, next
	return was
}

// retire closes a file that serves no more once nobody uses it.
func (h *handle) retire() {
	go func() {
		h.users.Wait()
		_ = h.DB.Close()
	}()
}

func (h *handle) close() error {
	h.release()
	return h.DB.Close() // waits for readers
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
		if err := putRaw(data, expiry, k, w.value); err != nil {
			return err
		}
	}
	return nil
}

func expiryBytes(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano()))
}
