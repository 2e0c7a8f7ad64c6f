package clients

import (
	"context"
	"crypto/rand"
	"errors"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Registry keeps the registrations.
type Registry struct {
	store    store.Store
	settings *config.Live
	memo     store.Memo[Client]
}

var collection = store.Collection[Client]("clients")

// New opens the registry. The settings tell how clients authenticate that have
// no policy of their own.
func New(s store.Store, settings *config.Live) *Registry {
	return &Registry{store: s, settings: settings, memo: store.Memo[Client]{Of: collection}}
}

// Get finds a client. What it returns is shared and must not be changed.
func (r *Registry) Get(ctx context.Context, id string) (*Client, error) {
	c, err := r.memo.Load(ctx, r.store, id)
	return c, unknown(err, id)
}

// In finds a client within a transaction, else store.ErrNotFound. What it
// returns is shared and must not be changed.
func (r *Registry) In(tx store.Tx, id string) (*Client, error) { return r.memo.Get(tx, id) }

// GetIn finds a client within a transaction. It returns a copy that the caller
// may change.
func (r *Registry) GetIn(tx store.Tx, id string) (*Client, error) {
	c, err := collection.Get(tx, id)
	if err != nil {
		return nil, unknown(err, id)
	}
	return &c, nil
}

func unknown(err error, id string) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return problem.ClientUnknown.Got(id)
}

// List returns up to limit clients behind after.
func (r *Registry) List(ctx context.Context, after string, limit int) ([]Client, error) {
	return collection.Page(ctx, r.store, after, limit)
}

// Each calls fn for each client, by client_id; few are in memory at once.
func (r *Registry) Each(ctx context.Context, fn func(*Client) error) error {
	return collection.Walk(ctx, r.store, "", func(_ string, c Client) error { return fn(&c) })
}

// Count tells how many clients there are, and counts no further than to most.
func (r *Registry) Count(ctx context.Context, most int) (int, error) {
	return collection.Count(ctx, r.store, most)
}

// Put checks and keeps a registration, whether there was one or not.
func (r *Registry) Put(ctx context.Context, c *Client) error {
	return r.store.Update(ctx, func(tx store.Tx) error { return r.PutIn(tx, c) })
}

// PutIn checks and keeps a registration, whether there was one or not. A client
// that needs a secret and has none gets one.
func (r *Registry) PutIn(tx store.Tx, c *Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := r.settings.Permits(c.Policies); err != nil {
		return err
	}
	if c.Secret == "" && r.method(c) != MTLS {
		c.Secret = rand.Text()
	}
	return collection.Put(tx, c.ID, *c, store.Forever)
}

// method is how the client authenticates: its own policy, else the setting.
func (r *Registry) method(c *Client) string { return r.settings.Policies(c.Policies, nil).ClientAuth }

// Create registers a client under an id that is free.
func (r *Registry) Create(ctx context.Context, c *Client) error {
	return r.store.Update(ctx, func(tx store.Tx) error { return r.CreateIn(tx, c) })
}

// CreateIn registers a client under an id that is free.
func (r *Registry) CreateIn(tx store.Tx, c *Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	switch known, err := collection.Get(tx, c.ID); {
	case err == nil:
		return problem.ClientExists.With("id", c.ID).Got(named(known))
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return r.PutIn(tx, c)
}

// named is a client_id with the name people see, where it has one of its own.
func named(c Client) string {
	if c.Name == "" || c.Name == c.ID {
		return c.ID
	}
	return c.ID + " (" + c.Name + ")"
}

// Change reads a registration, lets fn change it, checks and keeps it, all in
// one transaction. fn may run twice.
func (r *Registry) Change(ctx context.Context, id string, fn func(*Client) error) (c *Client, err error) {
	err = r.store.Update(ctx, func(tx store.Tx) error {
		c, err = r.ChangeIn(tx, id, fn)
		return err
	})
	return c, err
}

// ChangeIn reads a registration, lets fn change it, checks and keeps it. The
// client_id stays what it is.
func (r *Registry) ChangeIn(tx store.Tx, id string, fn func(*Client) error) (*Client, error) {
	c, err := r.GetIn(tx, id)
	if err != nil {
		return nil, err
	}
	if err := fn(c); err != nil {
		return nil, err
	}
	if c.ID != id {
		return nil, problem.IDDiffers.With("id", id).Got(c.ID)
	}
	return c, r.PutIn(tx, c)
}

// Delete removes a registration.
func (r *Registry) Delete(ctx context.Context, id string) error {
	return r.store.Update(ctx, func(tx store.Tx) error { return r.DeleteIn(tx, id) })
}

// DeleteIn removes a registration; one that is absent is refused.
func (r *Registry) DeleteIn(tx store.Tx, id string) error {
	if _, err := r.GetIn(tx, id); err != nil {
		return err
	}
	return collection.Delete(tx, id)
}

// SecretUseless refuses a secret for a client that authenticates by its
// certificate alone.
func SecretUseless(id string) error {
	return problem.ClientSecretUseless.With("id", id)
}
