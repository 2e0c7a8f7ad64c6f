package outbox

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{
		messages.Kind(store.Named(func(m *Message) string { return m.ID })),
		of.Kind(),
		last.Kind(),
		newest.Kind(),
	}
}
