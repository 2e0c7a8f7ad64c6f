package store

import (
	"fmt"

	"pscemu/problem"
)

// Bounds of an entry. They are judged where it is written, so that no commit
// fails for the sake of one.
const (
	MaxKey   = 1 << 10 // bytes, the collection's prefix and escapes included
	MaxValue = 1 << 20 // bytes
)

// bounded refuses an entry that is too large.
func bounded(key string, value []byte) error {
	switch {
	case len(key) == 0:
		return problem.New(problem.Invalid, "store-key-empty", "an entry needs a key").Want("an id")
	case len(key) > MaxKey:
		return problem.New(problem.Invalid, "store-key-long", "this id is too long to be kept").
			Got(fmt.Sprintf("%.40s… (%d bytes, written as a key)", key, len(key))).Want(fmt.Sprintf("%d bytes at most", MaxKey)).
			Do("use a shorter id")
	case len(value) > MaxValue:
		return problem.New(problem.TooLarge, "store-value-large", "this is too large to be kept as one record").
			Got(fmt.Sprintf("%d bytes for %.40s", len(value), key)).Want(fmt.Sprintf("%d bytes at most", MaxValue)).
			Do("shorten its longest text or list")
	}
	return nil
}
