package store

import (
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
		return problem.StoreKeyEmpty.Of()
	case len(key) > putKey:
		return problem.StoreKeyLong.With("key", beginning(key)).With("count", len(key)).With("most", putKey)
	case len(value) > putValue:
		return problem.StoreValueLarge.With("count", len(value)).With("key", beginning(key)).With("most", putValue)
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
	return problem.StoreFull.With("used", used>>20).With("most", most>>20)
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
