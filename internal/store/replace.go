package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"pscemu.invalid/pscemu/internal/problem"
)

// Replace builds a fresh file beside the one that serves. It grows in commits of
// bounded size; others wait for the exchange alone, and nobody for a reader.
func (s *Bolt) Replace(ctx context.Context, r Replacement) (kept string, err error) {
	if err := outermost("Replace"); err != nil {
		return "", err
	}
	if !s.replacing.TryLock() {
		return "", ErrReplacing
	}
	defer s.replacing.Unlock()
	path, err := freshFile(s.path)
	if err != nil {
		return "", unbuildable(err)
	}
	defer os.Remove(path) // it has another name once it serves
	if err := s.build(ctx, path, r.Fill); err != nil {
		return "", unbuildable(err)
	}
	next, err := s.ready(ctx, path)
	if err != nil {
		return "", unbuildable(err)
	}
	name := freeName(s.path, suffixFormer)
	if r.Keep {
		name = freeName(s.path, suffixKept)
	}
	former, err := s.swapIn(next, path, name, r.Last)
	if err != nil {
		next.leave()
		return "", unbuildable(err)
	}
	s.notifyAll()
	if err := r.then(); err != nil {
		back := s.swapBack(former, next, name)
		s.notifyAll()
		return "", errors.Join(putBack(err), back)
	}
	former.leave()
	if !r.Keep {
		_ = os.Remove(name) // else the next start does
		return "", nil
	}
	prune(s.path)
	return filepath.Base(name), nil
}

// build writes a data file that nobody else knows.
func (s *Bolt) build(ctx context.Context, path string, fill func(func(Entry) error) error) (err error) {
	db, err := openFresh(path)
	if err != nil {
		return err
	}
	b := &builder{ctx: ctx, db: db, most: s.most}
	defer func() { b.rollback(); err = errors.Join(err, db.Close()) }()
	if err := fill(b.put); err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	return errors.Join(ctx.Err(), db.Sync())
}

// openFresh opens an empty file to be filled: it is synced as its maker sees fit.
func openFresh(path string) (*bbolt.DB, error) {
	o := boltOptions()
	o.NoSync, o.NoGrowSync = true, true
	db, err := openBolt(path, o)
	if err == nil {
		if err = db.Update(prepare); err != nil {
			_ = db.Close()
		}
	}
	return db, err
}

// ready opens a file that was built, looks at every page of it, and takes back
// the long commands that were under way when its content was copied.
func (s *Bolt) ready(ctx context.Context, path string) (*file, error) {
	db, err := openWhole(path)
	if err != nil {
		return nil, err
	}
	f := newFile(db)
	if err = db.View(sound); err == nil {
		err = recoverIn(ctx, fileUpdater{s, f}, false)
	}
	if err != nil {
		f.leave()
		return nil, err
	}
	return f, nil
}

// fileUpdater writes a file that does not serve yet.
type fileUpdater struct {
	s *Bolt
	*file
}

func (u fileUpdater) Update(_ context.Context, fn func(Tx) error) error {
	return u.file.Update(func(tx *bbolt.Tx) error {
		j := &job{fn: fn}
		err := newTarget(u.s, u.DB, tx).run(j)
		return errors.Join(j.err, err)
	})
}

// builder fills a file in commits of bounded size.
type builder struct {
	ctx  context.Context
	db   *bbolt.DB
	tx   *bbolt.Tx
	most int64 // bytes that the file may hold, 0 for any
	size int   // of the commit under way
}

// buildSize is how many bytes a builder commits at once: a commit of the file in
// use waits for the disk no longer than one of these takes.
const buildSize = 1 << 20

func (b *builder) put(e Entry) (err error) {
	if err := errors.Join(b.ctx.Err(), stored(e)); err != nil {
		return err
	}
	if b.tx == nil {
		if b.tx, err = b.db.Begin(true); err != nil {
			return err
		}
	}
	raw, data := encode(e.Value, e.Expires), b.tx.Bucket(dataBucket)
	data.FillPercent = 0.9 // most come in the order of their keys
	if err := apply(data, b.tx.Bucket(expiryBucket), e.Key, raw); err != nil {
		return err
	}
	if b.size += len(e.Key) + len(raw); b.size >= buildSize {
		return b.flush()
	}
	return nil
}

// flush commits, and syncs a little at a time: the syncs of the file that serves
// wait for less then.
func (b *builder) flush() error {
	if b.tx == nil {
		return nil
	}
	tx := b.tx
	b.tx, b.size = nil, 0
	if err := tx.Commit(); err != nil {
		return err
	}
	if err := b.db.Sync(); err != nil || b.most == 0 {
		return err
	}
	return b.db.View(func(tx *bbolt.Tx) error {
		if used := usedOf(b.db, tx); used > b.most {
			return fullProblem(used, b.most)
		}
		return nil
	})
}

func (b *builder) rollback() {
	if b.tx != nil {
		_ = b.tx.Rollback()
	}
}

// swapIn lets a file serve; the one before gets another name and is the
// caller's. This is what others wait for.
func (s *Bolt) swapIn(next *file, path, name string, last func(was, now Tx) error) (former *file, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.file == nil {
		return nil, ErrClosed
	}
	if last != nil {
		if err := s.finishBy(next, last); err != nil {
			return nil, err
		}
	}
	if err := moveIn(path, s.path, name); err != nil {
		return nil, err
	}
	return s.change(next), nil
}

// finishBy runs a transaction on the new content that reads the former, too.
func (s *Bolt) finishBy(next *file, last func(was, now Tx) error) error {
	return s.view(func(_ *file, was *bbolt.Tx) error {
		both := func(now Tx) error { return last(s.reader(was), now) }
		return fileUpdater{s, next}.Update(context.Background(), both)
	})
}

// swapBack lets the former file serve again, under its own name.
func (s *Bolt) swapBack(former, failed *file, name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.file != failed {
		former.leave()
		return ErrClosed
	}
	if err := os.Rename(name, s.path); err != nil {
		// What serves and what the next start finds must be the same.
		former.leave()
		return fmt.Errorf("the new content serves, the former lies in %s: %w", name, err)
	}
	syncFolder(s.path)
	s.change(former)
	failed.leave()
	return nil
}

// then runs Then; its panic is its failure.
func (r Replacement) then() (err error) {
	if r.Then == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return r.Then()
}

func putBack(err error) error { return errors.Join(ErrPutBack, err) }

// unbuildable tells a disk that failed from an entry that was refused.
func unbuildable(err error) error {
	file, names := (*os.PathError)(nil), (*os.LinkError)(nil)
	if !errors.As(err, &file) && !errors.As(err, &names) {
		return err
	}
	return problem.BackupUnwritable.Case("data-file").Got(err.Error())
}
