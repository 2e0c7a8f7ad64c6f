package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/store/storetest"
)

func TestBoltConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T, c clock.Clock) store.Store {
		s, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestMemoryConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T, c clock.Clock) store.Store { return store.NewMemory(c) })
}

func TestACloneOfMemoryGoesItsOwnWay(t *testing.T) {
	ctx, things := context.Background(), store.Collection[string]("things")
	first := store.NewMemory(&clock.Adjustable{})
	if err := things.Save(ctx, first, "a", "shared", store.Forever); err != nil {
		t.Fatal(err)
	}
	second := first.Clone(&clock.Adjustable{})
	if err := errors.Join(
		things.Save(ctx, first, "a", "first", store.Forever),
		things.Save(ctx, second, "b", "second", store.Forever),
	); err != nil {
		t.Fatal(err)
	}
	if v, err := things.Load(ctx, second, "a"); v != "shared" || err != nil {
		t.Fatalf("the clone holds %q, %v", v, err)
	}
	if _, err := things.Load(ctx, first, "b"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the first sees the clone's entry: %v", err)
	}
}

func TestAForeignFileIsReportedAndLeftUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	foreign := []byte("this is no database, and it is longer than a page would need to be read")
	if err := os.WriteFile(path, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.OpenBolt(path, &clock.Adjustable{})
	if !problem.Is(err, "store-unusable") {
		t.Fatalf("got %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(foreign) {
		t.Fatal("the file was changed")
	}
}
