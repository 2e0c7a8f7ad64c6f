package pscemutest_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

// run runs a program in a folder and answers with what it printed.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// source is a file of the repository, as the module's archive takes it.
type source struct{ root, name string }

func (s source) Path() string                { return s.name }
func (s source) Lstat() (os.FileInfo, error) { return os.Lstat(filepath.Join(s.root, s.name)) }
func (s source) Open() (io.ReadCloser, error) {
	return os.Open(filepath.Join(s.root, s.name))
}

// publish writes this module into a file-system proxy, as a proxy on the net
// would serve it: what git knows, but for the modules inside.
func publish(t *testing.T, proxy string, m module.Version) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var files []modzip.File
	for name := range strings.Lines(run(t, root, nil, "git", "ls-files")) {
		name = strings.TrimSpace(name)
		if _, err := os.Stat(filepath.Join(root, name)); err == nil && !strings.HasPrefix(name, "third_party/") {
			files = append(files, source{root, name})
		}
	}
	dir := filepath.Join(proxy, m.Path, "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(dir, m.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if err := modzip.Create(archive, m, files); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, m.Version, time.Now().UTC().Format(time.RFC3339))
	for ending, content := range map[string]string{".mod": string(mod), ".info": info} {
		if err := os.WriteFile(filepath.Join(dir, m.Version+ending), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(m.Version+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Another module imports this package and logs in, and `go install` makes the
// program, neither with a replace: the proxy serves this repository's files.
func TestAnotherModuleImportsThisOneWithoutAReplace(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program with all of ory/x: make test runs it")
	}
	t.Parallel()
	path := run(t, "..", nil, "go", "list", "-m")
	m := module.Version{Path: path, Version: fmt.Sprintf("v0.0.0-outside%d", time.Now().UnixNano())}
	proxy, outside := t.TempDir(), t.TempDir()
	publish(t, proxy, m)
	cache := run(t, "..", nil, "go", "env", "GOMODCACHE")
	t.Cleanup(func() { forget(t, cache, m) })
	env := []string{
		"GOWORK=off", "GOFLAGS=-mod=mod", "GOSUMDB=off", "GONOSUMDB=*", "GOBIN=" + outside,
		"GOPROXY=file://" + proxy + ",file://" + cache + "/cache/download," + run(t, "..", nil, "go", "env", "GOPROXY"),
	}
	run(t, outside, env, "go", "mod", "init", "example.org/outside")
	test, err := os.ReadFile("testdata/outside/login_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "login_test.go"), test, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, outside, env, "go", "get", m.Path+"/pscemutest@"+m.Version)
	if out := run(
		t,
		outside,
		env,
		"go",
		"test",
		"-count=1",
		"-v",
		".",
	); !strings.Contains(out, "--- PASS: TestADoctorLogsIn") {
		t.Errorf("the test of the other module: %s", out)
	}
	run(t, outside, env, "go", "install", m.Path+"/cmd/pscemu@"+m.Version)
	if out := run(t, outside, nil, filepath.Join(outside, "pscemu"), "--version"); out != "pscemu "+m.Version {
		t.Errorf("the installed program says %q", out)
	}
}

// forget takes what a test published out of the machine's module cache.
func forget(t *testing.T, cache string, m module.Version) {
	unpacked := filepath.Join(cache, m.Path+"@"+m.Version)
	_ = filepath.WalkDir(unpacked, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755) // the cache makes them read-only
		}
		return err
	})
	kept, _ := filepath.Glob(filepath.Join(cache, "cache/download", m.Path, "@v", m.Version+"*"))
	for _, path := range append(kept, unpacked) {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
}
