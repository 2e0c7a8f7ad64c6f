package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// A backend that cannot apply a job's writes rolls the commit back and runs the
// others again. Nothing that Put allows comes that far.
func TestAJobWhoseWritesCannotBeAppliedFailsAlone(t *testing.T) {
	s := openBolt(t, filepath.Join(t.TempDir(), "db"))
	for name, key := range map[string]string{"a key that bbolt refuses": strings.Repeat("k", 40_000), "no key": ""} {
		const jobs = 51
		errs := make([]error, jobs)
		var ready, all sync.WaitGroup
		ready.Add(jobs)
		for i := range jobs {
			all.Go(func() {
				ready.Done()
				ready.Wait()
				errs[i] = s.Update(context.Background(), func(tx store.Tx) error {
					if i == jobs/2 {
						store.PutUnchecked(tx, key, []byte("12345678bad"))
					}
					return things.Put(tx, fmt.Sprint(name, i), "1", 0)
				})
			})
		}
		all.Wait()
		for i, err := range errs {
			if bad := i == jobs/2; (err != nil) != bad {
				t.Errorf("%s: job %d: %v", name, i, err)
			} else if bad {
				holds(t, s, fmt.Sprint(name, i), "")
			} else {
				holds(t, s, fmt.Sprint(name, i), "1")
			}
		}
	}
}

// A job that reads what another of its commit wrote sees nothing of one that
// failed.
func TestAJobSeesNothingOfOneThatIsRolledBack(t *testing.T) {
	s := openBolt(t, filepath.Join(t.TempDir(), "db"))
	began, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { // holds the writer until the others wait
		_ = s.Update(context.Background(), func(store.Tx) error { close(began); <-goOn; return nil })
	})
	<-began
	var bad, after error
	all.Go(func() {
		bad = s.Update(context.Background(), func(tx store.Tx) error {
			store.PutUnchecked(tx, "", []byte("12345678bad"))
			return things.Put(tx, "a", "1", 0)
		})
	})
	all.Go(func() {
		after = s.Update(context.Background(), func(tx store.Tx) error {
			if _, err := things.Get(tx, "a"); !errors.Is(err, store.ErrNotFound) {
				return errors.New("there is an a")
			}
			return things.Put(tx, "b", "1", 0)
		})
	})
	close(goOn)
	all.Wait()
	if bad == nil || after != nil {
		t.Fatalf("%v, %v", bad, after)
	}
	holds(t, s, "a", "")
	holds(t, s, "b", "1")
}

// Outside of tests a transaction within another is an error, never a deadlock,
// and what the outer one wrote is its own matter.
func TestATransactionWithinAnotherIsAnErrorInProduction(t *testing.T) {
	defer store.Production()()
	nothing := func(store.Tx) error { return nil }
	for name, s := range map[string]store.Store{
		"bolt":   openBolt(t, filepath.Join(t.TempDir(), "db")),
		"memory": store.NewMemory(&clock.Adjustable{}),
	} {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for what, err := range map[string]error{
				"Update": s.Update(context.Background(), nothing), "View": s.View(context.Background(), nothing),
			} {
				if !errors.Is(err, store.ErrNested) || problem.From(err).Kind != problem.Internal {
					t.Errorf("%s: %s is answered %v", name, what, err)
				}
			}
			return things.Put(tx, "a", "1", 0)
		})
		if err != nil {
			t.Error(err)
		}
		holds(t, s, "a", "1")
	}
}

func TestAFullStoreTakesWhatDoesNotAddToIt(t *testing.T) {
	const most = 1 << 20
	ctx := context.Background()
	for name, s := range map[string]store.Store{
		"bolt":   openBolt(t, filepath.Join(t.TempDir(), "db"), store.Limit(most)),
		"memory": store.NewMemory(&clock.Adjustable{}, store.Limit(most)),
	} {
		big := func(c string) string { return strings.Repeat(c, 30_000) }
		var full error
		n := 0
		for ; full == nil && n < 100; n++ {
			full = things.Save(ctx, s, fmt.Sprint(n), big("x"), store.Forever)
		}
		if !problem.Is(full, "store-full") || n < 15 {
			t.Fatalf("%s: the %dth is answered %v", name, n, full)
		}
		save(t, s, "0", big("y")) // as large as before
		holds(t, s, "0", big("y"))
		one := s.Update(ctx, func(tx store.Tx) error {
			for i := range 50 { // one transaction that is too much
				if err := things.Put(tx, fmt.Sprint("more", i), big("x"), 0); err != nil {
					return err
				}
			}
			return nil
		})
		if !problem.Is(one, "store-full") {
			t.Errorf("%s: %v", name, one)
		}
		holds(t, s, "more0", "")
		// A long command that fails for want of room is taken back all the same.
		long := store.Long(ctx, s, func(step store.Step) error {
			for i := range 100 {
				write := func(tx store.Tx) error { return things.Put(tx, fmt.Sprint(i%10), big("z"), 0) }
				if err := step(write); err != nil {
					return err
				}
			}
			return errors.New("there was room")
		})
		if !problem.Is(long, "store-full") {
			t.Errorf("%s: %v", name, long)
		}
		holds(t, s, "0", big("y"))
		if err := s.Update(ctx, func(tx store.Tx) error {
			return errors.Join(things.Delete(tx, "1"), things.Delete(tx, "2"), things.Delete(tx, "3"))
		}); err != nil {
			t.Fatal(err)
		}
		save(t, s, "again", big("x"))
	}
}

// A store that is full to the last byte still takes back what a long command
// did, though an entry with a long name and a time to live takes more than what
// is kept of it.
func TestALongCommandIsTakenBackInAStoreThatIsFull(t *testing.T) {
	ctx, id := context.Background(), strings.Repeat("k", 800)
	s := store.NewMemory(&clock.Adjustable{}, store.Limit(100_000))
	if err := things.Save(ctx, s, id, "old", time.Hour); err != nil {
		t.Fatal(err)
	}
	err := store.Long(ctx, s, func(step store.Step) error {
		if err := step(func(tx store.Tx) error { return things.Delete(tx, id) }); err != nil {
			return err
		}
		for n, size := 0, 10_000; size > 0; n++ {
			if things.Save(ctx, s, fmt.Sprint(n), strings.Repeat("x", size), store.Forever) != nil {
				size /= 2
			}
		}
		return errors.New("stop")
	})
	if err == nil || problem.Is(err, "store-full") {
		t.Fatal(err)
	}
	holds(t, s, id, "old")
}

// What the disk does not take fails alone, too.
func TestAJobThatTheDiskDoesNotTakeFailsAlone(t *testing.T) {
	s := openBolt(t, filepath.Join(t.TempDir(), "db"))
	save(t, s, "a", "1")
	store.MaxFile(s, 6<<20)
	began, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { // holds the writer until the others wait
		_ = s.Update(context.Background(), func(store.Tx) error { close(began); <-goOn; return nil })
	})
	<-began
	errs := make([]error, 21)
	for n := range errs {
		all.Go(func() {
			errs[n] = s.Update(context.Background(), func(tx store.Tx) error {
				for i := 0; n == 10 && i < 20; i++ {
					if err := things.Put(tx, fmt.Sprint("big", i), strings.Repeat("x", 1_000_000), 0); err != nil {
						return err
					}
				}
				return things.Put(tx, fmt.Sprint("small", n), "1", 0)
			})
		})
	}
	close(goOn)
	all.Wait()
	for n, err := range errs {
		switch {
		case n == 10:
			if !problem.Is(err, "store-unwritable") {
				t.Errorf("the large one: %v", err)
			}
			holds(t, s, "big0", "")
		case err != nil:
			t.Errorf("a small one: %v", err)
		default:
			holds(t, s, fmt.Sprint("small", n), "1")
		}
	}
}

// A content larger than the store may be is refused before it serves.
func TestAReplacementLargerThanTheStoreMayBeIsRefused(t *testing.T) {
	for name, s := range map[string]store.Store{
		"bolt":   openBolt(t, filepath.Join(t.TempDir(), "db"), store.Limit(8<<20)),
		"memory": store.NewMemory(&clock.Adjustable{}, store.Limit(8<<20)),
	} {
		save(t, s, "a", "old")
		_, err := s.Replace(context.Background(), store.Replacement{Fill: func(put func(store.Entry) error) error {
			for i := range 1000 {
				if err := put(store.Entry{Key: fmt.Sprint("k", i), Value: make([]byte, 100_000)}); err != nil {
					if i > 200 {
						t.Errorf("%s: refused after %d", name, i)
					}
					return err
				}
			}
			return nil
		}})
		if !problem.Is(err, "store-full") {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, s, "a", "old")
	}
}
