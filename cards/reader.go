package cards

import (
	"context"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// The virtual reader. Until a card is inserted it takes whichever the login
// page's user picks; with a card in it, that one alone.

var reader = store.Collection[string]("reader")

const slot = "slot"

// Insert puts a card into the reader, in place of the one there.
func (k *Cards) Insert(ctx context.Context, serial string) (c *Card, err error) {
	err = k.store.Update(ctx, func(tx store.Tx) error {
		c, err = k.InsertIn(tx, serial)
		return err
	})
	return c, err
}

// InsertIn puts a card into the reader, in place of the one there.
func (k *Cards) InsertIn(tx store.Tx, serial string) (*Card, error) {
	c, err := k.GetIn(tx, serial)
	if err != nil {
		return nil, err
	}
	return c, reader.Put(tx, slot, serial, store.Forever)
}

// PullOut takes the card out of the reader; an empty one stays as it is.
func (k *Cards) PullOut(ctx context.Context) error {
	return k.store.Update(ctx, func(tx store.Tx) error { return reader.Delete(tx, slot) })
}

// Inserted is the card in the reader, nil when there is none.
func (k *Cards) Inserted(ctx context.Context) (c *Card, err error) {
	err = k.store.View(ctx, func(tx store.Tx) error {
		serial, err := reader.Maybe(tx, slot)
		if err != nil || serial == "" {
			return err
		}
		c, err = k.GetIn(tx, serial)
		return err
	})
	return c, err
}

// InReader refuses a card that is not the one in the reader. began is the card
// that was in it when the login page was shown, "" for none: it must be there
// still.
func (k *Cards) InReader(ctx context.Context, serial, began string) error {
	now, err := k.Inserted(ctx)
	switch {
	case err != nil:
		return err
	case began != "" && (now == nil || now.Serial != began):
		return problem.CardPulledOut.Got(began)
	case now != nil && now.Serial != serial:
		return problem.CardNotInReader.With("serial", now.Serial).Got(serial)
	}
	return nil
}
