package identities_test

import (
	"context"
	"encoding/json"
	"testing"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// BenchmarkUserInfo is the claims of a doctor with eight activities.
func BenchmarkUserInfo(b *testing.B) {
	who := identities.Personas()[0]
	for b.Loop() {
		if _, err := json.Marshal(who.UserInfo(identities.AuthModeMobile)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPerson is finding somebody: as each step of a login does, and as who
// changes them does.
func BenchmarkPerson(b *testing.B) {
	ctx, people := context.Background(), identities.New(store.NewMemory(&clock.Adjustable{}))
	who := identities.Personas()[0]
	if err := people.Put(ctx, &who.Identity); err != nil {
		b.Fatal(err)
	}
	for name, find := range map[string]func(context.Context, string) (*identities.Identity, error){
		"read": people.Read,
		"get":  people.Get,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := find(ctx, who.NationalID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
