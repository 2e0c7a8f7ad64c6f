package provider

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind { return []store.Kind{pushedRequests.Kind(), pingsToCome.Kind()} }
