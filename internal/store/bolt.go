package store

import (
	"context"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pscemu.invalid/pscemu/internal/clock"
)

const schemaVersion = "1"

// ErrClosed is the answer of a store that was closed.
var ErrClosed = bolterrors.ErrDatabaseNotOpen

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

// OpenBolt opens or makes the file, which no other process may hold open. One that
// is free for the most part is compacted first.
func OpenBolt(path string, c clock.Clock, with ...Option) (*Bolt, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Bolt{path: path, most: newSetup(with).most, file: newFile(db), clock: c,
		jobs: make(chan *job), stop: make(chan struct{}), done: make(chan struct{})}
	go s.write(nil)
	return s, nil
}

// View runs fn on a consistent snapshot.
func (s *Bolt) View(_ context.Context, fn func(Tx) error) error {
	if err := outermost("View"); err != nil {
		return err
	}
	return s.view(func(_ *file, tx *bbolt.Tx) error { return look(fn, s.reader(tx)) })
}

func (s *Bolt) reader(tx *bbolt.Tx) *overlay {
	return reader(boltSource{tx.Bucket(dataBucket)}, s.clock.Now())
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

// usedOf is how many bytes of a file are in use.
func usedOf(db *bbolt.DB, tx *bbolt.Tx) int64 {
	return tx.Size() - free(db)
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
	former.leave()
	<-former.closed
	return former.err
}
