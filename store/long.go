package store

import "context"

// Do runs one of the transactions of a command that has several.
type Do func(fn func(Tx) error) error

// Long is a stand-in until the undo log is there.
func Long(ctx context.Context, s Store, fn func(Do) error) error {
	return fn(func(one func(Tx) error) error { return s.Update(ctx, one) })
}
