package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// ordersWorld is a desk of which only the store and the clock are used.
func ordersWorld(t *testing.T) (*Desk, *clock.Adjustable) {
	t.Helper()
	c := &clock.Adjustable{}
	if err := c.Set(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), true); err != nil {
		t.Fatal(err)
	}
	return &Desk{store: store.NewMemory(c), clock: c}, c
}

func (d *Desk) begun(t *testing.T) string {
	t.Helper()
	o, err := d.Begin(context.Background(), Order{Form: "F414", Actor: "liberal", Fields: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func (d *Desk) listed(t *testing.T, limit int) (out []string) {
	t.Helper()
	for after := ""; ; {
		page, err := d.List(context.Background(), after, limit+1)
		if err != nil {
			t.Fatal(err)
		}
		page, after = store.Cut(page, limit, func(o *Order) string { return o.ID })
		for _, o := range page {
			out = append(out, o.ID)
		}
		if after == "" {
			return out
		}
	}
}

func TestOrdersAreListedTheNewestFirstWhateverTheClock(t *testing.T) {
	d, c := ordersWorld(t)
	var want []string
	for n := range 12 {
		want = append(want, d.begun(t))
		switch n % 3 { // it stands still, goes on, goes back
		case 1:
			c.Advance(time.Hour)
		case 2:
			c.Advance(-2 * time.Hour)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 5, 12, 100} {
		if got := d.listed(t, limit); !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want %v", limit, got, want)
		}
	}
	if n, err := d.Count(context.Background(), 5); n != 5 || err != nil {
		t.Errorf("counted to 5: %d %v", n, err)
	}
	if _, err := d.List(context.Background(), "nothing", 5); err == nil {
		t.Error("a list goes on behind an order that does not exist")
	}
}

// A data folder of an earlier version has no places; its orders get them by when
// they were begun, those begun meanwhile keep theirs.
func TestOrdersOfAnEarlierVersionAreListedByTheirTime(t *testing.T) {
	d, c := ordersWorld(t)
	var want []string
	for range 250 { // more than a batch
		want = append(want, d.begun(t))
		c.Advance(time.Minute)
	}
	ctx := context.Background()
	err := d.store.Update(ctx, func(tx store.Tx) error {
		for _, id := range want {
			place, err := placeOf.Get(tx, id)
			if err = errors.Join(err, newest.Delete(tx, place), placeOf.Delete(tx, id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(d.listed(t, 1000)) != 0 {
		t.Fatal("the places are not gone", err)
	}
	want = append(want, d.begun(t))
	for range 2 {
		if err := d.IndexOrders(ctx); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(want)
	if got := d.listed(t, 100); !slices.Equal(got, want) {
		t.Errorf("%d orders, want %d, the newest first", len(got), len(want))
	}
}

func TestAListAlongStructuresGoesFromOneToTheNext(t *testing.T) {
	var all []Structure
	where := map[string]string{}
	for s, count := range []int{3, 0, 1, 5} {
		one := Structure{ID: fmt.Sprint(s)}
		for n := range count {
			serial := fmt.Sprintf("%d-%d", s, n)
			one.Cards, where[serial] = append(one.Cards, serial), one.ID
		}
		all = append(all, one)
	}
	of := func(s *Structure, after string, limit int) ([]string, error) {
		rows := s.Cards[slices.Index(s.Cards, after)+1:]
		return rows[:min(len(rows), limit)], nil
	}
	want := "[0-0 0-1 0-2 2-0 3-0 3-1 3-2 3-3 3-4]"
	for limit := 1; limit < 12; limit++ {
		var got []string
		for after := ""; ; {
			rows, err := along(all, where[after], after, limit, of)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, rows...); len(rows) < limit {
				break
			}
			after = rows[len(rows)-1]
		}
		if fmt.Sprint(got) != want {
			t.Errorf("by %d: %v", limit, got)
		}
	}
	// Somebody who no longer acts for the structure of the last row goes on with
	// those behind it.
	rows, err := along(slices.Delete(slices.Clone(all), 2, 3), "2", "2-0", 2, of)
	if fmt.Sprint(rows, err) != "[3-0 3-1] <nil>" {
		t.Errorf("%v %v", rows, err)
	}
}
