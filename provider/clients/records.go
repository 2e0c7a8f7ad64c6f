package clients

import "pscemu.invalid/pscemu/internal/store"

// Records are the kinds of record that this package keeps.
func Records() []store.Kind {
	return []store.Kind{collection.Kind(store.Named(func(c *Client) string { return c.ID }))}
}

// Key is the store's key of a client.
func Key(id string) string { return collection.Key(id) }
