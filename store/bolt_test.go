package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"pscemu/clock"
	"pscemu/problem"
	"pscemu/store"
	"pscemu/store/storetest"
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
