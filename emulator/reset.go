package emulator

import (
	"context"
	"errors"
	"time"

	"pscemu/clock"
	"pscemu/config"
	"pscemu/console"
	"pscemu/provider/clients"
	"pscemu/store"
)

// Reset takes the world back to its personas: people, cards, clients, orders,
// logins, clock, settings, faults and journal begin anew. The new world is made
// beside this one, which serves meanwhile. more, unless nil, writes further into
// it, and tells what to set beside it; when it fails nothing is changed.
func (e *Emulator) Reset(ctx context.Context, more func(console.Fresh) (func() error, error)) error {
	e.whole.Lock()
	defer e.whole.Unlock()
	c := e.clock.AsStarted()
	fresh, err := e.afresh(ctx, c)
	if err != nil {
		return err
	}
	then := func() error { return nil }
	if more != nil {
		settings := config.NewLive(e.settings)
		if then, err = more(console.Fresh{Store: fresh, Clock: c, Settings: settings}); err != nil {
			return err
		}
	}
	_, err = e.become(ctx, becoming{what: "reset", set: func() error { return errors.Join(e.beginAnew(), then()) }, each: func(fn func(store.Entry) error) error {
		return fresh.View(ctx, func(tx store.Tx) error { return store.Everything(tx, fn) })
	}})
	return err
}

// beginAnew takes clock, settings and faults back to what they were at the start.
func (e *Emulator) beginAnew() error {
	e.clock.Reset()
	return errors.Join(e.live.Replace(nil), e.faults.Replace(nil))
}

// afresh makes a world as it is at the start, in memory, with what of this one
// outlives a reset.
func (e *Emulator) afresh(ctx context.Context, c *clock.Adjustable) (*store.Memory, error) {
	fresh := store.NewMemory(c)
	if err := e.carryOver(ctx, fresh, c.Now()); err != nil {
		return nil, err
	}
	at := e.at
	at.folder = "" // it writes no files
	w, err := newWorld(e.version, e.settings, c, fresh, at)
	if err != nil {
		return nil, err
	}
	if err := parallel(func() error { return w.demoClient(ctx) }, func() error { return w.personas(ctx) }); err != nil {
		return nil, err
	}
	return fresh, w.reloadFolder(ctx)
}

// carryOver copies what applications were configured with: keys, authorities,
// the demo client and the certificates that were issued for it.
func (e *Emulator) carryOver(ctx context.Context, to *store.Memory, now time.Time) error {
	kept, err := e.pki.EntriesFor(ctx, DemoID)
	if err != nil {
		return err
	}
	err = e.store.View(ctx, func(tx store.Tx) error {
		for _, prefix := range []string{"keys/", "signing-keys/", demoSerial.Prefix(), seeded.Key("demo-client"), clients.Key(DemoID)} {
			list, err := tx.List(prefix, "", 1000)
			if err != nil {
				return err
			}
			kept = append(kept, list...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return to.Update(ctx, func(tx store.Tx) error {
		for _, entry := range kept {
			ttl := store.Forever
			if !entry.Expires.IsZero() {
				ttl = max(entry.Expires.Sub(now), 1)
			}
			if err := tx.Put(entry.Key, entry.Value, ttl); err != nil {
				return err
			}
		}
		return nil
	})
}
