package ecps

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{
		activations.Kind(store.Named(func(a *Activation) string { return a.ID })),
		begun.Kind(), begunUnknown.Kind(),
		devices.Kind(store.Named(func(d *Device) string { return d.NationalID })),
		past.Kind(),
		next.Kind(),
		requests.Kind(store.Named(func(r *Request) string { return r.ID })),
		waiting.Kind(),
		recent.Kind(),
		pending.Kind(),
		due.Kind(),
	}
}
