package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"pscemu/problem"
)

// Backup is what a store that lies in a file can do while it is used.
type Backup interface {
	// Backup writes a copy of one moment.
	Backup(w io.Writer) error
	// Restore puts such a copy in the place of everything, or changes nothing.
	// What was there before is kept beside it.
	Restore(r io.Reader) error
}

// KeptBefore is what the file of before a restore is called.
const KeptBefore = ".before-restore"

// Backup writes the file as of now; readers and writers go on meanwhile.
func (s *Bolt) Backup(w io.Writer) error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	return s.db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// Restore checks the copy as a whole before anything is touched.
func (s *Bolt) Restore(r io.Reader) error {
	path := s.db.Path()
	fresh := path + ".restore"
	defer os.Remove(fresh)
	if err := write0600(fresh, r); err != nil {
		return problem.New(problem.Internal, "backup-unwritable", "the backup cannot be written beside the data file; nothing was changed").Got(err.Error()).Do("make room on the disk and try again")
	}
	if err := check(fresh); err != nil {
		return problem.New(problem.Invalid, "backup-unreadable", "this is no good backup; nothing was changed").Got(err.Error()).Want("what pscemu backup wrote")
	}
	s.swap.Lock()
	defer s.swap.Unlock()
	return s.replace(path, fresh)
}

// replace puts the fresh file in the place of the one in use, which goes on
// serving when that fails.
func (s *Bolt) replace(path, fresh string) error {
	if err := s.db.Close(); err != nil {
		return err
	}
	err := os.Rename(path, path+KeptBefore)
	if err == nil {
		if err = os.Rename(fresh, path); err != nil {
			err = errors.Join(err, os.Rename(path+KeptBefore, path))
		}
	}
	db, openErr := openFile(path)
	if openErr == nil {
		s.db = db
	}
	return errors.Join(err, openErr)
}

func write0600(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// check opens a file as a data file of this version and looks at every page.
func check(path string) (err error) {
	defer outOfMap(&err)()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := whole(db); err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
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
	})
}

// outOfMap makes an error of it when a torn file leads bbolt out of what is
// mapped of it, which would end the process otherwise.
func outOfMap(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			*err = fmt.Errorf("damaged: %v", r)
		}
	}
}

// whole tells a file that was cut off.
func whole(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("cut off: it has %d bytes of %d", info.Size(), tx.Size())
		}
		return err
	})
}
