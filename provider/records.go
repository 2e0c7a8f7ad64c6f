package provider

import "pscemu.invalid/pscemu/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind { return []store.Kind{pushedRequests.Kind(), pings.Kind()} }
