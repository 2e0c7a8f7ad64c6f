package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pscemu/clock"
	"pscemu/problem"
	"pscemu/store"
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

func replaceWith(s store.Store, v string, with ...store.Replacing) error {
	return s.Replace(context.Background(), func(put store.PutFunc) error {
		return put(things.Key("a"), []byte(`"`+v+`"`), time.Time{})
	}, with...)
}

func TestAReplacedFileIsKeptUnderAFreeNameAndTheNewOneIsFoundAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	save(t, s, "a", "old")
	if err := replaceWith(s, "new", store.KeepAs("db.kept")); err != nil {
		t.Fatal(err)
	}
	if err := replaceWith(s, "newer", store.KeepAs("db.kept")); !problem.Is(err, "backup-kept-taken") {
		t.Fatalf("the kept file's name was given away: %v", err)
	}
	holds(t, s, "a", "new")
	save(t, s, "b", "1")
	if got := names(t, path); len(got) != 2 {
		t.Errorf("temporary files stay: %v", got)
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, path + ".kept": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, kept := openBolt(t, path), openBolt(t, path+".kept")
	holds(t, again, "a", "new")
	holds(t, again, "b", "1")
	holds(t, kept, "a", "old")
	holds(t, kept, "b", "")
}

func TestAFileThatIsInUseIsRefusedToAnotherAlsoAfterAReplacement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	if err := replaceWith(s, "new"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenBolt(path, &clock.Adjustable{}); !problem.Is(err, "store-unusable") {
		t.Fatalf("a second store on the same file: %v", err)
	}
}

func TestARestoreThatCannotBeChangesNothingAndLeavesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	save(t, s, "a", "1")
	var backup bytes.Buffer
	if err := s.Backup(&backup); err != nil {
		t.Fatal(err)
	}
	save(t, s, "a", "2")
	whole := backup.Bytes()
	for name, bad := range map[string][]byte{
		"empty":       {},
		"cut off":     whole[:len(whole)/2],
		"no database": bytes.Repeat([]byte("x"), 10_000),
	} {
		if err := s.Restore(bytes.NewReader(bad), store.KeepAs("db.kept")); !problem.Is(err, "backup-unreadable") {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, s, "a", "2")
		if got := names(t, path); len(got) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := s.Restore(bytes.NewReader(whole), store.Judge(func(store.Tx) error { return errors.New("no") })); err == nil {
		t.Error("what was judged bad is in place")
	}
	holds(t, s, "a", "2")
	if err := s.Restore(bytes.NewReader(whole), store.KeepAs("db.kept")); err != nil {
		t.Fatal(err)
	}
	holds(t, s, "a", "1")
}

// A slow upload holds the turn, and another restore is refused; a backup that
// began before the change is still of the former content.
func TestARestoreUnderWayRefusesAnotherAndABackupUnderWayStaysWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openBolt(t, path)
	save(t, s, "a", "1")
	var first bytes.Buffer
	if err := s.Backup(&first); err != nil {
		t.Fatal(err)
	}
	save(t, s, "a", "2")
	up := &gate{data: first.Bytes(), at: make(chan struct{}), open: make(chan struct{})}
	down := &gate{at: make(chan struct{}), open: make(chan struct{})}
	var both sync.WaitGroup
	both.Go(func() {
		if err := s.Backup(down); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		if err := s.Restore(up); err != nil {
			t.Error(err)
		}
	})
	<-down.at
	<-up.at
	if err := s.Restore(bytes.NewReader(first.Bytes())); !problem.Is(err, "store-replacing") {
		t.Errorf("beside a restore: %v", err)
	}
	if err := replaceWith(s, "x"); !problem.Is(err, "store-replacing") {
		t.Errorf("beside a restore: %v", err)
	}
	save(t, s, "a", "3")
	close(up.open)
	for v := ""; v != "1"; { // the restore is done while the backup is not
		v, _ = things.LoadMaybe(context.Background(), s, "a")
	}
	save(t, s, "a", "4")
	close(down.open)
	both.Wait()
	if err := s.Restore(bytes.NewReader(down.data)); err != nil {
		t.Fatal(err)
	}
	holds(t, s, "a", "2")
}

// gate is a slow connection: it stops once, until it is opened.
type gate struct {
	data     []byte
	once     sync.Once
	at, open chan struct{}
}

func (g *gate) stop() { g.once.Do(func() { close(g.at); <-g.open }) }

func (g *gate) Read(p []byte) (int, error) {
	g.stop()
	r := bytes.NewReader(g.data)
	n, err := r.Read(p)
	g.data = g.data[n:]
	return n, err
}

func (g *gate) Write(p []byte) (int, error) {
	g.stop()
	g.data = append(g.data, p...)
	return len(p), nil
}

func TestWhatACrashLeftOfTemporaryFilesIsRemovedAtOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path+".new-123", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	openBolt(t, path)
	if got := names(t, path); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// The file grows far beyond what a reader began with, and nobody waits for it.
func TestASlowReaderStopsNobody(t *testing.T) {
	s := openBolt(t, filepath.Join(t.TempDir(), "db"))
	save(t, s, "a", "1")
	err := s.View(context.Background(), func(store.Tx) error {
		var writer sync.WaitGroup
		writer.Go(func() {
			for n := range 20 {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					return tx.Put(things.Key(string(rune('b'+n))), bytes.Repeat([]byte("x"), 1<<19), store.Forever)
				})
				if err != nil {
					t.Error(err)
				}
				holds(t, s, "a", "1")
			}
			if err := replaceWith(s, "2"); err != nil {
				t.Error(err)
			}
		})
		writer.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, s, "a", "2")
}
