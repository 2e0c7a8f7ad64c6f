package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// bloated is a data file of some thirty MiB of which little is in use.
func bloated(t *testing.T) (path string, size int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	for n := range 30 {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			if err := things.Put(tx, fmt.Sprint("kept", n), "v", time.Duration(n%2)*time.Hour); err != nil {
				return err
			}
			for i := range 2 {
				if err := things.Put(tx, fmt.Sprint("gone", n, "-", i), strings.Repeat("x", 1<<19), 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 30 {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			return errors.Join(
				things.Delete(tx, fmt.Sprint("gone", n, "-0")),
				things.Delete(tx, fmt.Sprint("gone", n, "-1")))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info.Size()
}

func TestAFileThatIsFreeForTheMostPartIsCompactedAtOpen(t *testing.T) {
	path, before := bloated(t)
	s := openBolt(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Size() > before/3 || info.Mode().Perm() != 0o600 {
		t.Fatalf("%d bytes of %d, %v, %v", info.Size(), before, info.Mode(), err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"db"}) {
		t.Errorf("%v", got)
	}
	for n := range 30 {
		holds(t, s, fmt.Sprint("kept", n), "v")
	}
	save(t, s, "a", "1")
	if _, err := store.OpenBolt(path, &clock.Adjustable{}); err == nil {
		t.Error("the compacted file is not locked")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, openBolt(t, path), "a", "1")
}

func TestAFileIsOpenedAsItIsWhereThereIsNoRoomToCompactIt(t *testing.T) {
	path, before := bloated(t)
	defer store.DiskFree(1 << 20)()
	s := openBolt(t, path)
	if info, err := os.Stat(path); err != nil || info.Size() != before {
		t.Fatalf("%v, %v", info, err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"db"}) {
		t.Errorf("%v", got)
	}
	holds(t, s, "kept7", "v")
}

func TestAFileThatIsInUseForTheMostPartStaysAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	for n := range 40 {
		save(t, s, fmt.Sprint(n), strings.Repeat("x", 1<<19))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	s = openBolt(t, path)
	after, _ := os.Stat(path)
	if !os.SameFile(before, after) {
		t.Error("it was copied")
	}
	holds(t, s, "39", strings.Repeat("x", 1<<19))
}
