package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// FuzzTransactions runs what the bytes say on a store and on a map, which must
// agree: puts, deletions, lists, long commands, transactions that fail, time that
// passes and sweeps.
func FuzzTransactions(f *testing.F) {
	f.Add([]byte("\x00a1\x10a2\x21a\x05\x06\x07"))
	f.Add(bytes.Repeat([]byte("\x30k9\x01k\x02\x44z1\x08\x03"), 20))
	f.Fuzz(func(t *testing.T, ops []byte) {
		c := &clock.Adjustable{}
		c.Set(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), true)
		m := model{t: t, s: store.NewMemory(c), c: c, held: map[string]held{}}
		for len(ops) > 2 {
			n := min(len(ops)-1, 1+int(ops[0])%40)
			m.command(ops[0], ops[1:1+n])
			ops = ops[1+n:]
		}
	})
}

type held struct {
	value string
	until time.Time // zero: for ever
}

type model struct {
	t    *testing.T
	s    store.Store
	c    *clock.Adjustable
	held map[string]held
}

var errModel = errors.New("the model fails it")

// command is one transaction, or one long command of several.
func (m *model) command(kind byte, ops []byte) {
	next, fails := maps.Clone(m.held), kind&0x40 != 0
	run := func(tx store.Tx) error {
		for _, op := range ops {
			if err := m.op(tx, op, next); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	if kind&0x80 != 0 {
		err = store.Long(context.Background(), m.s, func(step store.Step) error {
			if err := step(run); err != nil || !fails {
				return err
			}
			return errModel
		})
	} else {
		err = m.s.Update(context.Background(), func(tx store.Tx) error {
			if err := run(tx); err != nil || !fails {
				return err
			}
			return errModel
		})
	}
	if fails != errors.Is(err, errModel) || !fails && err != nil {
		m.t.Fatalf("got %v", err)
	}
	if !fails {
		m.held = next
	}
	m.c.Set(m.c.Now().Add(time.Duration(kind%4)*time.Second), true)
	if kind&0x20 != 0 {
		if _, err := m.s.Sweep(context.Background()); err != nil {
			m.t.Fatal(err)
		}
	}
	m.compare()
}

// op puts, deletes or lists one of sixteen entries.
func (m *model) op(tx store.Tx, op byte, next map[string]held) error {
	key := fmt.Sprintf("k/%x", op&15)
	switch op >> 4 {
	case 0, 1, 2:
		delete(next, key)
		return tx.Delete(key)
	case 3, 4:
		got, err := tx.List("k/", key, 3)
		for _, e := range got {
			if h, ok := next[e.Key]; !ok || h.value != string(e.Value) || e.Key <= key {
				return fmt.Errorf("behind %s: %v", key, e)
			}
		}
		return err
	default:
		ttl := time.Duration(op%5) * time.Second
		h := held{value: fmt.Sprint(op)}
		if ttl != store.Forever {
			h.until = tx.Now().Add(ttl)
		}
		next[key] = h
		return tx.Put(key, []byte(h.value), ttl)
	}
}

func (m *model) compare() {
	want := map[string]string{}
	for key, h := range m.held {
		if h.until.IsZero() || m.c.Now().Before(h.until) {
			want[key] = h.value + h.until.String()
		}
	}
	if got := contentOf(m.t, m.s); !maps.Equal(got, want) {
		m.t.Fatalf("the store holds %v, want %v", got, want)
	}
}

// FuzzUndoRecords puts back whatever was there, byte for byte.
func FuzzUndoRecords(f *testing.F) {
	for _, v := range []string{`{}`, `null`, ` {"a" : "<b>"} `, "no JSON", "", "\xff", `"` + "\u2028" + `"`} {
		f.Add([]byte(v), int64(0))
		f.Add([]byte(v), int64(3600))
	}
	f.Fuzz(func(t *testing.T, value []byte, seconds int64) {
		if len(value) > 1000 || seconds < 0 || seconds > 1<<31 {
			return
		}
		ctx, s := context.Background(), store.NewMemory(&clock.Adjustable{})
		ttl := time.Duration(seconds) * time.Second
		if err := s.Update(ctx, func(tx store.Tx) error { return tx.Put("k", value, ttl) }); err != nil {
			t.Fatal(err)
		}
		before := contentOf(t, s)
		_ = store.Long(ctx, s, func(step store.Step) error {
			return errors.Join(step(func(tx store.Tx) error { return tx.Delete("k") }), errors.New("stop"))
		})
		if after := contentOf(t, s); !maps.Equal(before, after) {
			t.Errorf("%q is %q", before, after)
		}
	})
}
