package store

import (
	"errors"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"pscemu/problem"
)

// Backup is what a store that lies in a file can do while it is used.
type Backup interface {
	// Backup writes a copy of one moment.
	Backup(w io.Writer) error
	// Restore puts such a copy in the place of everything, or changes nothing.
	// One Restore or Replace runs at a time; another is refused.
	Restore(r io.Reader, with ...Replacing) error
}

// KeptBefore is what the name of the file of before a restore ends with.
const KeptBefore = ".before-restore"

// Backup writes the file as of now; readers and writers go on meanwhile.
func (s *Bolt) Backup(w io.Writer) error {
	return s.view(func(_ *file, tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// Restore checks the copy as a whole before anything is touched.
func (s *Bolt) Restore(r io.Reader, with ...Replacing) error {
	if !s.replacing.TryLock() {
		return errReplacing()
	}
	defer s.replacing.Unlock()
	tmp, err := s.temporary()
	if err == nil {
		defer os.Remove(tmp.Name()) // it has another name once it is in use
		_, err = io.Copy(tmp, r)
		err = errors.Join(err, tmp.Sync(), tmp.Close())
	}
	if err != nil {
		return problem.New(problem.Internal, "backup-unwritable", "the backup cannot be written beside the data file; nothing was changed").Got(err.Error()).Do("make room on the disk and try again")
	}
	return s.install(tmp.Name(), options(with))
}

// Path is where the data file lies.
func (s *Bolt) Path() string { return s.path }
