package delivery

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{
		entries.Kind(store.Named(func(e *entry) string { return e.Delivery.ID })),
		ofClient.PartKind(),
		due.Kind(),
	}
}
