package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

func TestAMemoDecodesOnceAndSeesEveryChange(t *testing.T) {
	ctx, s := context.Background(), store.NewMemory(&clock.Adjustable{})
	things := store.Collection[[]string]("things")
	m := store.Memo[[]string]{Of: things}
	put := func(id string, v []string) {
		t.Helper()
		if err := things.Save(ctx, s, id, v, store.Forever); err != nil {
			t.Fatal(err)
		}
	}
	load := func(id string) *[]string {
		t.Helper()
		v, err := m.Load(ctx, s, id)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	put("a", []string{"one"})
	first := load("a")
	if load("a") != first {
		t.Error("what did not change was decoded again")
	}
	put("a", []string{"two"})
	if v := *load("a"); v[0] != "two" {
		t.Errorf("the memo still says %v", v)
	}
	failed := s.Update(ctx, func(tx store.Tx) error {
		_ = things.Put(tx, "a", []string{"never"}, store.Forever)
		if v, err := m.Get(tx, "a"); err != nil || (*v)[0] != "never" {
			t.Errorf("within the transaction: %v %v", v, err)
		}
		return errors.New("rolled back")
	})
	if v := *load("a"); failed == nil || v[0] != "two" {
		t.Errorf("after a transaction that failed: %v", v)
	}
	for n := range 500 {
		put(fmt.Sprint(n), []string{fmt.Sprint(n)})
		if v := *load(fmt.Sprint(n)); v[0] != fmt.Sprint(n) {
			t.Fatalf("%d reads %v", n, v)
		}
	}
	if err := s.Update(ctx, func(tx store.Tx) error { return things.Delete(tx, "a") }); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Load(ctx, s, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was deleted reads %v", err)
	}
}
