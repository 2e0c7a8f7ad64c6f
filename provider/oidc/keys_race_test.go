package oidc

import (
	"context"
	"slices"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// The keys that are held are those of the store, whoever changes them at once.
func TestKeysThatChangeAtOnceAreHeldAsTheyAreStored(t *testing.T) {
	ctx, c := context.Background(), &clock.Adjustable{}
	s := store.NewMemory(c)
	loaded, err := config.Load(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(ctx, &Config{Clock: c}, s, clients.New(s, config.NewLive(loaded)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var spare []string
	for range 3 {
		k, err := p.PublishKey(ctx)
		if err != nil {
			t.Fatal(err)
		}
		spare = append(spare, k.KID)
	}
	for round := range 200 {
		var all sync.WaitGroup
		for _, kid := range spare {
			all.Go(func() {
				if err := p.UseKey(ctx, kid); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		held := p.Keys()
		if err := p.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(held, p.Keys()) {
			t.Fatalf("round %d: held are %v, stored %v", round, held, p.Keys())
		}
	}
}
