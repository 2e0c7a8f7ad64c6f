package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"pscemu/cards/pki"
	"pscemu/clock"
	"pscemu/console"
	"pscemu/problem"
	"pscemu/provider/faults"
	"pscemu/store"
)

// State is a whole world at one moment: everything stored, with its secrets,
// and what was set while it ran.
type State struct {
	Format   int               `json:"format"`
	Clock    clock.State       `json:"clock"`
	Settings map[string]string `json:"settings,omitempty"` // changed while it ran
	Faults   []faults.Fault    `json:"faults,omitempty"`
	Entries  []Stored          `json:"entries"`
}

// Stored is one entry of the store.
type Stored struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Expires *time.Time      `json:"expires,omitempty"`
}

const stateFormat = 1

// Dump is the whole state.
func (e *Emulator) Dump(ctx context.Context) (any, error) {
	out := &State{Format: stateFormat, Clock: e.clock.State(), Settings: e.live.Changed(), Faults: e.faults.List(), Entries: []Stored{}}
	err := e.store.View(ctx, func(tx store.Tx) error {
		return everything(tx, func(entry store.Entry) error {
			s := Stored{Key: entry.Key, Value: entry.Value}
			if !entry.Expires.IsZero() {
				s.Expires = &entry.Expires
			}
			out.Entries = append(out.Entries, s)
			return nil
		})
	})
	return out, err
}

// everything calls fn for each live entry, in key order.
func everything(tx store.Tx, fn func(store.Entry) error) error {
	for after := ""; ; {
		page, err := tx.List("", after, 1000)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, entry := range page {
			if err := fn(entry); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Key
	}
}

// Restore makes the world what it was when this state was taken.
func (e *Emulator) Restore(ctx context.Context, raw []byte) error {
	var in State
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return problem.New(problem.Invalid, "state-unreadable", "this is no state").Got(err.Error()).Want("what GET /api/v1/state answers")
	}
	if in.Format != stateFormat || len(in.Entries) == 0 {
		return problem.New(problem.Invalid, "state-unreadable", "this is no state that can be restored").Want("format 1, with entries").Do("send what GET /api/v1/state answered")
	}
	if err := in.Clock.Check(); err != nil {
		return err
	}
	if err := e.live.Replace(in.Settings); err != nil {
		return err
	}
	if err := e.faults.Replace(in.Faults); err != nil {
		return err
	}
	err := e.clock.Restore(in.Clock)
	if err != nil {
		return err
	}
	err = e.store.Update(ctx, func(tx store.Tx) error {
		if err := everything(tx, func(entry store.Entry) error { return tx.Delete(entry.Key) }); err != nil {
			return err
		}
		for _, s := range in.Entries {
			ttl := store.Forever
			if s.Expires != nil {
				if ttl = s.Expires.Sub(e.clock.Now()); ttl <= 0 {
					continue
				}
			}
			if err := tx.Put(s.Key, s.Value, ttl); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.reload(ctx)
}

// Backup writes a copy of everything stored, while others read and write.
func (e *Emulator) Backup(w io.Writer) error {
	s, err := e.backup()
	if err != nil {
		return err
	}
	return s.Backup(w)
}

// RestoreBackup puts a copy that Backup wrote in the place of everything stored.
// Clock, settings and faults stay.
func (e *Emulator) RestoreBackup(ctx context.Context, r io.Reader) error {
	s, err := e.backup()
	if err != nil {
		return err
	}
	if err := s.Restore(r); err != nil {
		return err
	}
	return e.reload(ctx)
}

func (e *Emulator) backup() (store.Backup, error) {
	s, ok := e.store.(store.Backup)
	if !ok {
		return nil, problem.New(problem.Conflict, "backup-memory", "what is kept in memory has no data file to copy").Do("GET /api/v1/state keeps it, PUT restores it")
	}
	return s, nil
}

// reload makes the services read again what they hold of the store.
func (e *Emulator) reload(ctx context.Context) error {
	e.pki.Forget()
	e.journal.Clear()
	if err := e.oidc.Reload(ctx); err != nil {
		return err
	}
	if err := parallel(func() error { return e.demoClient(ctx) }, func() error { return e.personas(ctx) }); err != nil {
		return err
	}
	e.announced.Lock()
	defer e.announced.Unlock()
	if client, err := e.clients.Get(ctx, DemoID); err == nil {
		e.ready.DemoClient.ClientSecret = client.Secret
	}
	e.describe(ctx)
	if e.at.folder == "" {
		return nil
	}
	return e.at.folder.announce(&e.ready)
}

// keptByReset are what applications were configured with: keys, authorities,
// the demo client. A name that ends with a slash is a whole collection.
func (e *Emulator) keptByReset(ctx context.Context) ([]string, error) {
	serial, err := demoSerial.Load(ctx, e.store, "serial")
	return []string{"keys/", "signing-keys/", "authorities/", demoSerial.Prefix(), seeded.Key("demo-client"), seeded.Key("cards-index"), seeded.Key("structures-index"), seeded.Key("revoked-index"), pki.CertificateKey(serial), "clients/" + DemoID}, err
}

// Reset takes the world back to its personas: people, cards, clients, orders,
// logins, clock, settings, faults and journal begin anew.
func (e *Emulator) Reset(ctx context.Context, more func(console.Fresh) (func() error, error)) error {
	kept, err := e.keptByReset(ctx)
	if err != nil {
		return err
	}
	err = e.store.Update(ctx, func(tx store.Tx) error {
		return everything(tx, func(entry store.Entry) error {
			if slices.ContainsFunc(kept, func(k string) bool {
				return entry.Key == k || strings.HasSuffix(k, "/") && strings.HasPrefix(entry.Key, k)
			}) {
				return nil
			}
			return tx.Delete(entry.Key)
		})
	})
	if err != nil {
		return err
	}
	e.clock.Reset()
	_ = e.live.Replace(nil) // nothing to refuse
	_ = e.faults.Replace(nil)
	if err := e.reload(ctx); err != nil {
		return err
	}
	if err := e.reloadFolder(ctx); err != nil || more == nil {
		return err
	}
	then, err := more(console.Fresh{Store: e.store, Clock: e.clock, Settings: e.live})
	if err != nil {
		return err
	}
	return then()
}
