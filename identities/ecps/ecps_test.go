package ecps_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

type phones struct {
	*ecps.Phones
	clock  *clock.Adjustable
	people []identities.Identity
}

// withPeople opens a service on a real store with so many people, who are
// asked.
func withPeople(t testing.TB, n int) phones {
	t.Helper()
	c := &clock.Adjustable{}
	s, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	loaded, err := config.Load(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	directory := identities.New(s)
	p := phones{
		ecps.New(s, c, directory, outbox.New(s, c), config.NewLive(loaded), "http://127.0.0.1/phone"),
		c,
		make([]identities.Identity, n),
	}
	g := &identities.Generator{Seed: 5}
	for k := range p.people {
		p.people[k] = *g.Person(k)
		p.people[k].Behaviour.Action = identities.Ask
	}
	ctx := context.Background()
	if err := s.Update(
		ctx,
		func(tx store.Tx) error { _, err := directory.AddIn(tx, p.people); return err },
	); err != nil {
		t.Fatal(err)
	}
	if err := p.ActivateAll(ctx, p.people, "1234"); err != nil {
		t.Fatal(err)
	}
	return p
}

// all does something for each person, many at once.
func (p phones) all(t testing.TB, fn func(id string) error) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(64)
	for _, i := range p.people {
		g.Go(func() error { return fn(i.NationalID) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// maxPending is the default of the setting max-requests.
const maxPending = 5

func TestTenThousandPendingRequestsDoNoHarm(t *testing.T) {
	p, ctx := withPeople(t, 2000), context.Background()
	ask := func(id string) error {
		_, err := p.Start(ctx, ecps.Ask{NationalID: id, Client: "A"})
		return err
	}
	p.all(t, func(id string) error {
		for range maxPending {
			if err := ask(id); err != nil {
				return err
			}
		}
		return nil
	})
	all, _, err := p.Requests(ctx, ecps.Filter{PendingOnly: true})
	if err != nil || len(all) != 10_000 {
		t.Fatalf("%d wait: %v", len(all), err)
	}
	// Nobody gets a sixth, everybody sees their own five, and each can be
	// answered, once.
	p.all(t, func(id string) error {
		if err := ask(id); !problem.Is(err, "ecps-too-many") {
			return fmt.Errorf("the sixth: %v", err)
		}
		own, _, err := p.Requests(ctx, ecps.Filter{NationalID: id, PendingOnly: true})
		if err != nil || len(own) != maxPending {
			return fmt.Errorf("%d of their own: %w", len(own), err)
		}
		r, err := p.Approve(ctx, own[0].ID, ecps.Response{Code: "1234", Number: own[0].Number})
		if err != nil || r.State != ecps.Approved {
			return fmt.Errorf("%+v %w", r, err)
		}
		return ask(id)
	})
	p.clock.Offset(ecps.RequestLifetime + time.Second)
	if all, _, err = p.Requests(ctx, ecps.Filter{PendingOnly: true}); err != nil || len(all) != 0 {
		t.Errorf("%d wait when their time is over: %v", len(all), err)
	}
	p.all(t, ask)
}

// BenchmarkRequestAmongTenThousand is a person's list while everybody's
// phones ring: it costs the same whatever the others do.
func BenchmarkRequestAmongTenThousand(b *testing.B) {
	p, ctx := withPeople(b, 2000), context.Background()
	p.all(b, func(id string) error {
		for range maxPending {
			if _, err := p.Start(ctx, ecps.Ask{NationalID: id, Client: "A"}); err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		if own, _, err := p.Requests(
			ctx,
			ecps.Filter{NationalID: p.people[7].NationalID, PendingOnly: true},
		); err != nil ||
			len(own) != maxPending {
			b.Fatal(len(own), err)
		}
	}
}

func FuzzScanned(f *testing.F) {
	p, ctx := withPeople(f, 1), context.Background()
	a, err := p.StartActivation(ctx, p.people[0].NationalID, ecps.ByContact)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{a.QR, a.ID, a.ID + ".", "", "%zz?qr=", "http://x/?qr=" + a.ID + ".x", "a.b.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, qr string) {
		if got, err := p.Scanned(ctx, qr); err == nil && got.Secret != a.Secret {
			t.Errorf("%q opened %+v", qr, got)
		}
	})
}
