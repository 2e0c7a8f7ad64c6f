package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// Backup writes the file as of now; readers and writers go on meanwhile.
func (s *Bolt) Backup(w io.Writer) error {
	file, release := s.use()
	defer release()
	return file.db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// Restore checks the copy as a whole before anything is touched.
func (s *Bolt) Restore(r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+suffixNew+"*")
	if err != nil {
		return unwritableBackup(err)
	}
	copied := f.Name()
	defer os.Remove(copied)
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return unwritableBackup(err)
	}
	if err := check(copied); err != nil {
		return problem.New(problem.Invalid, "backup-unreadable", "this is no good backup; nothing was changed").Got(err.Error()).Want("what pscemu backup wrote")
	}
	_, err = s.Replace(context.Background(), Replacement{Keep: true, Fill: func(put func(Entry) error) error { return eachOf(copied, put) }})
	return err
}

func unwritableBackup(err error) error {
	return problem.New(problem.Internal, "backup-unwritable", "the backup cannot be written beside the data file; nothing was changed").Got(err.Error()).Do("make room on the disk and try again")
}

// eachOf calls fn for each entry of a data file.
func eachOf(path string, fn func(Entry) error) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(dataBucket).ForEach(func(k, v []byte) error {
			e := Entry{Key: string(k), Value: v[8:]}
			if at := int64(binary.BigEndian.Uint64(v)); at != 0 {
				e.Expires = time.Unix(0, at)
			}
			return fn(e)
		})
	})
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
