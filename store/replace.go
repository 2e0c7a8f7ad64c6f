package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"pscemu/problem"
)

// PutFunc adds one entry to the new content of a store. An expiry of zero is
// never; one that is past is kept until the next sweep. The last of several
// with one key stays. It may be called from the goroutine of fill alone.
type PutFunc func(key string, value []byte, expires time.Time) error

// Replacing is an option of Replace and of Restore.
type Replacing func(*replacing)

type replacing struct {
	keepAs string
	judge  []func(Tx) error
	carry  func(former, now Tx) error
}

// KeepAs keeps the former data file beside the new one under this name, which
// must be free. What is in memory has no file to keep.
func KeepAs(name string) Replacing { return func(r *replacing) { r.keepAs = name } }

// Judge reads the new content before anything is changed; what it refuses does
// not take the former's place. Others read and write meanwhile. The name of
// Tx is no promise: writes are refused.
func Judge(fn func(Tx) error) Replacing {
	return func(r *replacing) { r.judge = append(r.judge, fn) }
}

// Carry takes along what must not be lost of the former content, as it is at the
// moment of the change: no other write comes between. It must be short, since
// the others wait for it; when it fails nothing is changed.
func Carry(fn func(former, now Tx) error) Replacing { return func(r *replacing) { r.carry = fn } }

func options(list []Replacing) (r replacing) {
	for _, o := range list {
		o(&r)
	}
	return r
}

func errReplacing() error {
	return problem.New(problem.Conflict, "store-replacing", "everything stored is being replaced already; nothing was changed").
		Want("one restore, state or reset at a time").Do("try again when the other is done")
}

// Replace makes what fill puts the whole content, durably, or changes nothing.
// The content grows in a file of its own, in commits of bounded size, while
// others read and write; they wait for the change alone.
func (s *Bolt) Replace(ctx context.Context, fill func(PutFunc) error, with ...Replacing) error {
	if err := outermost("Replace"); err != nil {
		return err
	}
	if !s.replacing.TryLock() {
		return errReplacing()
	}
	defer s.replacing.Unlock()
	tmp, err := s.temporary()
	if err != nil {
		return unwritable(err)
	}
	defer os.Remove(tmp.Name()) // it has another name once it is in use
	if err := tmp.Close(); err != nil {
		return unwritable(err)
	}
	if err := s.build(ctx, tmp.Name(), fill); err != nil {
		return err
	}
	return s.install(tmp.Name(), options(with))
}

// build writes a data file that nobody else knows.
func (s *Bolt) build(ctx context.Context, path string, fill func(PutFunc) error) (err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return unwritable(err)
	}
	db.AllocSize = allocated
	defer func() { err = errors.Join(err, db.Close()) }()
	b := &builder{ctx: ctx, db: db, most: s.most}
	defer b.rollback()
	if err := db.Update(prepare); err != nil {
		return unwritable(err)
	}
	if err := fill(b.put); err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.Sync(); err != nil {
		return unwritable(err)
	}
	return nil
}

// builder fills a file in commits of bounded size.
type builder struct {
	ctx  context.Context
	db   *bbolt.DB
	tx   *bbolt.Tx
	most int64 // bytes that the file may hold, 0 for any
	size int   // of the commit under way
}

// buildSize is how many bytes builder commits at once.
const buildSize = 4 << 20

func (b *builder) put(key string, value []byte, expires time.Time) (err error) {
	if err := errors.Join(b.ctx.Err(), fits(key, value)); err != nil {
		return err
	}
	if b.tx == nil {
		if b.tx, err = b.db.Begin(true); err != nil {
			return unwritable(err)
		}
	}
	raw := encode(value, expires)
	data := b.tx.Bucket(dataBucket)
	data.FillPercent = 0.9 // most come in the order of their keys
	if err := apply(data, b.tx.Bucket(expiryBucket), key, raw); err != nil {
		return unwritable(err)
	}
	if b.size += len(key) + len(raw); b.size >= buildSize {
		return b.flush()
	}
	return nil
}

func (b *builder) flush() error {
	if b.tx == nil {
		return nil
	}
	tx := b.tx
	b.tx, b.size = nil, 0
	if err := tx.Commit(); err != nil {
		return unwritable(err)
	}
	if b.most == 0 {
		return nil
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

// install checks a complete data file and puts it in the place of the one in
// use. It is open before that one leaves, so that there is no way back to go.
func (s *Bolt) install(path string, r replacing) error {
	if err := check(path); err != nil {
		return problem.New(problem.Invalid, "backup-unreadable", "this is no good data file; nothing was changed").Got(err.Error()).Want("what pscemu backup wrote")
	}
	db, err := openFile(path)
	if err != nil {
		return err
	}
	next := newFile(db)
	err = recoverIn(context.Background(), fileUpdater{s, next})
	for _, judge := range r.judge {
		if err == nil {
			err = next.View(func(tx *bbolt.Tx) error { return call(judge, s.reader(tx)) })
		}
	}
	if err == nil {
		err = s.swap(path, next, r)
	}
	if err != nil {
		next.leave()
		return err
	}
	s.notifyAll()
	return nil
}

// fileUpdater writes a file that is not in use yet.
type fileUpdater struct {
	s *Bolt
	*file
}

func (u fileUpdater) Update(_ context.Context, fn func(Tx) error) error {
	return u.file.Update(func(tx *bbolt.Tx) error {
		j := &job{fn: fn}
		return errors.Join(newTarget(u.s, tx).run(j), j.err)
	})
}

// swap is what others wait for.
func (s *Bolt) swap(path string, next *file, r replacing) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if r.carry != nil {
		if err := s.carry(next, r.carry); err != nil {
			return err
		}
	}
	undo, err := s.keep(r.keepAs)
	if err != nil {
		return err
	}
	if err := os.Rename(path, s.path); err != nil {
		undo()
		return unwritable(err)
	}
	syncFolder(s.path)
	s.change(next)
	return nil
}

// carry runs a transaction on the new content that reads the former, too.
func (s *Bolt) carry(next *file, fn func(former, now Tx) error) error {
	return s.view(func(_ *file, former *bbolt.Tx) error {
		write := func(now Tx) error { return fn(s.reader(former), now) }
		return fileUpdater{s, next}.Update(context.Background(), write)
	})
}

// keep gives the file in use a second name. The first is never free, so that a
// crash at any moment leaves one whole file under it; where a file system knows
// no second names, the file moves to the new one.
func (s *Bolt) keep(name string) (undo func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	kept := filepath.Join(filepath.Dir(s.path), filepath.Base(name))
	taken := problem.New(problem.Conflict, "backup-kept-taken", "the former data file cannot be kept: there is a file with this name; nothing was changed").Got(kept).Want("a name that is free")
	if _, err := os.Lstat(kept); err == nil {
		return nil, taken
	}
	if err := os.Link(s.path, kept); err == nil {
		return func() { _ = os.Remove(kept) }, nil
	} else if errors.Is(err, os.ErrExist) {
		return nil, taken
	}
	if err := os.Rename(s.path, kept); err != nil {
		return nil, unwritable(err)
	}
	return func() { _ = os.Rename(kept, s.path) }, nil
}

// unwritable is the refusal of a disk that takes no more.
func unwritable(err error) error {
	return problem.New(problem.Internal, "store-unwritable", "the data file cannot be written; nothing of this request was stored, all that was there before is").Got(err.Error()).Do("make room on the disk, or repair it, and try again")
}
