package store

import (
	"fmt"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// What one entry may measure, in bytes. It is judged where it enters, so that no
// backend is handed what it cannot keep: bbolt takes keys of 32 KiB, etcd
// requests of 1.5 MiB. Ids have some dozen characters, and the longest record, a
// structure with ten thousand cards, takes 200 KiB.
const (
	MaxKey   = 1 << 10 // with the collection's name, and the ids as they are escaped
	MaxValue = 1 << 20
)

// What a command may write is a little less: a long command keeps the entry, with
// its name, as one.
const (
	putKey   = MaxKey - undoExtra
	putValue = MaxValue - undoFrame
)

// fits refuses an entry that is too large to be written.
func fits(key string, value []byte) error {
	switch {
	case key == "":
		return problem.New(problem.Invalid, "store-key-empty", "an entry needs a name").Want("an id")
	case len(key) > putKey:
		return problem.New(problem.Invalid, "store-key-long", "this id is too long to be kept").
			Got(fmt.Sprintf("%s… (%d bytes, written as a key)", beginning(key), len(key))).
			Want(fmt.Sprintf("%d bytes at most", putKey)).Do("use a shorter id")
	case len(value) > putValue:
		return problem.New(problem.TooLarge, "store-value-large", "this is too large to be kept as one record").
			Got(fmt.Sprintf("%d bytes for %s", len(value), beginning(key))).
			Want(fmt.Sprintf("%d bytes at most", putValue)).Do("shorten its longest text or list")
	}
	return nil
}

// stored refuses an entry that no store of this kind can have held.
func stored(e Entry) error {
	if e.Key == "" || len(e.Key) > MaxKey || len(e.Value) > MaxValue {
		return fits(e.Key, e.Value)
	}
	return nil
}

// beginning is the first part of a key, for a refusal.
func beginning(key string) string {
	const shown = 40
	return strings.ToValidUTF8(key[:min(shown, len(key))], "?")
}

// fullProblem is the refusal of what would add to a store that is full.
func fullProblem(used, most int64) error {
	return problem.New(problem.TooLarge, "store-full", "the store is as large as it may be").
		Got(fmt.Sprintf("%d MiB in use", used>>20)).Want(fmt.Sprintf("at most %d MiB", most>>20)).
		Do("delete people or orders, or raise the setting max-store")
}

// grows is how many bytes a transaction adds to what the source holds.
func (t *overlay) grows() (n int64) {
	t.writes.Scan(func(key string, raw []byte) bool {
		n += weight(key, raw) - weight(key, t.get(key))
		return true
	})
	return n
}

func weight(key string, raw []byte) int64 {
	if raw == nil {
		return 0
	}
	return int64(len(key) + len(raw))
}
