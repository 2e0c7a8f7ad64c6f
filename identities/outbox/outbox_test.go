package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

func onEachStore(t *testing.T, test func(*testing.T, store.Store, *clock.Adjustable, *outbox.Outbox)) {
	for name, open := range map[string]func(*testing.T, clock.Clock) store.Store{
		"memory": func(_ *testing.T, c clock.Clock) store.Store { return store.NewMemory(c) },
		"bolt": func(t *testing.T, c clock.Clock) store.Store {
			s, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock.Adjustable{}
			c.Set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), true)
			s := open(t, c)
			test(t, s, c, outbox.New(s, c))
		})
	}
}

func put(s store.Store, o *outbox.Outbox, m outbox.Message) error {
	return s.Update(context.Background(), func(tx store.Tx) error { return o.Put(tx, m) })
}

// Whoever waits for what comes behind a message misses none, whatever the clock
// does.
func TestMessagesFollowOneAnotherWhateverTheClockDoes(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store, c *clock.Adjustable, o *outbox.Outbox) {
		after := ""
		for n := range 20 {
			if n == 10 {
				c.Advance(-time.Hour)
			}
			text := fmt.Sprint(n)
			if err := put(s, o, outbox.Message{NationalID: "a", Channel: outbox.SMS, Text: text}); err != nil {
				t.Fatal(err)
			}
			got, err := o.Wait(context.Background(), outbox.Filter{NationalID: "a", After: after})
			if err != nil || got.Text != text || !got.Time.Equal(c.Now()) {
				t.Fatalf("%+v %v, want %s", got, err, text)
			}
			after = got.ID
		}
	})
}

func TestMessagesOfManyAtOnceAreAllThere(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store, _ *clock.Adjustable, o *outbox.Outbox) {
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				if err := put(s, o, outbox.Message{NationalID: "a", Text: fmt.Sprint(n)}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		own, err := o.List(context.Background(), outbox.Filter{NationalID: "a"}, 100)
		if err != nil || len(own) != 50 {
			t.Errorf("%d of a person's: %v", len(own), err)
		}
		list, err := o.List(context.Background(), outbox.Filter{}, 100)
		if err != nil || len(list) != 50 {
			t.Errorf("%d of everybody's: %v", len(list), err)
		}
	})
}

func TestTheNewestComeFirstByPagesAndAnOldFolderIsIndexed(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store, _ *clock.Adjustable, o *outbox.Outbox) {
		ctx := context.Background()
		var want []string
		for n := range 7 {
			want = append([]string{fmt.Sprint(n)}, want...)
			if err := put(s, o, outbox.Message{NationalID: fmt.Sprint(n % 2), Text: fmt.Sprint(n)}); err != nil {
				t.Fatal(err)
			}
		}
		texts := func() (out []string) {
			for after := ""; ; {
				page, next, err := o.Latest(ctx, after, 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page {
					out = append(out, m.Text)
				}
				if after = next; after == "" {
					return out
				}
			}
		}
		if got := texts(); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		err := s.Update(ctx, func(tx store.Tx) error { // an earlier version had no index
			list, err := tx.List("outbox-newest/", "", 100)
			for _, e := range list {
				err = errors.Join(err, tx.Delete(e.Key))
			}
			return err
		})
		if err != nil || len(texts()) != 0 {
			t.Fatal(err)
		}
		if err := outbox.Index(ctx, s); err != nil {
			t.Fatal(err)
		}
		if got := texts(); !slices.Equal(got, want) {
			t.Errorf("after indexing: %v", got)
		}
	})
}

// A message of one channel is found behind many of the other.
func TestAFilterLooksAtAllMessages(t *testing.T) {
	c := &clock.Adjustable{}
	s := store.NewMemory(c)
	o := outbox.New(s, c)
	for n := range 10_500 {
		if err := put(s, o, outbox.Message{NationalID: fmt.Sprint(n), Channel: outbox.Mail}); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(s, o, outbox.Message{NationalID: "x", Channel: outbox.SMS, Text: "found"}); err != nil {
		t.Fatal(err)
	}
	got, err := o.List(context.Background(), outbox.Filter{Channel: outbox.SMS}, 1)
	if err != nil || len(got) != 1 || got[0].Text != "found" {
		t.Errorf("%v %v", got, err)
	}
}
