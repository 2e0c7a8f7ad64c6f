package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
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
// being synced to disk are committed together, each still all or nothing, and
// one that fails is alone in that.
type Bolt struct {
	path             string
	clock            clock.Clock
	commits, updates atomic.Uint64
	most             int64 // bytes that may be in use, 0 for any
	jobs             chan *job
	stop             chan struct{}
	done             chan struct{}
	once             sync.Once
	replacing        sync.Mutex

	serving sync.Mutex // of file
	file    *openFile

	watchers
	nesting
}

// openFile is a data file with those who read it: the last to leave closes one
// that no longer serves.
type openFile struct {
	db      *bbolt.DB
	users   int // under Bolt.serving
	retired bool
}

// use takes the file that serves until release is called.
func (s *Bolt) use() (f *openFile, release func()) {
	s.serving.Lock()
	defer s.serving.Unlock()
	f = s.file
	f.users++
	return f, func() { s.leave(f) }
}

func (s *Bolt) leave(f *openFile) {
	s.serving.Lock()
	f.users--
	last := f.retired && f.users == 0
	s.serving.Unlock()
	if last {
		_ = f.db.Close()
	}
}

// retire closes a file when its last reader has left.
func (s *Bolt) retire(f *openFile) {
	s.serving.Lock()
	f.retired = true
	idle := f.users == 0
	s.serving.Unlock()
	if idle {
		_ = f.db.Close()
	}
}

// job is one Update that waits for the writer.
type job struct {
	fn     func(Tx) error
	err    error
	result chan error
	keys   []string
	swap   func() error // instead of fn: runs between two commits
}

// OpenBolt opens or makes the file, which no other process may hold open. One
// that is free for the most part is compacted first.
func OpenBolt(path string, c clock.Clock) (*Bolt, error) {
	db, err := openData(path)
	if err != nil {
		return nil, err
	}
	s := &Bolt{path: path, file: &openFile{db: db}, clock: c, jobs: make(chan *job), stop: make(chan struct{}), done: make(chan struct{})}
	go s.write()
	return s, nil
}

// Limit bounds the bytes in use: what would add to more is refused.
func (s *Bolt) Limit(bytes int64) { s.most = bytes }

func openData(path string) (*bbolt.DB, error) {
	tidy(path)
	db, err := openWhole(path)
	if err == nil {
		db, err = compacted(path, db)
	}
	if err != nil {
		return nil, openProblem(path, err)
	}
	return db, nil
}

func openWhole(path string) (db *bbolt.DB, err error) {
	defer outOfMap(&err)()
	db, err = bbolt.Open(path, 0o600, boltOptions())
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

func boltOptions() *bbolt.Options {
	return &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType}
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
	if err := s.nesting.refuse(); err != nil {
		return err
	}
	f, release := s.use()
	defer release()
	return f.db.View(func(tx *bbolt.Tx) error {
		return fn(&overlay{source: boltSource{tx.Bucket(dataBucket)}, now: s.clock.Now()})
	})
}

// Update queues fn for the next commit and waits until it is on disk.
func (s *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	if err := s.nesting.refuse(); err != nil {
		return err
	}
	return s.queue(ctx, &job{fn: fn, result: make(chan error, 1)})
}

func (s *Bolt) queue(ctx context.Context, j *job) error {
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
			group, swap := s.gather(first)
			s.commit(group)
			if swap != nil {
				swap.result <- swap.swap()
			}
			last = time.Time{}
			if len(group) > 1 {
				last = time.Now()
			}
		case <-s.stop:
			return
		}
	}
}

// gather takes what waits beside the first, up to a swap.
func (s *Bolt) gather(first *job) (group []*job, swap *job) {
	for next := first; ; {
		if next.swap != nil {
			return group, next
		}
		if group = append(group, next); len(group) == maxGroup {
			return group, nil
		}
		select {
		case next = <-s.jobs:
		default:
			return group, nil
		}
	}
}

// commit runs a group of jobs and answers each. One that breaks the commit is
// left out, and the others are run again without it.
func (s *Bolt) commit(group []*job) {
	for left := group; len(left) > 0; {
		broke, err := s.attempt(left)
		if broke == nil {
			s.answer(left, err)
			break
		}
		broke.result <- broke.err
		left = slices.DeleteFunc(slices.Clone(left), func(j *job) bool { return j == broke })
	}
	s.commits.Add(1)
	s.updates.Add(uint64(len(group)))
}

// attempt runs the jobs in one transaction of the file. It returns the job
// that broke it, or the error of the commit itself.
func (s *Bolt) attempt(group []*job) (broke *job, err error) {
	err = s.file.db.Update(func(tx *bbolt.Tx) error {
		wrote, full := false, s.full(tx)
		for _, j := range group {
			o := &overlay{source: boltSource{tx.Bucket(dataBucket)}, now: s.clock.Now(), writes: map[string]*write{}}
			if j.err = s.run(j.fn, o); j.err == nil && full != nil && o.adds() {
				j.err = full
			}
			if j.err != nil {
				continue
			}
			if j.err = o.applied(tx); j.err != nil {
				broke = j
				return j.err
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
	return broke, err
}

// run runs a transaction function on the writer's goroutine.
func (s *Bolt) run(fn func(Tx) error, tx Tx) error {
	defer s.nesting.enter()()
	return call(fn, tx)
}

// applied writes a transaction's changes; a panic is a failure.
func (t *overlay) applied(tx *bbolt.Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store: %v", r)
		}
	}()
	return t.apply(tx.Bucket(dataBucket), tx.Bucket(expiryBucket))
}

// answer tells each job what became of it.
func (s *Bolt) answer(group []*job, err error) {
	if err != nil {
		err = problem.New(problem.Internal, "store-unwritable", "the data file cannot be written; nothing of this request was stored, all that was there before is").
			Got(err.Error()).Do("make room on the disk, or repair it, and try again")
	}
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
	used := s.used(tx)
	if used < s.most {
		return nil
	}
	return storeFull(used, s.most)
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

func (s *Bolt) used(tx *bbolt.Tx) int64 { return tx.Size() - free(tx.DB()) }

// free is how many bytes of a file are free to be written again.
func free(db *bbolt.DB) int64 {
	stats := db.Stats()
	return int64(stats.FreePageN+stats.PendingPageN) * int64(db.Info().PageSize)
}

// Figures are how large the file is and what was done to it.
type Figures struct {
	Used, File       int64  // bytes
	Commits, Updates uint64 // since the start: updates share commits
}

// Figures of this moment.
func (s *Bolt) Figures() (f Figures) {
	file, release := s.use()
	defer release()
	_ = file.db.View(func(tx *bbolt.Tx) error {
		f = Figures{Used: s.used(tx), File: tx.Size(), Commits: s.commits.Load(), Updates: s.updates.Load()}
		return nil
	})
	return f
}

var errNothing = errors.New("nothing written")

// Sweep removes at most some thousand expired entries in one commit.
func (s *Bolt) Sweep(ctx context.Context) (n int, err error) {
	now := expiryBytes(s.clock.Now())
	file, release := s.use()
	idle := false
	err = file.db.View(func(tx *bbolt.Tx) error {
		idle = dueKey(tx.Bucket(expiryBucket).Cursor(), now) == nil
		return nil
	})
	release()
	if err != nil || idle {
		return 0, err
	}
	err = s.between(ctx, func() error {
		return s.file.db.Update(func(tx *bbolt.Tx) (err error) {
			n, err = sweepOut(tx, now)
			return err
		})
	})
	return n, err
}

// between runs something that no commit runs beside.
func (s *Bolt) between(ctx context.Context, fn func() error) error {
	return s.queue(ctx, &job{swap: fn, result: make(chan error, 1)})
}

// dueKey is the first key of the expiry bucket whose time has passed.
func dueKey(c *bbolt.Cursor, now []byte) []byte {
	if k, _ := c.First(); k != nil && bytes.Compare(k[:8], now) <= 0 {
		return k
	}
	return nil
}

func sweepOut(tx *bbolt.Tx, now []byte) (n int, err error) {
	data, expiry := tx.Bucket(dataBucket), tx.Bucket(expiryBucket)
	c := expiry.Cursor()
	for k := dueKey(c, now); k != nil && n < sweepMost; k = dueKey(c, now) {
		k = bytes.Clone(k)
		if v := data.Get(k[8:]); v != nil && bytes.Equal(v[:8], k[:8]) {
			if err := data.Delete(k[8:]); err != nil {
				return n, err
			}
			n++
		}
		if err := expiry.Delete(k); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close waits for the commit under way.
func (s *Bolt) Close() error {
	s.once.Do(func() { close(s.stop) })
	<-s.done
	s.serving.Lock()
	defer s.serving.Unlock()
	if s.file.retired {
		return nil
	}
	s.file.retired = true
	return s.file.db.Close()
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
