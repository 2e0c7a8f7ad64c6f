package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"pscemu/problem"
)

// Files beside the data file, by what follows its name.
const (
	suffixNew    = ".new-"    // under construction; one that is left is of no use
	suffixFormer = ".former-" // replaced a moment ago; goes when the new one serves
	suffixKept   = ".before-" // kept by a restore, with the date
)

// tidy ends what an earlier run left half-way. Where a swap was cut off between
// two renames, the former file gets its name back.
func tidy(path string) {
	live, err := os.Stat(path)
	formers := append(named(path, suffixKept), named(path, suffixFormer)...)
	if errors.Is(err, os.ErrNotExist) && len(formers) > 0 {
		newest := slices.MaxFunc(formers, func(a, b string) int { return modified(a).Compare(modified(b)) })
		slog.Warn("the data file was being replaced when the program ended; the former one serves", "file", newest)
		_ = os.Rename(newest, path)
		return
	}
	for _, name := range named(path, suffixKept) {
		if other, err := os.Stat(name); err == nil && live != nil && os.SameFile(live, other) {
			_ = os.Remove(name) // a second name of the live file
		}
	}
	for _, name := range append(named(path, suffixNew), named(path, suffixFormer)...) {
		_ = os.Remove(name)
	}
}

// named lists the files beside the data file with this suffix.
func named(path, suffix string) []string {
	names, _ := filepath.Glob(path + suffix + "*")
	return names
}

func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// freshFile makes a data file beside another, which a swap will put in its
// place. It is synced by seal.
func freshFile(path string) (*bbolt.DB, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+suffixNew+"*") // 0600
	if err != nil {
		return nil, err
	}
	name := f.Name()
	if err := f.Close(); err != nil {
		return nil, err
	}
	o := boltOptions()
	o.NoSync, o.NoGrowSync = true, true
	db, err := bbolt.Open(name, 0o600, o)
	if err == nil {
		err = db.Update(prepare)
	}
	if err != nil {
		discard(db, name)
		return nil, err
	}
	return db, nil
}

func discard(db *bbolt.DB, name string) {
	if db != nil {
		_ = db.Close()
	}
	_ = os.Remove(name)
}

// seal writes a fresh file to the disk; from here on each commit is synced.
func seal(db *bbolt.DB) error {
	db.NoSync, db.NoGrowSync = false, false
	return db.Sync()
}

// compactFrom is the size from which a file is worth compacting.
const compactFrom = 16 << 20

// compacted returns the file without its free pages when most of it is free,
// else as it is.
func compacted(path string, db *bbolt.DB) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() < compactFrom || 2*free(db) < info.Size() {
		return db, err
	}
	fresh, err := compact(path, db)
	if err != nil {
		slog.Warn("the data file stays as large as it is", "file", path, "bytes", info.Size(), "error", err)
		return db, nil
	}
	if err := os.Rename(fresh.Path(), path); err != nil {
		discard(fresh, fresh.Path())
		slog.Warn("the data file stays as large as it is", "file", path, "error", err)
		return db, nil
	}
	syncFolder(path)
	after, _ := os.Stat(path)
	slog.Info("the data file was compacted", "file", path, "before", info.Size(), "after", after.Size())
	return fresh, db.Close()
}

// compact copies a file's content into a fresh one.
func compact(path string, db *bbolt.DB) (fresh *bbolt.DB, err error) {
	if fresh, err = freshFile(path); err != nil {
		return nil, err
	}
	const batch = 4 << 20 // bytes of a transaction
	if err = bbolt.Compact(fresh, db, batch); err == nil {
		err = seal(fresh)
	}
	if err != nil {
		discard(fresh, fresh.Path())
		return nil, err
	}
	return fresh, nil
}

// syncFolder makes a rename durable; where folders cannot be synced it is.
func syncFolder(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// filler puts entries into a fresh file in bounded transactions.
type filler struct {
	db    *bbolt.DB
	tx    *bbolt.Tx
	bytes int
	total int64
	most  int64
}

// fillBatch is how many bytes of entries one transaction of a filler takes.
const fillBatch = 4 << 20

func (f *filler) put(e Entry) error {
	raw, err := Replacement{}.raw(e)
	if err != nil {
		return err
	}
	if f.total += int64(len(e.Key) + len(raw)); f.most > 0 && f.total > f.most {
		return storeFull(f.total, f.most)
	}
	if f.tx == nil {
		if f.tx, err = f.db.Begin(true); err != nil {
			return err
		}
	}
	if err := f.tx.Bucket(dataBucket).Put([]byte(e.Key), raw); err != nil {
		return err
	}
	if !e.Expires.IsZero() {
		if err := f.tx.Bucket(expiryBucket).Put(append(slices.Clone(raw[:8]), e.Key...), nil); err != nil {
			return err
		}
	}
	if f.bytes += len(e.Key) + len(raw); f.bytes >= fillBatch {
		return f.flush()
	}
	return nil
}

func (f *filler) flush() error {
	if f.tx == nil {
		return nil
	}
	tx := f.tx
	f.tx, f.bytes = nil, 0
	if err := tx.Commit(); err != nil {
		return err
	}
	return f.db.Sync() // a little at a time: the live file's syncs wait for less
}

// Replace builds a fresh file beside the one that serves.
func (s *Bolt) Replace(ctx context.Context, r Replacement) (kept string, err error) {
	if !s.replacing.TryLock() {
		return "", ErrReplacing
	}
	defer s.replacing.Unlock()
	fresh, err := s.build(r)
	if err != nil {
		return "", err
	}
	name := s.path + suffixFormer + time.Now().UTC().Format(keptForm)
	if r.Keep {
		name = keptName(s.path, time.Now())
	}
	var former *openFile
	if err := s.between(ctx, func() (err error) { former, err = s.swapIn(fresh, name, r.Last); return err }); err != nil {
		discard(fresh, fresh.Path())
		return "", err
	}
	s.notifyAll()
	if err := r.then(); err != nil {
		back := s.between(context.WithoutCancel(ctx), func() error { return s.swapBack(former, name) })
		s.notifyAll()
		return "", errors.Join(putBack(err), back)
	}
	s.retire(former)
	if !r.Keep {
		_ = os.Remove(name) // else the next start does
		return "", nil
	}
	prune(s.path)
	return filepath.Base(name), nil
}

// build fills and seals a fresh file; nothing is left of one that fails.
func (s *Bolt) build(r Replacement) (*bbolt.DB, error) {
	fresh, err := freshFile(s.path)
	if err != nil {
		return nil, unbuildable(err)
	}
	f := &filler{db: fresh, most: s.most}
	if err = r.Fill(f.put); err == nil {
		err = f.flush()
	}
	if f.tx != nil {
		_ = f.tx.Rollback()
	}
	if err == nil {
		err = seal(fresh)
	}
	if err != nil {
		discard(fresh, fresh.Path())
		return nil, unbuildable(err)
	}
	return fresh, nil
}

// unbuildable tells a disk that failed from an entry that was refused.
func unbuildable(err error) error {
	var disk *os.PathError
	if !errors.As(err, &disk) {
		return err
	}
	return problem.New(problem.Internal, "backup-unwritable", "the new content cannot be written beside the data file; nothing was changed").
		Got(err.Error()).Do("make room on the disk and try again")
}

// swapIn lets the fresh file serve; the former one gets another name. It runs
// between two commits.
func (s *Bolt) swapIn(fresh *bbolt.DB, name string, last func(was, now Tx) error) (*openFile, error) {
	former := s.file
	if last != nil {
		if err := s.finishBy(former.db, fresh, last); err != nil {
			return nil, err
		}
	}
	if err := moveIn(fresh.Path(), s.path, name); err != nil {
		return nil, err
	}
	s.serving.Lock()
	defer s.serving.Unlock()
	s.file = &openFile{db: fresh}
	return former, nil
}

func (s *Bolt) finishBy(former, fresh *bbolt.DB, last func(was, now Tx) error) error {
	return former.View(func(was *bbolt.Tx) error {
		return fresh.Update(func(now *bbolt.Tx) error {
			at := s.clock.Now()
			o := &overlay{source: boltSource{now.Bucket(dataBucket)}, now: at, writes: map[string]*write{}}
			if err := last(&overlay{source: boltSource{was.Bucket(dataBucket)}, now: at}, o); err != nil {
				return err
			}
			return o.applied(now)
		})
	})
}

// swapBack lets the former file serve again, under its old name.
func (s *Bolt) swapBack(former *openFile, name string) error {
	failed := s.file
	if err := os.Rename(name, s.path); err != nil {
		return fmt.Errorf("the former content serves until the end of the program and lies in %s: %w", name, err)
	}
	syncFolder(s.path)
	s.serving.Lock()
	s.file = former
	s.serving.Unlock()
	s.retire(failed)
	return nil
}

// moveIn gives the former file its other name and the fresh one its place: at
// every moment one of the two has the data file's name, where the file system
// knows links.
func moveIn(fresh, path, former string) error {
	if err := os.Link(path, former); err != nil {
		if err := os.Rename(path, former); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Rename(former, path))
	}
	syncFolder(path)
	return nil
}

const keptForm = "20060102-150405.000"

// keptName is a name that no kept file has.
func keptName(path string, now time.Time) string {
	for n := 0; ; n++ {
		name := path + suffixKept + now.UTC().Format(keptForm)
		if n > 0 {
			name += fmt.Sprintf("-%d", n)
		}
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return name
		}
	}
}

// prune removes the oldest of more than KeptFormer kept files. One that cannot
// be removed is tried again the next time.
func prune(path string) {
	all := named(path, suffixKept+"[0-9]") // not what earlier versions kept as .before-restore
	slices.Sort(all)                       // by date
	for _, name := range all[:max(0, len(all)-KeptFormer)] {
		_ = os.Remove(name)
	}
}
