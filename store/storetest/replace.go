package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pscemu/clock"
	"pscemu/problem"
	"pscemu/store"
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

func replaced(t *testing.T, s store.Store, c *clock.Adjustable) {
	for i := range 100 {
		put(t, s, fmt.Sprint("old", i), "old", store.Forever)
	}
	put(t, s, "both", "old", time.Minute)
	ctx, stop := context.WithCancel(background)
	defer stop()
	keys := s.Watch(ctx, things.Prefix())
	long := bytes.Repeat([]byte("x"), 30_000)
	err := s.Replace(background, func(put store.PutFunc) error {
		for i := range 1000 { // several commits
			if err := put(fmt.Sprintf("bulk/%05d", i), long, time.Time{}); err != nil {
				return err
			}
		}
		return errors.Join(
			put(things.Key("both"), value("first"), time.Time{}),
			put(things.Key("both"), value("new"), time.Time{}),
			put(things.Key("short"), value("1"), c.Now().Add(time.Minute)),
			put(things.Key("past"), value("1"), c.Now().Add(-time.Minute)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if k := <-keys; k != things.Prefix() {
		t.Errorf("the watcher hears of %q, want its prefix", k)
	}
	if n := len(everything(t, s)); n != 1002 {
		t.Errorf("%d entries, want 1002", n)
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
	fill := func(put store.PutFunc) error { return put(things.Key("a"), value("new"), time.Time{}) }
	ended, end := context.WithCancel(background)
	for name, replace := range map[string]func() error{
		"fill fails": func() error {
			return s.Replace(background, func(put store.PutFunc) error { return errors.Join(fill(put), stop) })
		},
		"the context ends": func() error {
			return s.Replace(ended, func(put store.PutFunc) error { err := fill(put); end(); return err })
		},
		"it is judged": func() error {
			return s.Replace(background, fill, store.Judge(func(store.Tx) error { return stop }))
		},
		"a judge would write": func() error {
			return s.Replace(background, fill, store.Judge(func(tx store.Tx) error { return tx.Delete("a") }))
		},
		"carrying fails": func() error {
			return s.Replace(background, fill, store.Carry(func(_, _ store.Tx) error { return stop }))
		},
		"a judge panics": func() error {
			return s.Replace(background, fill, store.Judge(func(store.Tx) error { panic("judge") }))
		},
	} {
		if err := replace(); err == nil {
			t.Errorf("%s: no error", name)
		}
		want(t, s, "a", "old")
	}
	put(t, s, "b", "1", store.Forever)
	if err := s.Replace(background, fill); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "new")
	want(t, s, "b", "")
}

func judgedAndCarried(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "secret", "kept", time.Hour)
	put(t, s, "a", "old", store.Forever)
	err := s.Replace(background, func(put store.PutFunc) error {
		return put(things.Key("a"), value("new"), time.Time{})
	}, store.Judge(func(tx store.Tx) error {
		if v, err := things.Get(tx, "a"); v != "new" || err != nil {
			return fmt.Errorf("the judge sees %q, %v", v, err)
		}
		return nil
	}), store.Carry(func(former, now store.Tx) error {
		v, err := things.Get(former, "secret")
		if err != nil {
			return err
		}
		if w, err := things.Get(now, "a"); w != "new" || err != nil {
			return fmt.Errorf("the new content holds %q, %v", w, err)
		}
		if err := things.Put(former, "x", "x", store.Forever); err == nil {
			return errors.New("the former content could be written")
		}
		return things.Put(now, "secret", v, store.Forever)
	}))
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, "secret", "kept")
	want(t, s, "a", "new")
}

func oneReplacement(t *testing.T, s store.Store, _ *clock.Adjustable) {
	err := s.Replace(background, func(put store.PutFunc) error {
		if err := s.Replace(background, func(store.PutFunc) error { return nil }); !problem.Is(err, "store-replacing") {
			t.Errorf("the second is answered %v", err)
		}
		return put(things.Key("a"), value("first"), time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "first")
}

// replacedUnderLoad has readers that stay for the whole of it, and writers that
// never wait for them.
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
		err := s.Replace(background, func(put store.PutFunc) error {
			return put(things.Key("generation"), value(fmt.Sprint(n)), time.Time{})
		})
		if err != nil {
			t.Error(err)
		}
		want(t, s, "generation", fmt.Sprint(n))
	}
	stop()
	writers.Wait()
	close(release)
	slow.Wait()
}
