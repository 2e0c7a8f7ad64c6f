package store

import (
	"context"

	"pscemu.invalid/pscemu/internal/problem"
)

// Cut keeps the first limit of rows, and names the last of them when there are
// more. Whoever lists asks for one row more than it shows: only then does the
// last page know that it is the last.
func Cut[T any](rows []T, limit int, id func(*T) string) (page []T, next string) {
	if limit < 1 || len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], id(&rows[limit-1])
}

// Count tells how many entries a collection has, and counts no further than to
// most.
func (c Collection[T]) Count(ctx context.Context, s Store, most int) (n int, err error) {
	err = s.View(ctx, func(tx Tx) error {
		page, err := tx.List(c.Prefix(), "", most)
		n = len(page)
		return err
	})
	return n, err
}

// NoPlace refuses a place behind which a list cannot go on, since there is none
// such: it would end without a word.
func NoPlace(after string) error {
	return problem.AfterInvalid.Got(after)
}
