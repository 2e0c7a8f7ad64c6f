package store_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

func TestStoresInMemoryShareABudgetAndGiveItBack(t *testing.T) {
	ctx, budget := context.Background(), store.NewBudget(1<<20)
	c := &clock.Adjustable{}
	a, b := store.NewMemory(c, store.Within(budget)), store.NewMemory(c, store.Within(budget))
	fill := func(s store.Store) (n int) {
		for ; things.Save(ctx, s, fmt.Sprint(n), strings.Repeat("x", 10_000), time.Minute) == nil; n++ {
			if n > 200 {
				t.Fatal("nothing bounds it")
			}
		}
		return n
	}
	first := fill(a)
	full := things.Save(ctx, b, "x", strings.Repeat("x", 10_000), time.Minute)
	if !problem.Is(full, "store-full") {
		t.Fatalf("what the first took is free for the second: %v", full)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if second := fill(b); second != first {
		t.Errorf("%d fit, %d before", second, first)
	}
	c.Set(c.Now().Add(time.Hour), true)
	for n := 1; n > 0; {
		n, _ = b.Sweep(ctx)
	}
	if used := b.Figures().Used; used != 0 {
		t.Errorf("%d bytes are in use of an empty store", used)
	}
	if again := fill(b); again != first {
		t.Errorf("%d fit after the sweep, %d before", again, first)
	}
	if _, err := b.Replace(
		ctx,
		store.Replacement{Fill: func(func(store.Entry) error) error { return nil }},
	); err != nil {
		t.Fatal(err)
	}
	if used := b.Figures().Used; used != 0 {
		t.Errorf("%d bytes are in use of a store that was emptied", used)
	}
}

// Two minutes of two thousand requests a second, each with an entry that lives
// ten seconds: memory is that of ten seconds, whatever came before.
func TestWhatExpiresInMemoryLeavesNothing(t *testing.T) {
	ctx, c := context.Background(), &clock.Adjustable{}
	c.Set(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), true)
	s := store.NewMemory(c)
	var at20 uint64
	id := 0
	for second := range 120 {
		for range 20 {
			err := s.Update(ctx, func(tx store.Tx) error {
				for range 100 {
					id++
					err := things.Put(tx, fmt.Sprint(id), "a login: "+strings.Repeat("x", 200), 10*time.Second)
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		c.Set(c.Now().Add(time.Second), true)
		for n := 1; n > 0; {
			var err error
			if n, err = s.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if second == 20 {
			at20 = heap()
		}
	}
	if after := heap(); after > at20+at20/4 {
		t.Errorf("%d KiB after 20 seconds, %d KiB after 120", at20>>10, after>>10)
	}
	if used := s.Figures().Used; used > 20_000*800 {
		t.Errorf("%d bytes in use", used)
	}
	runtime.KeepAlive(s)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What Figures says is near what the entries really take.
func TestBytesInMemoryAreReckonedAsTheyAre(t *testing.T) {
	ctx, s := context.Background(), store.NewMemory(&clock.Adjustable{})
	for name, size := range map[string]int{"small": 20, "middling": 500, "large": 20_000} {
		before, used := heap(), s.Figures().Used
		n := 4_000_000 / (size + 200)
		for i := range n {
			value, ttl := strings.Repeat("x", size), time.Duration(i%2)*time.Hour
			if err := things.Save(ctx, s, fmt.Sprint(name, i), value, ttl); err != nil {
				t.Fatal(err)
			}
		}
		took, said := int64(heap()-before), s.Figures().Used-used
		if said < took*2/3 || said > took*3/2 {
			t.Errorf("%s: %d bytes each, reckoned %d", name, took/int64(n), said/int64(n))
		}
	}
}
