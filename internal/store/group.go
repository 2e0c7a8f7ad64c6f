package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"pscemu.invalid/pscemu/internal/problem"
)

// job is a transaction that waits for a commit.
type job struct {
	fn     func(Tx) error
	err    error
	spoilt bool // its writes cannot be applied; the others go on without it
	keys   []string
	result chan error
}

// Update queues fn for the next commit and waits until it is on disk.
func (s *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	if err := outermost("Update"); err != nil {
		return err
	}
	j := &job{fn: fn, result: make(chan error, 1)}
	select {
	case s.jobs <- j:
		return rethrow(<-j.result)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stop:
		return ErrClosed
	}
}

// A write is committed at once, unless several were committed together just
// before: then there is load, and it waits a little for company. Each commit
// saved is two syncs less. Who writes alone, one after the other, never waits.
const (
	maxGroup  = 256
	closeUpon = 4 * time.Millisecond
	company   = 3 * time.Millisecond
)

// write is the only writer. It begins with the jobs that an earlier one left
// when a transaction function ended its goroutine.
func (s *Bolt) write(left []*job) {
	over := false
	defer func() {
		if over {
			close(s.done)
			return
		}
		go s.write(left)
	}()
	var last time.Time // end of the last commit of several, zero when it was of one
	for {
		if len(left) > 0 {
			s.commit(left)
			left = nil
		}
		select {
		case first := <-s.jobs:
			if time.Since(last) < closeUpon {
				time.Sleep(company)
			}
			left, last = s.gather(first), time.Time{}
			several := len(left) > 1
			s.commit(left)
			left = nil
			if several {
				last = time.Now()
			}
		case <-s.stop:
			over = true
			return
		}
	}
}

// gather takes what waits beside the first.
func (s *Bolt) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case j := <-s.jobs:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit answers each job of the group.
func (s *Bolt) commit(group []*job) {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.settle(group)
	if err != nil && len(group) > 1 {
		s.apart(group) // one of them may be what the disk does not take
		err = nil
	}
	s.commits.Add(1)
	s.updates.Add(uint64(len(group)))
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
		if j.err == nil {
			s.notify(j.keys)
		}
		j.result <- j.err
	}
}

// settle commits the group. A job whose writes cannot be applied fails alone:
// what was begun is rolled back, and the others run again.
func (s *Bolt) settle(group []*job) error {
	for {
		if err := s.attempt(group); !errors.Is(err, errSpoilt) {
			return err
		}
	}
}

// apart commits each job by itself.
func (s *Bolt) apart(group []*job) {
	for _, j := range group {
		if j.spoilt {
			continue
		}
		if err := s.settle([]*job{j}); err != nil {
			j.err = err
		}
	}
}

// attempt commits the jobs that are not spoilt, or nothing when one turns out to
// be.
func (s *Bolt) attempt(group []*job) error {
	err := s.update(func(tx *bbolt.Tx) error {
		wrote, to := false, newTarget(s, s.file.DB, tx)
		for _, j := range group {
			if j.spoilt {
				continue
			}
			if err := to.run(j); err != nil {
				return err
			}
			wrote = wrote || len(j.keys) > 0
		}
		if !wrote {
			return errNothing
		}
		return nil
	})
	switch {
	case errors.Is(err, errNothing):
		return nil
	case err != nil && !errors.Is(err, errSpoilt):
		return unwritable(err)
	}
	return err
}

// update is bbolt's, whose panic is its failure. Nobody changes the file in use
// while this one writes.
func (s *Bolt) update(fn func(*bbolt.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return s.file.Update(fn)
}

var (
	errNothing = errors.New("nothing written")
	errSpoilt  = errors.New("a transaction cannot be applied")
)

// target is where the jobs of one commit write.
type target struct {
	*Bolt
	data, expiry *bbolt.Bucket
	used         int64 // bytes, with what the jobs before have added
}

func newTarget(s *Bolt, db *bbolt.DB, tx *bbolt.Tx) *target {
	t := &target{Bolt: s, data: tx.Bucket(dataBucket), expiry: tx.Bucket(expiryBucket)}
	if s.most > 0 {
		t.used = usedOf(db, tx)
	}
	return t
}

// run runs a job and applies its writes. Its error spoils the commit; what the
// job itself is refused does not.
func (t *target) run(j *job) error {
	o := writer(boltSource{t.data}, t.clock.Now())
	j.keys, j.err, j.spoilt = nil, errEnded, true // so it stays when fn ends the goroutine
	err := call(j.fn, o)
	j.err, j.spoilt = err, false
	if err == nil {
		j.err = t.room(o)
	}
	if j.err != nil {
		return nil
	}
	if j.err = t.apply(o); j.err != nil {
		j.spoilt = true
		return errSpoilt
	}
	j.keys = o.keys()
	return nil
}

// apply writes what a transaction changes.
func (t *target) apply(o *overlay) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
		if err != nil {
			err = fmt.Errorf("store: %w: %w", errSpoilt, err)
		}
	}()
	o.writes.Scan(func(key string, raw []byte) bool {
		err = apply(t.data, t.expiry, key, raw)
		return err == nil
	})
	return err
}

func apply(data, expiry *bbolt.Bucket, key string, raw []byte) error {
	if raw == nil {
		return data.Delete([]byte(key))
	}
	if err := data.Put([]byte(key), raw); err != nil {
		return err
	}
	if expiryOf(raw) == 0 {
		return nil
	}
	return expiry.Put([]byte(dueKey(key, raw)), nil)
}

// room refuses what would make the store hold more than it may. What it grows by
// is reckoned closely only when that matters.
func (t *target) room(o *overlay) error {
	if t.most == 0 || o.free {
		return nil
	}
	if t.used+o.puts < t.most {
		t.used += o.puts
		return nil
	}
	grows := o.grows()
	if grows > 0 && t.used+grows > t.most {
		return fullProblem(t.used, t.most)
	}
	t.used += grows
	return nil
}

// boltSource reads what is committed.
type boltSource struct{ *bbolt.Bucket }

func (b boltSource) get(key string) []byte { return b.Get([]byte(key)) }

func (b boltSource) ascend(from string, fn func(string, []byte) bool) {
	c := b.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil && fn(string(k), v); k, v = c.Next() {
	}
}

// unwritable is the refusal of a disk that takes no more.
func unwritable(err error) error {
	return problem.StoreUnwritable.Got(err.Error())
}
