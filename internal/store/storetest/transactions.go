package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// together runs the functions as updates that begin at once, and returns their
// errors.
func together(s store.Store, fns []func(store.Tx) error) []error {
	errs := make([]error, len(fns))
	var ready, all sync.WaitGroup
	ready.Add(len(fns))
	for i, fn := range fns {
		all.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = s.Update(background, fn)
		})
	}
	all.Wait()
	return errs
}

// failsAlone has one bad transaction among fifty good ones, of each sort.
func failsAlone(t *testing.T, s store.Store, _ *clock.Adjustable) {
	stop := errors.New("stop")
	for name, bad := range map[string]func(store.Tx) error{
		"an error":           func(store.Tx) error { return stop },
		"a panic":            func(store.Tx) error { panic("bad") },
		"a long key":         func(tx store.Tx) error { return things.Put(tx, strings.Repeat("k", 40_000), "v", 0) },
		"a large value":      func(tx store.Tx) error { return things.Put(tx, "v", strings.Repeat("v", 2<<20), 0) },
		"no key":             func(tx store.Tx) error { return tx.Put("", []byte("1"), 0) },
		"an ended goroutine": func(store.Tx) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			fns := make([]func(store.Tx) error, 51)
			for i := range fns {
				fns[i] = func(tx store.Tx) error { return things.Put(tx, fmt.Sprint(name, i), "good", 0) }
			}
			fns[25] = func(tx store.Tx) error {
				return errors.Join(things.Put(tx, name+"bad", "half", 0), bad(tx))
			}
			errs := together(s, fns)
			for i, err := range errs {
				switch {
				case i != 25 && err != nil:
					t.Errorf("good transaction %d: %v", i, err)
				case i != 25:
					want(t, s, fmt.Sprint(name, i), "good")
				}
			}
			// A goroutine that ended itself has nobody to tell, where it is the caller's.
			if errs[25] == nil && name != "an ended goroutine" {
				t.Error("the bad transaction has no error")
			}
			want(t, s, name+"bad", "")
		})
	}
}

// bounded writes entries at the edge of what is allowed.
func bounded(t *testing.T, s store.Store, _ *clock.Adjustable) {
	write := func(key string, size int) error {
		value := []byte(strings.Repeat("1", size))
		return s.Update(background, func(tx store.Tx) error { return tx.Put(key, value, 0) })
	}
	const key, val = store.MaxKey - 64, store.MaxValue - 64
	for name, c := range map[string]struct {
		key  string
		size int
		code string
	}{
		"the longest key":    {strings.Repeat("k", key), 1, ""},
		"the largest value":  {"v", val, ""},
		"an empty value":     {"empty", 0, ""},
		"a key too long":     {strings.Repeat("k", store.MaxKey), 1, "store-key-long"},
		"a key of 40 KB":     {strings.Repeat("\xff", 40_000), 1, "store-key-long"},
		"no key":             {"", 1, "store-key-empty"},
		"a value too large":  {"v2", store.MaxValue + 1, "store-value-large"},
		"a value of 100 MiB": {"v3", 100 << 20, "store-value-large"},
	} {
		err := write(c.key, c.size)
		if c.code == "" && err != nil || c.code != "" && !problem.Is(err, c.code) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
			continue
		}
		if c.code == "" {
			continue
		}
		p := problem.From(err)
		if p.Kind.Status()/100 != 4 || c.key != "" && p.Received == "" || p.Expected == "" || len(p.Error()) > 500 {
			t.Errorf("%s is refused without saying what was received and what is allowed: %v", name, p)
		}
		read := s.View(background, func(tx store.Tx) error { _, err := tx.Get(c.key); return err })
		if !errors.Is(read, store.ErrNotFound) {
			t.Errorf("%s can be read: %v", name, read)
		}
	}
	long := strings.Repeat("k", 40_000)
	if err := s.Update(background, func(tx store.Tx) error { return tx.Delete(long) }); err != nil {
		t.Errorf("deleting what cannot be there: %v", err)
	}
}

// nested opens a transaction within another, which panics in tests.
func nested(t *testing.T, s store.Store, _ *clock.Adjustable) {
	nothing := func(store.Tx) error { return nil }
	openings := map[string]func() error{
		"Update":  func() error { return s.Update(background, nothing) },
		"View":    func() error { return s.View(background, nothing) },
		"Sweep":   func() error { _, err := s.Sweep(background); return err },
		"Replace": func() error { _, err := s.Replace(background, store.Replacement{}); return err },
		"Long":    func() error { return store.Long(background, s, func(store.Step) error { return nil }) },
	}
	outer := map[string]func(context.Context, func(store.Tx) error) error{"Update": s.Update, "View": s.View}
	for name, run := range outer {
		for what, open := range openings {
			t.Run(what+" within "+name, func(t *testing.T) {
				err := panics(func() error {
					return run(background, func(tx store.Tx) error {
						_ = tx.Put("a", []byte("1"), 0)
						return open()
					})
				})
				if !errors.Is(err, store.ErrNested) || !problem.Is(err, problem.TransactionNested) ||
					!strings.Contains(err.Error(), what+" within "+name) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	// Nobody else is disturbed, and other goroutines are not within.
	err := s.Update(background, func(tx store.Tx) error {
		read := make(chan error)
		go func() { read <- s.View(background, nothing) }()
		return errors.Join(<-read, things.Put(tx, "b", "1", 0))
	})
	if err != nil {
		t.Error(err)
	}
	want(t, s, "a", "")
	want(t, s, "b", "1")
}

// panics makes an error of a panic with one; anything else is none.
func panics(fn func() error) (err error) {
	defer func() {
		if r, ok := recover().(error); ok {
			err = r
		}
	}()
	if err := fn(); err != nil {
		return fmt.Errorf("it did not panic: %s", err)
	}
	return nil
}

// farAway puts the clock to its ends and beyond.
func farAway(t *testing.T, s store.Store, c *clock.Adjustable) {
	for _, year := range []int{1, 1969, 1970, 2000, 2261, 2262, 2263, 9999} {
		c.Set(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC), true)
		id := fmt.Sprint(year)
		put(t, s, id, "1", time.Hour)
		put(t, s, id+"forever", "1", store.Forever)
		want(t, s, id, "1")
		if _, err := s.Sweep(background); err != nil {
			t.Error(err)
		}
		want(t, s, id+"forever", "1")
		if year > 1970 {
			want(t, s, id, "1")
		}
	}
}

// sweptInSteps expires many entries at once.
func sweptInSteps(t *testing.T, s store.Store, c *clock.Adjustable) {
	const many = 12_000
	for from := 0; from < many; from += 1000 {
		err := s.Update(background, func(tx store.Tx) error {
			for n := from; n < from+1000; n++ {
				if err := things.Put(tx, fmt.Sprint(n), "1", time.Minute); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "kept", "1", time.Hour)
	put(t, s, "0", "renewed", time.Hour)
	c.Set(c.Now().Add(time.Minute), true)
	steps := 0
	for n := 1; n > 0; steps++ {
		var err error
		if n, err = s.Sweep(background); err != nil {
			t.Fatal(err)
		}
		if n > many/2 {
			t.Fatalf("%d in one step", n)
		}
	}
	if got := everything(t, s); len(got) != 2 {
		t.Errorf("%d entries are left", len(got))
	}
	want(t, s, "0", "renewed")
}

// ownListing lists what a transaction wrote among what was there, page by page.
func ownListing(t *testing.T, s store.Store, _ *clock.Adjustable) {
	for n := 0; n < 300; n += 3 {
		put(t, s, fmt.Sprintf("%03d", n), "there", store.Forever)
	}
	err := s.Update(background, func(tx store.Tx) error {
		for n := 299; n >= 0; n-- {
			var err error
			switch n % 3 {
			case 1:
				err = things.Put(tx, fmt.Sprintf("%03d", n), "own", 0)
			case 0:
				if n%6 == 0 {
					err = things.Delete(tx, fmt.Sprintf("%03d", n))
				}
			}
			if err != nil {
				return err
			}
		}
		var seen []string
		for after := ""; ; {
			page, err := tx.List(things.Prefix(), after, 7)
			if err != nil {
				return err
			}
			for _, e := range page {
				seen = append(seen, things.ID(e.Key)+string(e.Value))
				after = e.Key
			}
			if len(page) < 7 {
				break
			}
		}
		i := 0
		for n := range 300 {
			expect := ""
			switch {
			case n%3 == 1:
				expect = fmt.Sprintf(`%03d"own"`, n)
			case n%6 == 3:
				expect = fmt.Sprintf(`%03d"there"`, n)
			default:
				continue
			}
			if i >= len(seen) || seen[i] != expect {
				return fmt.Errorf("at %d: %q, want %q", i, seen[min(i, len(seen)-1)], expect)
			}
			i++
		}
		if i != len(seen) {
			return fmt.Errorf("%d listed, want %d", len(seen), i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
