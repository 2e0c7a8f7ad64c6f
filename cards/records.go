package cards

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{
		Collection.Kind(store.Named(func(c *Card) string { return c.Serial })),
		held.Kind(),
		reader.Kind(),
	}
}
