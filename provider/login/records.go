package login

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{
		pending.Kind(store.Named(func(p *Pending) string { return p.ID })),
		begun.Kind(), entered.Kind(), open.Kind(), bound.Kind(),
	}
}
