package orders

import (
	"context"
	"slices"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/internal/store"
)

// Lists of what several structures have go from structure to structure, by
// number. Structures never lose what they have, so a row says where to go on.

// lister lists up to limit rows of one structure behind the row after.
type lister[T any] func(s *Structure, after string, limit int) ([]T, error)

// along lists up to limit rows, behind the row after, which the structure at has.
func along[T any](all []Structure, at, after string, limit int, of lister[T]) ([]T, error) {
	out := []T{}
	for n := range all {
		s, from := &all[n], ""
		switch {
		case after != "" && s.ID < at:
			continue
		case s.ID == at:
			from = after
		}
		rows, err := of(s, from, limit-len(out))
		if err != nil {
			return nil, err
		}
		if out = append(out, rows...); len(out) >= limit {
			break
		}
	}
	return out, nil
}

// Fleet lists up to limit of the cards ordered for the structures that somebody
// acts for, behind the card with the serial after.
func (d *Desk) Fleet(ctx context.Context, id, after string, limit int) (out []cards.Card, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		own, err := actsFor(tx, id)
		if err != nil {
			return err
		}
		at, err := structureOf.Maybe(tx, after)
		if err == nil && after != "" && at == "" {
			err = store.NoPlace(after)
		}
		if err != nil {
			return err
		}
		out, err = along(own, at, after, limit, func(s *Structure, after string, limit int) ([]cards.Card, error) {
			return d.fleetIn(tx, s, after, limit)
		})
		return err
	})
	return out, err
}

// fleetIn lists cards of one structure, in the order in which they were ordered.
func (d *Desk) fleetIn(tx store.Tx, s *Structure, after string, limit int) (out []cards.Card, err error) {
	serials := s.Cards[slices.Index(s.Cards, after)+1:]
	for _, serial := range serials[:min(len(serials), limit)] {
		c, err := d.cards.GetIn(tx, serial)
		if err != nil {
			return nil, err
		}
		out = append(out, *c)
	}
	return out, nil
}

// FleetSize tells how many cards Fleet lists.
func (d *Desk) FleetSize(ctx context.Context, id string) (n int, err error) {
	own, err := d.ActsFor(ctx, id)
	for _, s := range own {
		n += len(s.Cards)
	}
	return n, err
}
