package store

import (
	"context"
	"errors"
)

// ErrPutBack says that a new content served for a moment, and that the former
// one is back and serves again.
var ErrPutBack = errors.New("the former content was put back")

// Replacement is a content that takes the place of another as a whole.
type Replacement struct {
	// Fill puts the entries of the new content, which is built aside: readers
	// and writers go on with the former one meanwhile, however long it takes.
	Fill func(put func(Entry) error) error
	// Last, unless nil, completes the new content by the former one, which
	// nothing changes any more. It is short, for writers wait.
	Last func(was, now Tx) error
	// Then, unless nil, runs when the new content serves. When it fails, the
	// former content is put back.
	Then func() error
	// Keep keeps the former content in a file beside the data file.
	Keep bool
}

// Replace puts another content in the place of the tree. Nothing is kept.
func (s *Memory) Replace(ctx context.Context, r Replacement) (kept string, err error) {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	fresh := &tree{}
	err = r.Fill(func(e Entry) error {
		fresh.Set(e.Key, packed(e))
		return ctx.Err()
	})
	if err != nil {
		return "", err
	}
	was, err := s.exchange(fresh, r.Last)
	if err != nil {
		return "", err
	}
	if r.Then != nil {
		if err := r.Then(); err != nil {
			_, _ = s.exchange(was, nil)
			return "", errors.Join(ErrPutBack, err)
		}
	}
	return "", nil
}

// exchange makes the tree the one that serves, and returns the former one.
func (s *Memory) exchange(next *tree, last func(was, now Tx) error) (was *tree, err error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	was = s.tree.Load()
	if last != nil {
		o := &overlay{source: next, now: s.clock.Now(), writes: map[string]*write{}}
		err := call(func(now Tx) error { return last(&overlay{source: was, now: s.clock.Now()}, now) }, o)
		if err != nil {
			return nil, err
		}
		next = &tree{*next.Copy()}
		next.apply(o)
	}
	s.tree.Store(next)
	s.notifyAll()
	return was, nil
}

func (t *tree) apply(o *overlay) {
	for _, key := range o.order {
		if v := o.writes[key].value; v != nil {
			t.Set(key, v)
		} else {
			t.Delete(key)
		}
	}
}
