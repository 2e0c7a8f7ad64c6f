// Package storetest is the suite that every implementation of store.Store
// must pass.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// Open makes an empty store on the given clock.
type Open func(t *testing.T, c clock.Clock) store.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for name, check := range map[string]func(*testing.T, store.Store, *clock.Adjustable){
		"a written value is read back":              readBack,
		"a failed update leaves nothing":            allOrNothing,
		"a transaction sees its own writes":         ownWrites,
		"an absent entry may be asked for":          absent,
		"an entry is gone when its time has passed": expiry,
		"a rewritten entry outlives its first time": rewritten,
		"listing pages through a prefix in order":   pages,
		"concurrent updates lose nothing":           concurrent,
		"a watcher hears of its prefix only":        watch,
		"ids with slashes do not clash":             slashes,
		"a replacement is the whole content":        replaced,
		"a replacement that fails changes nothing":  notReplaced,
		"the end of a replacement sees both":        lastOfReplaced,
		"one replacement runs at a time":            oneReplacement,
		"everybody goes on during a replacement":    replacedUnderLoad,
		"a transaction fails alone":                 failsAlone,
		"keys and values have bounds":               bounded,
		"a transaction within another is refused":   nested,
		"far years are kept":                        farAway,
		"much that expired is swept in steps":       sweptInSteps,
		"own writes are listed among the others":    ownListing,
		"a long command is all or nothing":          long,
		"a long command claims what it wrote":       claims,
		"long commands at once are each whole":      longTogether,
		"a long command may be overtaken":           longAndReplaced,
		"items are written in steps":                each,
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock.Adjustable{}
			c.Set(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), true)
			s := open(t, c)
			t.Cleanup(func() { _ = s.Close() })
			check(t, s, c)
		})
	}
}

var things = store.Collection[string]("things")

func put(t *testing.T, s store.Store, id, v string, ttl time.Duration) {
	t.Helper()
	if err := things.Save(context.Background(), s, id, v, ttl); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, s store.Store, id, v string) {
	t.Helper()
	got, err := things.Load(context.Background(), s, id)
	if v == "" {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s: got %q, %v; want not found", id, got, err)
		}
		return
	}
	if err != nil || got != v {
		t.Fatalf("%s: got %q, %v; want %q", id, got, err, v)
	}
}

func readBack(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "a", "1", store.Forever)
	want(t, s, "a", "1")
	if err := s.Update(context.Background(), func(tx store.Tx) error { return things.Delete(tx, "a") }); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "")
	if err := s.View(context.Background(), func(tx store.Tx) error { return things.Put(tx, "a", "x", 0) }); err == nil {
		t.Fatal("a read transaction accepted a write")
	}
}

func allOrNothing(t *testing.T, s store.Store, _ *clock.Adjustable) {
	stop := errors.New("stop")
	err := s.Update(context.Background(), func(tx store.Tx) error {
		_ = things.Put(tx, "a", "1", 0)
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	want(t, s, "a", "")
}

func ownWrites(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "b", "old", 0)
	put(t, s, "d", "4", 0)
	err := s.Update(context.Background(), func(tx store.Tx) error {
		_ = things.Put(tx, "a", "1", 0)
		_ = things.Put(tx, "b", "2", 0)
		_ = things.Put(tx, "c", "3", 0)
		_ = things.Delete(tx, "d")
		if v, err := things.Get(tx, "b"); err != nil || v != "2" {
			return fmt.Errorf("b is %q, %v", v, err)
		}
		all, err := things.List(tx, "", 10)
		if fmt.Sprint(all) != "[1 2 3]" {
			return fmt.Errorf("listed %v, %v", all, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func absent(t *testing.T, s store.Store, c *clock.Adjustable) {
	ctx := context.Background()
	put(t, s, "a", "1", 0)
	put(t, s, "b", "2", time.Minute)
	put(t, s, "c", "3", 0)
	c.Set(c.Now().Add(time.Hour), true)
	if v, err := things.LoadMaybe(ctx, s, "b"); v != "" || err != nil {
		t.Errorf("the expired one is %q, %v; want nothing and no error", v, err)
	}
	err := s.View(ctx, func(tx store.Tx) error {
		those, err := things.Those(tx, []string{"c", "b", "never", "a"})
		if fmt.Sprint(those) != "[3 1]" {
			t.Errorf("those are %v, %v; want [3 1]", those, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func expiry(t *testing.T, s store.Store, c *clock.Adjustable) {
	put(t, s, "short", "1", time.Minute)
	put(t, s, "long", "2", time.Hour)
	c.Set(c.Now().Add(time.Minute), true)
	want(t, s, "short", "")
	want(t, s, "long", "2")
	if n, err := s.Sweep(context.Background()); n != 1 || err != nil {
		t.Fatalf("swept %d, %v; want 1", n, err)
	}
	want(t, s, "long", "2")
}

func rewritten(t *testing.T, s store.Store, c *clock.Adjustable) {
	put(t, s, "a", "1", time.Minute)
	put(t, s, "a", "2", store.Forever)
	c.Set(c.Now().Add(time.Hour), true)
	if _, err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "2")
}

func pages(t *testing.T, s store.Store, _ *clock.Adjustable) {
	for i := range 5 {
		put(t, s, fmt.Sprintf("id%d", i), fmt.Sprint(i), 0)
	}
	other := store.Collection[string]("thingsmore")
	_ = other.Save(context.Background(), s, "x", "no", 0)
	var seen []string
	for after := ""; ; {
		page, err := things.Page(context.Background(), s, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, page...)
		if len(page) < 2 {
			break
		}
		after = "id" + page[len(page)-1]
	}
	if fmt.Sprint(seen) != "[0 1 2 3 4]" {
		t.Fatalf("saw %v", seen)
	}
}

func concurrent(t *testing.T, s store.Store, _ *clock.Adjustable) {
	counter := store.Collection[int]("counter")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := s.Update(context.Background(), func(tx store.Tx) error {
				n, err := counter.Get(tx, "n")
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return counter.Put(tx, "n", n+1, 0)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := counter.Load(context.Background(), s, "n"); n != 50 || err != nil {
		t.Fatalf("counted %d, %v; want 50", n, err)
	}
}

func watch(t *testing.T, s store.Store, _ *clock.Adjustable) {
	ctx, cancel := context.WithCancel(context.Background())
	keys := s.Watch(ctx, things.Prefix())
	_ = store.Collection[string]("other").Save(ctx, s, "x", "1", 0)
	put(t, s, "a", "1", 0)
	if k := <-keys; k != things.Key("a") {
		t.Fatalf("heard of %q", k)
	}
	cancel()
	if _, open := <-keys; open {
		t.Fatal("the channel stays open after the context ended")
	}
}

func slashes(t *testing.T, s store.Store, _ *clock.Adjustable) {
	put(t, s, "500/1", "slash", 0)
	put(t, s, "500%2F1", "escaped", 0)
	want(t, s, "500/1", "slash")
	want(t, s, "500%2F1", "escaped")
	if id := things.ID(things.Key("500/1")); id != "500/1" {
		t.Fatalf("id came back as %q", id)
	}
}
