package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
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

// BenchmarkWaitBeside is how long a write waits for others' large commands: on
// average and at worst.
func BenchmarkWaitBeside(b *testing.B) {
	const entries = 5000
	value := []byte(`"` + strings.Repeat("x", 1500) + `"`)
	ctx, c := context.Background(), store.Collection[string]("things")
	every := func(yield func(int, error) bool) {
		for n := range entries {
			if !yield(n, nil) {
				return
			}
		}
	}
	write := func(tx store.Tx, n int) error { return tx.Put(c.Key(fmt.Sprint(n)), value, time.Hour) }
	for name, large := range map[string]func(s store.Store) error{
		"long": func(s store.Store) error { return store.Each(ctx, s, "large", every, write, nil) },
		"replace": func(s store.Store) error {
			_, err := s.Replace(ctx, store.Replacement{Fill: func(put func(store.Entry) error) error {
				for n := range entries {
					if err := put(store.Entry{Key: c.Key(fmt.Sprint(n)), Value: value}); err != nil {
						return err
					}
				}
				return nil
			}})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			backends(b, func(b *testing.B, s store.Store) {
				var sum, worst time.Duration
				waits := 0
				for b.Loop() {
					done := make(chan error)
					go func() { done <- large(s) }()
					for busy := true; busy; {
						began := time.Now()
						if err := c.Save(ctx, s, "beside", "v", store.Forever); err != nil {
							b.Fatal(err)
						}
						took := time.Since(began)
						sum, worst, waits = sum+took, max(worst, took), waits+1
						select {
						case err := <-done:
							if err != nil {
								b.Fatal(err)
							}
							busy = false
						default:
						}
					}
				}
				b.ReportMetric(float64(sum.Microseconds())/float64(waits)/1000, "ms/wait")
				b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
			})
		})
	}
}
