package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

var background = context.Background()

// value is how the collection things keeps a string.
func value(v string) []byte { return []byte(`"` + v + `"`) }

// everything lists what the store holds.
func everything(t *testing.T, s store.Store) (keys []string) {
	t.Helper()
	err := s.View(background, func(tx store.Tx) error {
		all, err := tx.List("", "", 100_000)
		for _, e := range all {
			keys = append(keys, e.Key)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// with is a content of one thing.
func with(id, v string) func(func(store.Entry) error) error {
	return func(put func(store.Entry) error) error { return put(store.Entry{Key: things.Key(id), Value: value(v)}) }
}

func replace(t *testing.T, s store.Store, r store.Replacement) {
	t.Helper()
	if _, err := s.Replace(background, r); err != nil {
		t.Fatal(err)
	}
}

func replaced(t *testing.T, s store.Store, c *clock.Adjustable) {
	for i := range 20 {
		put(t, s, fmt.Sprint("old", i), "old", store.Forever)
	}
	put(t, s, "both", "old", time.Minute)
	ctx, stop := context.WithCancel(background)
	defer stop()
	keys := s.Watch(ctx, things.Prefix())
	long := bytes.Repeat([]byte("x"), 300_000)
	replace(t, s, store.Replacement{Fill: func(put func(store.Entry) error) error {
		for i := range 50 { // several commits
			if err := put(store.Entry{Key: fmt.Sprintf("bulk/%05d", i), Value: long}); err != nil {
				return err
			}
		}
		return errors.Join(
			put(store.Entry{Key: things.Key("both"), Value: value("first")}),
			put(store.Entry{Key: things.Key("both"), Value: value("new")}),
			put(store.Entry{Key: things.Key("short"), Value: value("1"), Expires: c.Now().Add(time.Minute)}),
			put(store.Entry{Key: things.Key("past"), Value: value("1"), Expires: c.Now().Add(-time.Minute)}))
	}})
	if k := <-keys; k != things.Prefix() {
		t.Errorf("the watcher hears of %q, want its prefix", k)
	}
	if n := len(everything(t, s)); n != 52 {
		t.Errorf("%d entries, want 52", n)
	}
	want(t, s, "both", "new")
	want(t, s, "short", "1")
	c.Set(c.Now().Add(time.Hour), true)
	want(t, s, "both", "new")
	want(t, s, "short", "")
	if n, err := s.Sweep(background); n != 2 || err != nil {
		t.Errorf("swept %d, %v; want 2", n, err)
	}
	put(t, s, "later", "1", store.Forever)
	want(t, s, "later", "1")
}

func notReplaced(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "a", "old", store.Forever)
	stop := errors.New("stop")
	fails := func(store.Tx, store.Tx) error { return stop }
	for name, r := range map[string]store.Replacement{
		"fill fails": {Fill: func(put func(store.Entry) error) error {
			return errors.Join(with("a", "new")(put), stop)
		}},
		"an entry is too large": {Fill: func(put func(store.Entry) error) error {
			long := store.Entry{Key: strings.Repeat("k", 40_000), Value: []byte("1")}
			return errors.Join(with("a", "new")(put), put(long))
		}},
		"an entry has no name": {Fill: func(put func(store.Entry) error) error {
			return put(store.Entry{Value: []byte("1")})
		}},
		"the end fails":       {Fill: with("a", "new"), Last: fails},
		"the end panics":      {Fill: with("a", "new"), Last: func(store.Tx, store.Tx) error { panic("last") }},
		"what follows fails":  {Fill: with("a", "new"), Then: func() error { return stop }},
		"what follows panics": {Fill: with("a", "new"), Then: func() error { panic("then") }},
	} {
		if _, err := s.Replace(background, r); err == nil || errors.Is(err, store.ErrPutBack) != (r.Then != nil) {
			t.Errorf("%s: %v", name, err)
		}
		want(t, s, "a", "old")
	}
	ctx, end := context.WithCancel(background)
	fill := func(put func(store.Entry) error) error { err := with("a", "new")(put); end(); return err }
	if _, err := s.Replace(ctx, store.Replacement{Fill: fill}); err == nil {
		t.Error("the context ended, and it was replaced")
	}
	put(t, s, "b", "1", store.Forever)
	want(t, s, "a", "old")
	replace(t, s, store.Replacement{Fill: with("a", "new")})
	want(t, s, "a", "new")
	want(t, s, "b", "")
}

// lastOfReplaced takes along what must not be lost, and then the new content
// serves.
func lastOfReplaced(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "secret", "kept", time.Hour)
	put(t, s, "a", "old", store.Forever)
	then := false
	replace(t, s, store.Replacement{Fill: with("a", "new"), Last: func(was, now store.Tx) error {
		v, err := things.Get(was, "secret")
		if err != nil {
			return err
		}
		if w, err := things.Get(now, "a"); w != "new" || err != nil {
			return fmt.Errorf("the new content holds %q, %v", w, err)
		}
		if err := things.Put(was, "x", "x", store.Forever); err == nil {
			return errors.New("the former content could be written")
		}
		return things.Put(now, "secret", v, store.Forever)
	}, Then: func() error {
		then = true
		put(t, s, "then", "1", store.Forever)
		return nil
	}})
	want(t, s, "secret", "kept")
	want(t, s, "a", "new")
	want(t, s, "then", "1")
	if !then {
		t.Error("what follows did not run")
	}
}

func oneReplacement(t *testing.T, s store.Store, _ *clock.Adjustable) {
	replace(t, s, store.Replacement{Fill: func(put func(store.Entry) error) error {
		_, err := s.Replace(background, store.Replacement{Fill: with("a", "second")})
		if !errors.Is(err, store.ErrReplacing) || !problem.Is(err, problem.StoreReplacing) {
			t.Errorf("the second is answered %v", err)
		}
		return with("a", "first")(put)
	}})
	want(t, s, "a", "first")
}

// replacedUnderLoad has a reader that stays for the whole of it, and writers that
// never wait for it.
func replacedUnderLoad(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "generation", "0", store.Forever)
	reading, release := make(chan struct{}), make(chan struct{})
	var slow, writers sync.WaitGroup
	slow.Go(func() {
		err := s.View(background, func(tx store.Tx) error {
			close(reading)
			<-release
			if v, err := things.Get(tx, "generation"); v != "0" || err != nil {
				t.Errorf("the slow reader reads %q, %v", v, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-reading
	ctx, stop := context.WithCancel(background)
	for w := range 4 {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := things.Save(background, s, fmt.Sprintf("w%d-%d", w, n%50), "v", time.Minute); err != nil {
					t.Error(err)
				}
				if _, err := things.Load(background, s, "generation"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := 1; n <= 5; n++ {
		replace(t, s, store.Replacement{Fill: with("generation", fmt.Sprint(n))})
		want(t, s, "generation", fmt.Sprint(n))
	}
	stop()
	writers.Wait()
	close(release)
	slow.Wait()
}
