package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/store"
)

// contentOf is all that a store holds.
func contentOf(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := s.View(context.Background(), func(tx store.Tx) error {
		all, err := tx.List("", "", 100_000)
		for _, e := range all {
			out[e.Key] = string(e.Value) + e.Expires.String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// crashing keeps what a crash after each of its updates would leave: each is on
// the disk when it is answered.
type crashing struct {
	*store.Bolt
	t     *testing.T
	path  string
	files []string
}

func (c *crashing) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := c.Bolt.Update(ctx, fn)
	raw, read := os.ReadFile(c.path)
	to := filepath.Join(c.t.TempDir(), "db")
	if err := errors.Join(read, os.WriteFile(to, raw, 0o600)); err != nil {
		c.t.Error(err)
	}
	c.files = append(c.files, to)
	return err
}

// A long command is cut off after each of its commits, those that take it back
// and those that forget it too: all of it is there afterwards, or nothing.
func TestWhatACrashCutsOffOfALongCommandIsTakenBackAtTheStart(t *testing.T) {
	const entries, stepSize = 1500, 300
	for name, fails := range map[string]error{"fails": errors.New("stop"), "done": nil} {
		t.Run(name, func(t *testing.T) {
			ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
			s := openBolt(t, path)
			err := s.Update(ctx, func(tx store.Tx) error {
				for n := range entries {
					if err := things.Put(tx, fmt.Sprint(n), "old", time.Duration(n%2)*time.Hour); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			before := contentOf(t, s)
			c := &crashing{Bolt: s, t: t, path: path}
			err = store.LongAs(ctx, c, "cut off", func(step store.Step) error {
				for from := 0; from < entries; from += stepSize {
					if err := step(func(tx store.Tx) error { return rewrite(tx, from, from+stepSize) }); err != nil {
						return err
					}
				}
				return fails
			})
			if !errors.Is(err, fails) {
				t.Fatal(err)
			}
			after := contentOf(t, s)
			if fails != nil && !maps.Equal(before, after) {
				t.Errorf("%d entries of %d", len(after), len(before))
			}
			outcomes := map[bool]int{}
			for n, file := range c.files {
				left := openBolt(t, file)
				if err := store.Recover(ctx, left); err != nil {
					t.Fatal(err)
				}
				got := contentOf(t, left)
				was, is := maps.Equal(got, before), maps.Equal(got, after)
				if !was && !is {
					t.Errorf("after commit %d of %d: %d entries, %d before, %d after",
						n, len(c.files), len(got), len(before), len(after))
				}
				outcomes[was]++
			}
			if outcomes[true] < entries/stepSize || fails == nil && outcomes[false] < 2 {
				t.Errorf("%d crashes left what was before, %d what came after", outcomes[true], outcomes[false])
			}
		})
	}
}

// rewrite overwrites, deletes and adds.
func rewrite(tx store.Tx, from, to int) (err error) {
	for n := from; n < to && err == nil; n++ {
		if n%3 == 0 {
			err = things.Delete(tx, fmt.Sprint(n))
		} else {
			err = things.Put(tx, fmt.Sprint(n), "new", time.Duration(n%5)*time.Hour)
		}
		err = errors.Join(err, things.Put(tx, fmt.Sprint("added", n), "new", time.Hour))
	}
	return err
}

// A backup of a moment in the midst of a long command holds what it needs to be
// taken back, and is judged like everything else.
func TestTheRecordsOfALongCommandAreJudged(t *testing.T) {
	ctx, s := context.Background(), openBolt(t, filepath.Join(t.TempDir(), "db"))
	save(t, s, "1", "old")
	own := []store.Kind{things.Kind()}
	all := store.KindsOf(own, store.LongRecords(store.KindsOf(own)))
	kinds := map[string]int{}
	err := store.LongAs(ctx, s, `an "import"`, func(step store.Step) error {
		if err := step(func(tx store.Tx) error { return rewrite(tx, 0, 5) }); err != nil {
			return err
		}
		return s.View(ctx, func(tx store.Tx) error {
			return store.Everything(tx, func(e store.Entry) error {
				prefix, _, _ := strings.Cut(e.Key, "/")
				kinds[prefix]++
				return all.Check(e)
			})
		})
	})
	if err != nil || kinds["undo"] != 10 || kinds["long"] != 1 {
		t.Fatalf("%v, %v", kinds, err)
	}
	const id = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, bad := range []store.Entry{
		{Key: "undo/" + id + "/things/1", Value: []byte(`{"there":true,"value":1}`)},
		{Key: "undo/" + id + "/others/1", Value: []byte(`{"there":true,"value":"x"}`)},
		{Key: "undo/" + id + "/things/1", Value: []byte(`{"there":true,"value":"x","more":1}`)},
		{Key: "undo/short/things/1", Value: []byte(`{}`)},
		{Key: "undo/" + id, Value: []byte(`{}`)},
		{Key: "long/" + id, Value: []byte(`{}`)},
	} {
		if all.Check(bad) == nil {
			t.Errorf("%s: %s was taken", bad.Key, bad.Value)
		}
	}
}
