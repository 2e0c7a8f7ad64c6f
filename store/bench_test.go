package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pscemu/clock"
	"pscemu/store"
)

// backends are what is measured.
func backends(b *testing.B, run func(b *testing.B, s store.Store)) {
	defer store.Production()() // tests look at the stack of every transaction
	b.Run("bolt", func(b *testing.B) {
		s, err := store.OpenBolt(filepath.Join(b.TempDir(), "db"), &clock.Adjustable{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		run(b, s)
	})
	b.Run("memory", func(b *testing.B) { run(b, store.NewMemory(&clock.Adjustable{})) })
}

// BenchmarkUpdate is a durable write by 64 writers at once: they share fsyncs.
func BenchmarkUpdate(b *testing.B) {
	backends(b, func(b *testing.B, s store.Store) {
		c := store.Collection[string]("things")
		var n atomic.Int64
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := c.Save(context.Background(), s, fmt.Sprint(n.Add(1)), "value", time.Minute); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkAlone is a durable write by one writer.
func BenchmarkAlone(b *testing.B) {
	backends(b, func(b *testing.B, s store.Store) {
		c := store.Collection[string]("things")
		n := 0
		for b.Loop() {
			n++
			if err := c.Save(context.Background(), s, fmt.Sprint(n%1000), "value", time.Minute); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkView reads one entry of ten thousand.
func BenchmarkView(b *testing.B) {
	backends(b, func(b *testing.B, s store.Store) {
		c := store.Collection[string]("things")
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for n := range 10_000 {
				if err := c.Put(tx, fmt.Sprint(n), "value", 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				if _, err := c.Load(context.Background(), s, fmt.Sprint(n%10_000)); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkMany writes a thousand entries in one transaction, and lists among
// them.
func BenchmarkMany(b *testing.B) {
	backends(b, func(b *testing.B, s store.Store) {
		c := store.Collection[string]("things")
		b.ReportAllocs()
		for b.Loop() {
			err := s.Update(context.Background(), func(tx store.Tx) error {
				for n := range 1000 {
					id := fmt.Sprint(n)
					if _, err := c.List(tx, id, 1); err != nil {
						return err
					}
					if err := c.Put(tx, id, "value", time.Minute); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
