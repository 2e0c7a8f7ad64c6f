package emulator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// Reset takes the world back to its personas: people, cards, clients, orders,
// logins, clock, settings, faults and journal begin anew. The new world is made
// beside this one, which serves meanwhile. more, unless nil, is written into it.
func (e *Emulator) Reset(ctx context.Context, more *api.Beginning) error {
	e.whole.Lock()
	defer e.whole.Unlock()
	c := e.clock.AsStarted()
	fresh, end, err := e.freshStore(c, more)
	if err != nil {
		return err
	}
	defer end()
	if err := e.afresh(ctx, c, fresh); err != nil {
		return err
	}
	then := func() error { return nil }
	if more != nil {
		then, err = more.Write(api.Fresh{Store: fresh, Clock: c, Settings: config.NewLive(e.settings)})
		if err != nil {
			return err
		}
	}
	set := func() error { return errors.Join(e.beginAnew(), then()) }
	_, err = e.become(ctx, becoming{what: "reset", set: set, each: func(fn func(store.Entry) error) error {
		return fresh.View(ctx, func(tx store.Tx) error { return store.Everything(tx, fn) })
	}})
	return err
}

// freshStore is where a fresh world is made: in memory, or in a file of its own
// when it may be too much for that and the world itself lies in a file. It is
// dropped by the function that comes with it, and with the process.
func (e *Emulator) freshStore(c clock.Clock, more *api.Beginning) (store.Store, func(), error) {
	large := more != nil && more.Many || e.settings.Identities != ""
	if !large || e.at.folder == "" || e.settings.Memory {
		s := store.NewMemory(c)
		return s, func() { _ = s.Close() }, nil
	}
	dir, err := os.MkdirTemp(string(e.at.folder), "pscemu-fresh-*")
	if err != nil {
		return nil, nil, spoolUnwritable(err)
	}
	s, err := store.OpenBolt(filepath.Join(dir, "fresh.db"), c)
	_ = os.RemoveAll(dir) // Windows keeps it until it is closed
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close(); _ = os.RemoveAll(dir) }, nil
}

// beginAnew takes clock, settings and faults back to what they were at the start.
func (e *Emulator) beginAnew() error {
	e.clock.Reset()
	return errors.Join(e.live.Replace(nil), e.faults.Replace(nil))
}

// afresh makes a world as it is at the start, with what of this one outlives a
// reset.
func (e *Emulator) afresh(ctx context.Context, c *clock.Adjustable, fresh store.Store) error {
	if err := e.carryOver(ctx, fresh, c.Now()); err != nil {
		return err
	}
	at := e.at
	at.folder = "" // it writes no files
	w, err := newWorld(e.version, e.settings, c, fresh, at)
	if err != nil {
		return err
	}
	if err := parallel(func() error { return w.demoClient(ctx) }, func() error { return w.personas(ctx) }); err != nil {
		return err
	}
	return w.reloadFolder(ctx)
}

// carryOver copies what applications were configured with: keys, authorities,
// the demo client and the certificates that were issued for it.
func (e *Emulator) carryOver(ctx context.Context, to store.Store, now time.Time) error {
	kept, err := e.pki.EntriesFor(ctx, DemoID)
	if err != nil {
		return err
	}
	err = e.store.View(ctx, func(tx store.Tx) error {
		demo := []string{demoSerial.Prefix(), seeded.Key("demo-client"), clients.Key(DemoID)}
		for _, prefix := range append(demo, "keys/", "signing-keys/") {
			list, err := tx.List(prefix, "", 1000)
			if err != nil {
				return err
			}
			for _, entry := range list {
				if strings.HasSuffix(prefix, "/") || entry.Key == prefix { // else of a client whose id begins so
					kept = append(kept, entry)
				}
			}
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
