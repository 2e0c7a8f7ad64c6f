package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

var things = store.Collection[string]("things")

func openBolt(t *testing.T, path string, with ...store.Option) *store.Bolt {
	t.Helper()
	s, err := store.OpenBolt(path, &clock.Adjustable{}, with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func holds(t *testing.T, s store.Store, id, v string) {
	t.Helper()
	if got, err := things.LoadMaybe(context.Background(), s, id); got != v || err != nil {
		t.Fatalf("%s is %q, %v; want %q", id, got, err, v)
	}
}

func save(t *testing.T, s store.Store, id, v string) {
	t.Helper()
	if err := things.Save(context.Background(), s, id, v, store.Forever); err != nil {
		t.Fatal(err)
	}
}

// names are the files beside a data file.
func names(t *testing.T, path string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func replaceWith(s store.Store, v string, keep bool) (string, error) {
	return s.Replace(context.Background(), store.Replacement{Keep: keep, Fill: func(put func(store.Entry) error) error {
		return put(store.Entry{Key: things.Key("a"), Value: []byte(`"` + v + `"`)})
	}})
}

func replaceAll(t *testing.T, s store.Store, v string, keep bool) (kept string) {
	t.Helper()
	kept, err := replaceWith(s, v, keep)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestThreeReplacedFilesAreKeptUnderTheirDatesAndTheNewOneIsFoundAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	save(t, s, "a", "0")
	var kept []string
	for n := 1; n <= 5; n++ {
		kept = append(kept, replaceAll(t, s, strconv.Itoa(n), true))
	}
	replaceAll(t, s, "new", false)
	holds(t, s, "a", "new")
	save(t, s, "b", "1")
	if got, want := names(t, path), append([]string{"db"}, kept[2:]...); !slices.Equal(got, want) {
		t.Fatalf("the files are %v, want %v", got, want)
	}
	for _, name := range names(t, path) {
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openBolt(t, path)
	holds(t, again, "a", "new")
	holds(t, again, "b", "1")
	for n, name := range kept[2:] { // the second replacement after the first kept "1"
		holds(t, openBolt(t, filepath.Join(filepath.Dir(path), name)), "a", strconv.Itoa(n+2))
	}
}

func TestAFileThatIsInUseIsRefusedToAnotherAlsoAfterAReplacement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	replaceAll(t, s, "new", false)
	if _, err := store.OpenBolt(path, &clock.Adjustable{}); !problem.Is(err, "store-unusable") {
		t.Fatalf("a second store on the same file: %v", err)
	}
	holds(t, s, "a", "new")
}

// Whoever waited for the lock of a file that was replaced meanwhile would write
// where nobody reads.
func TestAReplacedFileIsNotOpenedByWhoWaitedForIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	opened := make(chan error)
	go func() {
		other, err := store.OpenBolt(path, &clock.Adjustable{})
		if err == nil {
			err = errors.Join(errors.New("it was opened"), other.Close())
		}
		opened <- err
	}()
	for done := false; !done; {
		replaceAll(t, s, "new", false)
		select {
		case err := <-opened:
			done = true
			if !problem.Is(err, "store-unusable") {
				t.Fatal(err)
			}
		default:
		}
	}
}

func TestAReplacementThatFailsLeavesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	save(t, s, "a", "old")
	stop, empty := errors.New("stop"), func(func(store.Entry) error) error { return nil }
	for name, r := range map[string]store.Replacement{
		"fill": {Fill: func(func(store.Entry) error) error { return stop }, Keep: true},
		"last": {Fill: empty, Last: func(store.Tx, store.Tx) error { return stop }, Keep: true},
		"then": {Fill: empty, Then: func() error { return stop }, Keep: true},
	} {
		if _, err := s.Replace(context.Background(), r); !errors.Is(err, stop) {
			t.Errorf("%s: %v", name, err)
		}
		if got := names(t, path); !slices.Equal(got, []string{"db"}) {
			t.Errorf("%s leaves %v", name, got)
		}
		holds(t, s, "a", "old")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, openBolt(t, path), "a", "old")
}

func TestWhatACrashLeftBesideTheDataFileIsPutRightAtOpen(t *testing.T) {
	const date = "20260102-030405.000"
	for name, leave := range map[string]func(path string) error{
		"half a file": func(path string) error {
			return os.WriteFile(
				path+".new-123",
				[]byte("half"),
				0o600,
			)
		},
		"a second name, nothing swapped": func(path string) error { return os.Link(path, path+".before-"+date) },
		"a former file":                  func(path string) error { return os.WriteFile(path+".former-"+date, nil, 0o600) },
		"between two renames":            func(path string) error { return os.Rename(path, path+".former-"+date) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			s := openBolt(t, path)
			save(t, s, "a", "1")
			if err := errors.Join(s.Close(), leave(path)); err != nil {
				t.Fatal(err)
			}
			again := openBolt(t, path)
			holds(t, again, "a", "1")
			if got := names(t, path); !slices.Equal(got, []string{"db"}) {
				t.Errorf("%v", got)
			}
		})
	}
}

// A store that is refused the file's lock leaves alone what its owner builds.
func TestOpeningAFileInUseTouchesNothingBesideIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	_, err := s.Replace(context.Background(), store.Replacement{Fill: func(put func(store.Entry) error) error {
		before := names(t, path)
		if _, err := store.OpenBolt(path, &clock.Adjustable{}); !problem.Is(err, "store-unusable") {
			t.Errorf("it was opened: %v", err)
		}
		if after := names(t, path); !slices.Equal(before, after) || len(after) != 2 {
			t.Errorf("the files were %v and are %v", before, after)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// The file grows far beyond what a reader began with, and is replaced, and nobody
// waits for the reader.
func TestASlowReaderStopsNobody(t *testing.T) {
	s := openBolt(t, filepath.Join(t.TempDir(), "db"))
	save(t, s, "a", "1")
	err := s.View(context.Background(), func(tx store.Tx) error {
		var writer sync.WaitGroup
		writer.Go(func() {
			for n := range 40 {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					return tx.Put(things.Key("big"+strconv.Itoa(n)), bytes.Repeat([]byte("x"), 1<<19), store.Forever)
				})
				if err != nil {
					t.Error(err)
				}
				holds(t, s, "a", "1")
			}
			if _, err := replaceWith(s, "2", false); err != nil {
				t.Error(err)
			}
			holds(t, s, "a", "2")
		})
		writer.Wait()
		if v, err := things.Get(tx, "a"); v != "1" {
			t.Errorf("the reader reads %q, %v", v, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, s, "a", "2")
}
