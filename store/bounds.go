package store

import (
	"fmt"
	"strings"

	"pscemu/problem"
)

// What one entry may measure. It is judged where it enters a transaction, so
// that no backend is handed what it cannot keep: bbolt takes keys of 32 KiB,
// etcd requests of 1.5 MiB. Ids have some dozen characters, and the longest
// record, a structure with ten thousand cards, takes 200 KiB.
const (
	MaxKey   = 1 << 10 // bytes, with the ids as they are escaped
	MaxValue = 1 << 20 // bytes
)

// fits refuses an entry that is too large.
func fits(key string, value []byte) error {
	maxKey, maxValue := MaxKey, MaxValue
	if strings.HasPrefix(key, undoPrefix) { // a former entry, with its name
		maxKey, maxValue = maxKey+undoExtra, maxValue+expiryLen
	}
	switch {
	case key == "":
		return problem.New(problem.Invalid, "key-empty", "an entry cannot be stored without a name").Want("an id")
	case len(key) > maxKey:
		return problem.New(problem.Invalid, "key-too-long", "an id is too long to be stored").
			Got(fmt.Sprintf("%d bytes: %s…", len(key), printable(key))).
			Want(fmt.Sprintf("at most %d bytes, with its collection's name", MaxKey)).Do("use a shorter id")
	case len(value) > maxValue:
		return problem.New(problem.TooLarge, "value-too-large", "a record is too large to be stored").
			Got(fmt.Sprintf("%d bytes for %s", len(value), printable(key))).
			Want(fmt.Sprintf("at most %d bytes", MaxValue)).Do("send less, or split it")
	}
	return nil
}

// printable is the beginning of a key, for a refusal.
func printable(key string) string {
	const shown = 48
	if len(key) > shown {
		key = key[:shown]
	}
	return strings.ToValidUTF8(key, "?")
}

// fullProblem is the refusal of what would add to a store that is full.
func fullProblem(used, most int64) error {
	return problem.New(problem.TooLarge, "store-full", "as much is stored as may be").
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
