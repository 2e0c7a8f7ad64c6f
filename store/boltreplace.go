package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"pscemu/problem"
)

// Replace builds a data file beside the one that serves, and lets it serve in
// its place. One does so at a time.
func (s *Bolt) Replace(ctx context.Context, r Replacement) (kept string, err error) {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	b, err := s.newBuild()
	if err != nil {
		return "", err
	}
	defer b.discard()
	if err := b.fill(ctx, r.Fill); err != nil {
		return "", err
	}
	var former string
	var was *handle
	err = s.exclusively(func() (err error) {
		if err := s.complete(b, r.Last); err != nil {
			return err
		}
		former, was, err = s.exchange(b, r.Keep)
		return err
	})
	if err != nil {
		return "", err
	}
	if r.Then != nil {
		if err := r.Then(); err != nil {
			return "", errors.Join(ErrPutBack, err, s.exclusively(func() error { return s.putBack(former, was) }))
		}
	}
	was.retire()
	if !r.Keep {
		_ = os.Remove(former)
		return "", nil
	}
	s.keepThree()
	return former, nil
}

// Names of files beside the data file.
const (
	newMark    = ".new-"    // being built; worth nothing
	formerMark = ".former-" // what a content just replaced; worth nothing once that serves
	keptMark   = ".before-" // what a restore replaced, with date and time
	keptFiles  = 3
)

// build is a data file that does not serve yet.
type build struct {
	s     *Bolt
	db    *bbolt.DB
	path  string
	batch []Entry
	size  int
}

// Entries are written in batches of this size. Each goes to the disk at once,
// since the next commit of the file that serves would wait for what is left to
// the system.
const (
	batchEntries = 2000
	batchBytes   = 2 << 20
)

func (s *Bolt) newBuild() (*build, error) {
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+newMark+"*")
	if err != nil {
		return nil, unwritable(err)
	}
	path := f.Name()
	if err := f.Close(); err != nil {
		return nil, unwritable(err)
	}
	db, err := openWhole(path)
	if err != nil {
		_ = os.Remove(path)
		return nil, unwritable(err)
	}
	db.NoSync, db.NoGrowSync = true, true
	return &build{s: s, db: db, path: path}, nil
}

func unwritable(err error) error {
	return problem.New(problem.Internal, "backup-unwritable", "the new content cannot be written beside the data file; nothing was changed").
		Got(err.Error()).Do("make room on the disk and try again")
}

// discard forgets the file, unless it serves.
func (b *build) discard() {
	if b.db != nil {
		_ = b.db.Close()
		_ = os.Remove(b.path)
	}
}

func (b *build) fill(ctx context.Context, fill func(put func(Entry) error) error) error {
	err := fill(func(e Entry) error {
		b.batch, b.size = append(b.batch, Entry{e.Key, packed(e), e.Expires}), b.size+len(e.Key)+len(e.Value)
		if len(b.batch) < batchEntries && b.size < batchBytes {
			return nil
		}
		return errors.Join(ctx.Err(), b.flush())
	})
	if err == nil {
		err = b.flush()
	}
	return err
}

// flush writes a batch; keys mostly ascend, so pages can be filled well.
func (b *build) flush() error {
	used := int64(0)
	err := b.db.Update(func(tx *bbolt.Tx) error {
		data, expiry := tx.Bucket(dataBucket), tx.Bucket(expiryBucket)
		data.FillPercent = 0.9
		for _, e := range b.batch {
			if err := putRaw(data, expiry, []byte(e.Key), e.Value); err != nil {
				return err
			}
		}
		used = tx.Size()
		return nil
	})
	if err == nil {
		err = b.db.Sync()
	}
	if err != nil {
		return unwritable(err)
	}
	b.batch, b.size = b.batch[:0], 0
	if most := b.s.most; most > 0 && used > most {
		return problem.New(problem.TooLarge, "store-full", "the new content is larger than the data file may be; nothing was changed").
			Got(fmt.Sprintf("more than %d MiB", used>>20)).Want(fmt.Sprintf("at most %d MiB", most>>20)).Do("raise the setting max-store")
	}
	return nil
}

func putRaw(data, expiry *bbolt.Bucket, key, raw []byte) error {
	if err := data.Put(key, raw); err != nil {
		return err
	}
	if [8]byte(raw[:8]) == [8]byte{} {
		return nil
	}
	return expiry.Put(append(slices.Clone(raw[:8]), key...), nil)
}

// complete lets the new content be completed by the one that serves.
func (s *Bolt) complete(b *build, last func(was, now Tx) error) error {
	b.db.NoSync, b.db.NoGrowSync = false, false
	if last == nil {
		return nil
	}
	now := s.clock.Now()
	return s.db.View(func(was *bbolt.Tx) error {
		return b.db.Update(func(tx *bbolt.Tx) error {
			data := tx.Bucket(dataBucket)
			o := &overlay{source: boltSource{data}, now: now, writes: map[string]*write{}}
			err := call(func(tx Tx) error {
				return last(&overlay{source: boltSource{was.Bucket(dataBucket)}, now: now}, tx)
			}, o)
			if err != nil {
				return err
			}
			return o.apply(data, tx.Bucket(expiryBucket))
		})
	})
}

// exchange lets the new file serve. At any moment one of the two lies under
// the name of the data file. The former lies under a name of its own then.
func (s *Bolt) exchange(b *build, keep bool) (former string, was *handle, err error) {
	former, err = s.link(keep)
	if err != nil {
		return "", nil, unwritable(err)
	}
	if err := os.Rename(b.path, s.path); err != nil {
		_ = os.Remove(former)
		return "", nil, unwritable(err)
	}
	syncFolder(s.path)
	was = s.use(newHandle(b.db))
	b.db = nil
	s.notifyAll()
	return former, was, nil
}

// putBack lets the former file serve again.
func (s *Bolt) putBack(former string, was *handle) error {
	if err := os.Rename(former, s.path); err != nil {
		return err
	}
	syncFolder(s.path)
	s.use(was).retire()
	s.notifyAll()
	return nil
}

// link gives the file that serves a second name, which no file has.
func (s *Bolt) link(keep bool) (string, error) {
	base := s.path + formerMark
	if keep {
		base = s.path + keptMark
	}
	base += time.Now().UTC().Format("20060102-150405")
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%03d", base, n)
		}
		err := os.Link(s.path, name)
		if err == nil || !errors.Is(err, os.ErrExist) || n == 999 {
			return name, err
		}
	}
}

// keepThree removes the oldest of the kept files, by the date in their names.
// One that cannot be removed is tried again the next time.
func (s *Bolt) keepThree() {
	kept, _ := filepath.Glob(s.path + keptMark + "[0-9]*")
	slices.Sort(kept)
	for _, old := range kept[:max(len(kept)-keptFiles, 0)] {
		_ = os.Remove(old)
	}
}

// clearLeft removes what an earlier run that was killed left half-way.
func clearLeft(path string) {
	for _, mark := range []string{newMark, formerMark} {
		left, _ := filepath.Glob(path + mark + "*")
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
}

// syncFolder makes a rename last.
func syncFolder(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
