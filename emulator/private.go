package emulator

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// What the emulator keeps in the folder: files that hold keys, secrets or the token, and
// files that anybody may read. The database's name begins the names of the
// copies that a restore keeps.
const database = "pscemu.db"

var (
	secretFiles = []string{"ready.json", "ready.json.new", "demo.key", "demo.p12"}
	publicFiles = []string{"demo.pem", "server-ca.pem"}
)

func isSecret(name string) bool {
	return slices.Contains(secretFiles, name) || strings.HasPrefix(name, database) || strings.HasPrefix(name, temporary)
}

func isOurs(name string) bool { return isSecret(name) || slices.Contains(publicFiles, name) }

// lax is a file or folder that others can get at.
type lax struct {
	path  string
	mode  fs.FileMode // as it is
	want  fs.FileMode
	owner string // a stranger; "" for us
	mend  bool   // the mode may be set without harm to anybody
}

func (l lax) String() string {
	said := []string{fmt.Sprintf("%s has mode %04o", l.path, l.mode.Perm())}
	if l.owner != "" {
		said = append(said, l.owner)
	}
	return strings.Join(said, " and ")
}

func (l lax) remedy() string {
	if l.owner != "" {
		return fmt.Sprintf("chown %d %s", os.Geteuid(), l.path)
	}
	return fmt.Sprintf("chmod %o %s", l.want, l.path)
}

// guard makes sure that the folder can be written, and that nobody else gets at
// what is in it. A folder without secrets is made private at once. One with
// secrets that others could read is named, and refused under strict: what was
// in it may be known to others.
func (f folder) guard(strict bool) error {
	if err := f.writable(); err != nil {
		return err
	}
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return f.unusable(err)
	}
	found, err := f.laxOnes(entries)
	if err != nil || len(found) == 0 {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isSecret(e.Name()) }) && found[0].mend {
		return f.mend(found[0])
	}
	if strict {
		return refuseLax(found)
	}
	for _, l := range found {
		if err := f.name(l); err != nil {
			return err
		}
	}
	return nil
}

// laxOnes are the folder itself and the files in it that others can get at.
func (f folder) laxOnes(entries []fs.DirEntry) (found []lax, err error) {
	foreign := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !isOurs(e.Name()) })
	if err := look(&found, string(f), 0o700, !foreign); err != nil {
		return nil, f.unusable(err)
	}
	for _, e := range entries {
		if !isSecret(e.Name()) {
			continue
		}
		err := look(&found, f.path(e.Name()), 0o600, true)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a link to nowhere, or gone meanwhile
			return nil, f.unusable(err)
		}
	}
	return found, nil
}

// look adds a file or folder that others can get at. What a link leads to lies
// elsewhere, so it is not ours to change.
func look(found *[]lax, path string, want fs.FileMode, mend bool) error {
	link, err := os.Lstat(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	mend = mend && link.Mode()&fs.ModeSymlink == 0
	owner := stranger(info)
	if owner != "" || info.Mode().Perm()&0o077 != 0 {
		*found = append(*found, lax{path, info.Mode(), want, owner, mend && owner == ""})
	}
	return nil
}

// name tells of what others could get at, and mends it where that is safe.
func (f folder) name(l lax) error {
	if !l.mend {
		slog.Warn("others can get at this; it holds keys and secrets", "what", l.String(), "do", l.remedy())
		return nil
	}
	slog.Warn(
		"others could get at this until now; it holds keys and secrets",
		"what",
		l.String(),
		"now",
		fmt.Sprintf("%04o", l.want),
		"do",
		"if that matters, begin with a new data folder: it has new keys",
	)
	return f.mend(l)
}

func (f folder) mend(l lax) error {
	if err := os.Chmod(l.path, l.want); err != nil {
		return f.unusable(err)
	}
	return nil
}

func refuseLax(found []lax) error {
	var got, do []string
	for _, l := range found {
		got, do = append(got, l.String()), append(do, l.remedy())
	}
	return problem.DataFolderOpen.With("steps", strings.Join(do, "; ")).Got(strings.Join(got, "; "))
}

// writable refuses a folder that cannot be written, and a database that is none.
func (f folder) writable() error {
	if info, err := os.Stat(f.path(database)); err == nil && !info.Mode().IsRegular() {
		return problem.DataFileIrregular.Got(f.path(database) + ": " + info.Mode().String())
	}
	probe, err := os.CreateTemp(string(f), temporary)
	if err != nil {
		return f.unusable(err)
	}
	_, err = probe.Write(make([]byte, 4096))
	if err = errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return f.unusable(err)
	}
	return nil
}

func (f folder) unusable(err error) *problem.Error {
	return problem.DataFolderUnusable.Got(err.Error())
}

// temporary begins the names of files that are being written.
const temporary = ".pscemu-"

// put writes a file at once: it has its mode from the beginning, and whatever
// had the name before is replaced, not written into.
func (f folder) put(name string, data []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(string(f), temporary)
	if err != nil {
		return f.unusable(err)
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(mode), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), f.path(name))
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return f.unusable(err)
	}
	return nil
}

// holds tells whether a file holds this already, and its mode allows no more.
func (f folder) holds(name string, data []byte, mode os.FileMode) bool {
	info, err := os.Lstat(f.path(name))
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&^mode != 0 {
		return false
	}
	old, err := os.ReadFile(f.path(name))
	return err == nil && string(old) == string(data)
}
