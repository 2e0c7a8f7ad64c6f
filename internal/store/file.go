package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pscemu.invalid/pscemu/internal/problem"
)

// file is an open data file. It is closed when its last user leaves: a reader
// that is slow goes on with the file it began with, and nobody waits for it
// when another file takes its place.
type file struct {
	*bbolt.DB
	users  atomic.Int64 // the store that serves it is one
	closed chan struct{}
	err    error // of closing
}

func newFile(db *bbolt.DB) *file {
	f := &file{DB: db, closed: make(chan struct{})}
	f.users.Store(1)
	return f
}

func (f *file) leave() {
	if f.users.Add(-1) == 0 {
		f.err = f.DB.Close()
		close(f.closed)
	}
}

// enter takes the file in use; who got it must leave it. nil when the store is
// closed.
func (s *Bolt) enter() *file {
	s.current.RLock()
	defer s.current.RUnlock()
	if s.file != nil {
		s.file.users.Add(1)
	}
	return s.file
}

// change lets another file serve, or none; the one before is the caller's, who
// must leave it.
func (s *Bolt) change(to *file) (former *file) {
	s.current.Lock()
	defer s.current.Unlock()
	former, s.file = s.file, to
	return former
}

// view reads the file in use.
func (s *Bolt) view(fn func(*file, *bbolt.Tx) error) error {
	f := s.enter()
	if f == nil {
		return ErrClosed
	}
	defer f.leave()
	return f.View(func(tx *bbolt.Tx) error { return fn(f, tx) })
}

// Address space is cheap where it need not be backed by anything. What is
// mapped at once need never be mapped anew, for which bbolt would wait until
// the slowest reader is done, and everybody else behind it.
const (
	mapped    = 64 << 30
	allocated = 1 << 20 // bytes that a file grows by
)

func boltOptions() *bbolt.Options {
	o := &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType}
	if strconv.IntSize == 64 && runtime.GOOS != "windows" {
		space := int64(mapped)
		o.InitialMmapSize = int(space)
	}
	return o
}

// openFile opens or makes a data file, and ends what an earlier run left of
// others beside it. One that is free for the most part is compacted.
func openFile(path string) (*bbolt.DB, error) {
	bringBack(path)
	db, err := openWhole(path)
	if err == nil {
		tidy(path)
		db, err = compacted(path, db)
	}
	if err != nil {
		return nil, openProblem(path, err)
	}
	return db, nil
}

func openWhole(path string) (db *bbolt.DB, err error) {
	defer outOfMap(&err)()
	if db, err = openBolt(path, boltOptions()); err != nil {
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

// openBolt opens the file, and maps no more than it needs where the address
// space is bounded. Who waited for a file that was replaced meanwhile is
// refused: nobody else would ever see what is written to it.
func openBolt(path string, o *bbolt.Options) (*bbolt.DB, error) {
	var opened *os.File
	o.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		f, err = os.OpenFile(name, flag, mode)
		opened = f
		return f, err
	}
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil && o.InitialMmapSize != 0 && !errors.Is(err, bolterrors.ErrTimeout) {
		o.InitialMmapSize = 0
		db, err = bbolt.Open(path, 0o600, o)
	}
	if err != nil {
		return nil, err
	}
	db.AllocSize = allocated
	if err := stillThere(path, opened); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func stillThere(path string, opened *os.File) error {
	there, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info, err := opened.Stat(); err != nil || !os.SameFile(there, info) {
		return errors.Join(errors.New("the file was replaced while it was opened"), bolterrors.ErrTimeout, err)
	}
	return nil
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
	meta, version := tx.Bucket(metaBucket), []byte(schemaVersion)
	if found := meta.Get([]byte("schema")); found != nil && !bytes.Equal(found, version) {
		return fmt.Errorf("schema version %s, this program knows %s", found, schemaVersion)
	}
	return meta.Put([]byte("schema"), version)
}

func openProblem(path string, err error) error {
	p, got := problem.StoreUnusable, path+": "+err.Error()
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return p.Case("held").Got(got)
	case errors.Is(err, os.ErrPermission):
		return p.Case("permission").Got(got)
	}
	return p.Got(got)
}

// sound looks at every page.
func sound(tx *bbolt.Tx) error {
	for _, name := range [][]byte{dataBucket, expiryBucket, metaBucket} {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("it holds no %s", name)
		}
	}
	if found := tx.Bucket(metaBucket).Get([]byte("schema")); string(found) != schemaVersion {
		return fmt.Errorf("schema version %q, this program knows %s", found, schemaVersion)
	}
	var first error
	for err := range tx.Check() {
		if first == nil {
			first = err
		}
	}
	return first
}
