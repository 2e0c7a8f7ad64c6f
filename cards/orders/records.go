package orders

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{
		orders.Kind(store.Named(func(o *Order) string { return o.ID })),
		structures.Kind(store.Named(func(s *Structure) string { return s.ID })),
		structuresOf.Kind(),
		structureOf.Kind(),
		newest.Kind(func(at string, id *string) error { return placed(at, *id) }),
		placeOf.Kind(func(id string, at *string) error { return placed(*at, id) }),
	}
}
