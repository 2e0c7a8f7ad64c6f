package store_test

import (
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

func TestStepsAreAsLargeAsOthersCanWaitFor(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		size          int
		writing, step time.Duration
		next          int
	}{
		"quick":                     {16, ms, 3 * ms, 32},
		"quick and large":           {900, ms, 3 * ms, 1000},
		"as it should be":           {200, 10 * ms, 20 * ms, 200},
		"slow to write":             {200, 20 * ms, 25 * ms, 100},
		"one that is slow":          {1, 20 * ms, 25 * ms, 1},
		"slow to commit":            {200, ms, 50 * ms, 100},
		"a slow disk":               {16, ms, 500 * ms, 16},
		"a slow disk, heavy to do":  {16, 16 * ms, 500 * ms, 8},
		"few, with a slow disk":     {3, ms, 500 * ms, 3},
		"heavy, then a slow commit": {24, ms, 500 * ms, 16},
	} {
		if got := store.NextSize(c.size, c.writing, c.step); got != c.next {
			t.Errorf("%s: %d after %d, want %d", name, got, c.size, c.next)
		}
	}
}
