package store

import (
	"context"
	"encoding/json"
)

// walkPage is how many entries Walk reads in one transaction.
const walkPage = 200

// Walk calls fn for each entry behind the id after, in key order, and reads a
// page of them in a transaction of its own: however many there are, few are in
// memory, and fn may write. What changes meanwhile may be seen or not.
func (c Collection[T]) Walk(ctx context.Context, s Store, after string, fn func(id string, v T) error) error {
	at := ""
	if after != "" {
		at = c.Key(after)
	}
	for {
		var page []Entry
		err := s.View(ctx, func(tx Tx) (err error) {
			page, err = tx.List(c.Prefix(), at, walkPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			var v T
			if err := json.Unmarshal(e.Value, &v); err != nil {
				return err
			}
			if err := fn(c.ID(e.Key), v); err != nil {
				return err
			}
			at = e.Key
		}
		if len(page) < walkPage {
			return ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
