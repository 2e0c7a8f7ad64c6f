package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

func TestAListSaysWhereItGoesOnExactlyWhenItDoes(t *testing.T) {
	id := func(s *string) string { return *s }
	rows := []string{"a", "b", "c"}
	for limit, want := range map[int]string{1: "a", 2: "b", 3: "", 4: "", 0: ""} {
		page, next := store.Cut(rows, limit, id)
		if next != want || limit > 0 && len(page) != min(limit, 3) {
			t.Errorf("limit %d: %v, next %q, want %q", limit, page, next, want)
		}
	}
	if page, next := store.Cut(nil, 3, id); len(page) != 0 || next != "" {
		t.Errorf("of nothing: %v %q", page, next)
	}
}

func TestACountStopsAtItsBound(t *testing.T) {
	c := &clock.Adjustable{}
	s, things := store.NewMemory(c), store.Collection[int]("things")
	ctx := context.Background()
	for n := range 12 {
		ttl := store.Forever
		if n%4 == 0 {
			ttl = time.Minute
		}
		if err := things.Save(ctx, s, fmt.Sprint(n), n, ttl); err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(time.Hour)
	for most, want := range map[int]int{5: 5, 9: 9, 100: 9} {
		if n, err := things.Count(ctx, s, most); err != nil || n != want {
			t.Errorf("to %d: %d %v, want %d", most, n, err, want)
		}
	}
}

func TestTheTimeOfAPlaceIsReadBack(t *testing.T) {
	var places []string
	for _, at := range []time.Time{
		time.Date(1999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 11, 25, 0, 0, 0, 1, time.UTC),
		time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		place := store.NewestFirst(at) + "-ABC"
		if back, err := store.ParseNewestFirst(place); err != nil || !back.Equal(at) {
			t.Errorf("%s: %s %v", at, back, err)
		}
		places = append(places, place)
	}
	slices.Reverse(places)
	if !slices.IsSorted(places) {
		t.Errorf("not the newest first: %v", places)
	}
	for _, bad := range []string{"", "x", "2", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
		if at, err := store.ParseNewestFirst(bad); err == nil {
			t.Errorf("%q is %s", bad, at)
		}
	}
}
