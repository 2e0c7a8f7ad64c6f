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

// BenchmarkUpdate is a durable write by 64 writers at once: they share fsyncs.
func BenchmarkUpdate(b *testing.B) {
	s, err := store.OpenBolt(filepath.Join(b.TempDir(), "db"), &clock.Adjustable{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c := store.Collection[string]("things")
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Save(context.Background(), s, fmt.Sprint(n.Add(1)), "value", time.Minute); err != nil {
				b.Error(err)
			}
		}
	})
}
