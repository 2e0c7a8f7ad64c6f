package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// content is what a store holds, with the moments of expiry.
func content(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := s.View(background, func(tx store.Tx) error {
		all, err := tx.List("", "", 100_000)
		for _, e := range all {
			out[e.Key] = string(e.Value) + e.Expires.String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// seeds what a long command then overwrites, deletes and adds to.
func seed(t *testing.T, s store.Store, c *clock.Adjustable) map[string]string {
	t.Helper()
	for n := range 200 {
		put(t, s, fmt.Sprint("there", n), "old", time.Duration(n%3)*time.Hour)
	}
	put(t, s, "past", "old", time.Second)
	err := s.Update(background, func(tx store.Tx) error { return tx.Put("raw", []byte("no JSON \xff\x00"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	c.Set(c.Now().Add(time.Minute), true)
	return content(t, s)
}

// rewrite is a step that overwrites, deletes, adds, and does so again in the next.
func rewrite(tx store.Tx, n int) error {
	return errors.Join(
		things.Put(tx, fmt.Sprint("there", n%200), fmt.Sprint("new", n), 0),
		things.Delete(tx, fmt.Sprint("there", (n+1)%200)),
		things.Put(tx, fmt.Sprint("added", n%150), strings.Repeat("x", 2000), time.Hour),
		things.Put(tx, "past", "new", 0),
		tx.Put("raw", []byte("1"), 0))
}

// long overwrites, and takes it back when it fails, however it does.
func long(t *testing.T, s store.Store, c *clock.Adjustable) {
	before, stop := seed(t, s, c), errors.New("stop")
	steps := func(step store.Step, n int) (err error) {
		for i := 0; i < n && err == nil; i++ {
			err = step(func(tx store.Tx) error { return rewrite(tx, i) })
		}
		return err
	}
	for name, run := range map[string]func() error{
		"at once": func() error { return store.Long(background, s, func(store.Step) error { return stop }) },
		"after many steps": func() error {
			return store.Long(background, s, func(step store.Step) error { return errors.Join(steps(step, 300), stop) })
		},
		"in a step": func() error {
			return store.Long(background, s, func(step store.Step) error {
				bad := func(tx store.Tx) error { return errors.Join(rewrite(tx, 4), stop) }
				return errors.Join(steps(step, 3), step(bad))
			})
		},
		"by a panic": func() (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return store.Long(background, s, func(step store.Step) error { _ = steps(step, 3); panic("long") })
		},
		"when its context ends": func() error {
			ctx, end := context.WithCancel(background)
			return store.Long(ctx, s, func(step store.Step) error {
				err := steps(step, 3)
				end()
				return errors.Join(err, steps(step, 3))
			})
		},
		"when its context ends at the end": func() error {
			ctx, end := context.WithCancel(background)
			return store.Long(ctx, s, func(step store.Step) error { defer end(); return steps(step, 3) })
		},
	} {
		if err := run(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if after := content(t, s); !maps.Equal(before, after) {
			t.Errorf("%s: %d entries of %d are as before", name, same(before, after), len(before))
		}
	}
	if err := store.Long(background, s, func(step store.Step) error { return steps(step, 300) }); err != nil {
		t.Fatal(err)
	}
	want(t, s, "added149", strings.Repeat("x", 2000))
	want(t, s, "past", "new")
	for key := range content(t, s) {
		if !strings.HasPrefix(key, things.Prefix()) && key != "raw" {
			t.Errorf("%s stays behind", key)
		}
	}
}

func same(a, b map[string]string) (n int) {
	for k, v := range a {
		if b[k] == v {
			n++
		}
	}
	return n
}

// claims lets nobody else write what a long command wrote, and disturbs nobody
// otherwise.
func claims(t *testing.T, s store.Store, c *clock.Adjustable) {
	before := seed(t, s, c)
	err := store.LongAs(background, s, "an import", func(step store.Step) error {
		first := step(func(tx store.Tx) error {
			return errors.Join(
				things.Put(tx, "there1", "long", 0), things.Delete(tx, "there2"), things.Put(tx, "new", "long", 0))
		})
		for _, id := range []string{"there1", "there2", "new"} {
			save := things.Save(background, s, id, "other", 0)
			remove := s.Update(background, func(tx store.Tx) error { return things.Delete(tx, id) })
			if !problem.Is(save, problem.StoreClaimed) || !problem.Is(remove, problem.StoreClaimed) ||
				!strings.Contains(save.Error(), "an import") {
				t.Errorf("%s was written: %v, %v", id, save, remove)
			}
			other := store.LongAs(background, s, "another", func(step store.Step) error {
				return errors.Join(
					step(func(tx store.Tx) error { return things.Put(tx, "there50", "another", 0) }),
					step(func(tx store.Tx) error { return things.Put(tx, id, "another", 0) }))
			})
			if !problem.Is(other, problem.StoreClaimed) {
				t.Errorf("another long command wrote %s: %v", id, other)
			}
		}
		want(t, s, "there50", "old")
		put(t, s, "free", "other", 0)
		if err := store.Recover(background, s); err != nil {
			t.Error(err)
		}
		want(t, s, "new", "long") // what is done so far is seen, and spared by Recover
		beside := store.Long(background, s, func(step store.Step) error {
			return step(func(tx store.Tx) error { return things.Put(tx, "beside", "1", 0) })
		})
		return errors.Join(first, beside, errors.New("stop"))
	})
	if err == nil || problem.Is(err, problem.StoreClaimed) {
		t.Fatal(err)
	}
	want(t, s, "free", "other")
	want(t, s, "beside", "1")
	for _, id := range []string{"free", "beside"} {
		before[things.Key(id)] = content(t, s)[things.Key(id)]
	}
	if after := content(t, s); !maps.Equal(before, after) {
		t.Errorf("%d entries of %d are as before", same(before, after), len(before))
	}
	put(t, s, "there1", "free again", 0)
}

// longTogether runs long commands at once over the same entries: each is done
// as a whole or not at all.
func longTogether(t *testing.T, s store.Store, _ *clock.Adjustable) {
	const accounts, commands = 40, 12
	balance := store.Collection[int]("balance")
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for n := range commands {
		wg.Go(func() {
			order := rand.New(rand.NewPCG(uint64(n), 1)).Perm(accounts)
			err := store.Long(background, s, func(step store.Step) error {
				for _, account := range order[:8] {
					err := step(func(tx store.Tx) error {
						v, err := balance.Maybe(tx, fmt.Sprint(account))
						return errors.Join(err, balance.Put(tx, fmt.Sprint(account), v+1, 0))
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				done++
			case !problem.Is(err, problem.StoreClaimed):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sum := 0
	for n := range accounts {
		v, err := balance.LoadMaybe(background, s, fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	if sum != 8*done {
		t.Errorf("%d commands are done and counted %d, want %d", done, sum, 8*done)
	}
}

// longAndReplaced replaces everything while a long command is under way, by what
// was stored in the midst of it.
func longAndReplaced(t *testing.T, s store.Store, c *clock.Adjustable) {
	before := seed(t, s, c)
	err := store.Long(background, s, func(step store.Step) error {
		first := step(func(tx store.Tx) error { return rewrite(tx, 1) })
		var copied []store.Entry
		read := s.View(background, func(tx store.Tx) (err error) { copied, err = tx.List("", "", 100_000); return err })
		replace(t, s, store.Replacement{Fill: func(put func(store.Entry) error) (err error) {
			for _, e := range copied {
				err = errors.Join(err, put(e))
			}
			return err
		}})
		if after := content(t, s); !maps.Equal(before, after) {
			t.Errorf("after the replacement %d entries of %d are as before", same(before, after), len(before))
		}
		return errors.Join(first, read, step(func(tx store.Tx) error { return rewrite(tx, 2) }))
	})
	if !problem.Is(err, problem.StoreReplaced) {
		t.Fatal(err)
	}
	if after := content(t, s); !maps.Equal(before, after) {
		t.Errorf("%d entries of %d are as before", same(before, after), len(before))
	}
}

// each writes items in steps, all or none.
func each(t *testing.T, s store.Store, _ *clock.Adjustable) {
	stop := errors.New("stop")
	items := func(n int, last error) func(func(int, error) bool) {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if last != nil {
				yield(0, last)
			}
		}
	}
	write := func(tx store.Tx, n int) error { return things.Put(tx, fmt.Sprint(n), "1", 0) }
	if err := store.Each(background, s, "each", items(500, stop), write, nil); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if n := len(everything(t, s)); n != 0 {
		t.Errorf("%d entries stay", n)
	}
	last := 0
	if err := store.Each(background, s, "each", items(5000, nil), write, func(n int) {
		if n <= last {
			t.Errorf("%d after %d", n, last)
		}
		last = n
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(everything(t, s)); n != 5000 || last != 5000 {
		t.Errorf("%d entries, %d told, want 5000", n, last)
	}
}
