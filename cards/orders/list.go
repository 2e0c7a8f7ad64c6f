package orders

import (
	"context"
	"errors"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

// Orders are listed by when they were begun; their ids say nothing of it.
var (
	newest  = store.Collection[string]("orders-newest") // ids by place, the newest first
	placeOf = store.Collection[string]("orders-place")  // by id: its place among newest
)

// enlist gives a new order its place before all others, also when the clock
// stands still or went back.
func enlist(tx store.Tx, id string, at time.Time) error {
	first, err := tx.List(newest.Prefix(), "", 1)
	if err != nil {
		return err
	}
	if len(first) > 0 {
		last, err := store.ParseNewestFirst(newest.ID(first[0].Key))
		if err != nil {
			return err
		}
		if !at.After(last) {
			at = last.Add(1)
		}
	}
	return put(tx, id, at)
}

func put(tx store.Tx, id string, at time.Time) error {
	place := store.NewestFirst(at) + "-" + id
	return errors.Join(newest.Put(tx, place, id, store.Forever), placeOf.Put(tx, id, place, store.Forever))
}

// IndexOrders gives the orders of data folders of earlier versions their places;
// it is needed once.
func (d *Desk) IndexOrders(ctx context.Context) error {
	return orders.Batches(ctx, d.store, func(tx store.Tx, id string, o Order, _ time.Time) error {
		there, err := placeOf.Maybe(tx, id)
		if err != nil || there != "" || len(o.History) == 0 {
			return err
		}
		return put(tx, id, o.History[0].At)
	})
}

// List returns up to limit orders, the newest first, behind the one with the id
// after.
func (d *Desk) List(ctx context.Context, after string, limit int) (out []Order, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		place, err := placeOf.Maybe(tx, after)
		if err == nil && after != "" && place == "" {
			err = store.NoPlace(after)
		}
		if err != nil {
			return err
		}
		ids, err := newest.List(tx, place, limit)
		if err == nil {
			out, err = orders.Those(tx, ids)
		}
		return err
	})
	for n := range out {
		out[n].State = d.stateOf(&out[n])
	}
	return append([]Order{}, out...), err
}

// Count tells how many orders there are, and counts no further than to most.
func (d *Desk) Count(ctx context.Context, most int) (int, error) {
	return newest.Count(ctx, d.store, most)
}

// placed refuses a place that is not this order's.
func placed(place, id string) error {
	if _, err := store.ParseNewestFirst(place); err != nil {
		return err
	}
	if place[store.MomentLen:] != "-"+id {
		return errors.New("the place " + place + " is not that of the order " + id)
	}
	return nil
}
