package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Files beside the data file, by what follows its name.
const (
	suffixNew    = ".new-"    // under construction; one that is left is of no use
	suffixFormer = ".former-" // replaced a moment ago; goes when the new one serves
	suffixKept   = ".before-" // kept by a restore, with the date
)

// bringBack gives the former file its name back where a swap was cut off between
// two renames.
func bringBack(path string) {
	formers := append(named(path, suffixKept), named(path, suffixFormer)...)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) || len(formers) == 0 {
		return
	}
	newest := slices.MaxFunc(formers, func(a, b string) int { return modified(a).Compare(modified(b)) })
	slog.Warn("the data file was being replaced when the program ended; the former one serves", "file", newest)
	_ = os.Rename(newest, path)
}

// tidy removes what an earlier run left half-way. Nobody else makes such files
// while the data file is held open.
func tidy(path string) {
	live, _ := os.Stat(path)
	for _, name := range named(path, suffixKept) {
		if other, err := os.Stat(name); err == nil && live != nil && os.SameFile(live, other) {
			_ = os.Remove(name) // a second name of the live file
		}
	}
	for _, name := range append(named(path, suffixNew), named(path, suffixFormer)...) {
		_ = os.Remove(name)
	}
}

// named lists the files beside the data file with this suffix.
func named(path, suffix string) []string {
	names, _ := filepath.Glob(path + suffix + "*")
	return names
}

func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// freshFile makes a private empty file beside the data file.
func freshFile(path string) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+suffixNew+"*") // 0600
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// syncFolder makes a rename durable, where folders can be synced.
func syncFolder(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// moveIn gives the former file its other name and the fresh one its place: at
// every moment one of the two has the data file's name, where the file system
// knows links.
func moveIn(fresh, path, former string) error {
	if err := os.Link(path, former); err != nil {
		if err := os.Rename(path, former); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Rename(former, path))
	}
	syncFolder(path)
	return nil
}

const keptForm = "20060102-150405.000"

// freeName is a name with the date that no file has.
func freeName(path, suffix string) string {
	base := path + suffix + time.Now().UTC().Format(keptForm)
	name := base
	for n := 1; ; n++ {
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
}

// prune removes the oldest of more than KeptFormer kept files. One that cannot
// be removed is tried again the next time.
func prune(path string) {
	all := named(path, suffixKept+"[0-9]") // not what earlier versions kept as .before-restore
	slices.Sort(all)                       // by date
	for _, name := range all[:max(0, len(all)-KeptFormer)] {
		_ = os.Remove(name)
	}
}
