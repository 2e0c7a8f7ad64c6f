package identities

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	named := store.Named(func(i *Identity) string { return i.NationalID })
	return []store.Kind{Collection.Kind(named), deleted.Kind(named)}
}
