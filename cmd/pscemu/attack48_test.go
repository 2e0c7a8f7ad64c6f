package main

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refusesToStart runs a server that is to end at once, and returns what it says.
func refusesToStart(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	all := append(
		[]string{"serve", "--listen", "127.0.0.1:0", "--card-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"},
		args...)
	cmd := exec.CommandContext(ctx, binary, all...)
	cmd.Stdin = nil
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%v: it hangs: %s", args, out)
	}
	if err == nil || !strings.Contains(string(out), "pscemu: ") {
		t.Fatalf("%v: it started, or said nothing: %v %s", args, err, out)
	}
	return string(out)
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// Whatever of the data folder others can get at is named at the start, and
// mended; under strict it is refused, and left for its owner to judge.
func TestAttack48WhatOthersCanReadIsNamedAndRefusedUnderStrict(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	bootIn(t, data).stop(os.Interrupt)
	if got := modeOf(t, data); got != 0o700 {
		t.Errorf("the folder was made with mode %o", got)
	}
	for _, c := range []struct {
		name string
		mode fs.FileMode
	}{
		{"", 0o755},
		{"", 0o770},
		{"pscemu.db", 0o644},
		{"pscemu.db", 0o620},
		{"demo.key", 0o640},
		{"demo.p12", 0o604},
		{"ready.json", 0o644},
	} {
		path := filepath.Join(data, c.name)
		if c.name == "ready.json" { // of a server that was killed
			if err := os.WriteFile(path, []byte(`{"pid":0}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		out := refusesToStart(t, "--data", data, "--strict")
		if !strings.Contains(out, path) || !strings.Contains(out, "chmod") {
			t.Errorf("%s of mode %o: %s", path, c.mode, out)
		}
		if got := modeOf(t, path); got != c.mode {
			t.Errorf("%s: refused, and yet its mode became %o", path, got)
		}
		var log bytes.Buffer
		s := bootLogging(t, data, &log)
		if got := modeOf(t, path); got&0o077 != 0 {
			t.Errorf("%s still has mode %o", path, got)
		}
		s.stop(os.Interrupt)
		if !strings.Contains(log.String(), path) {
			t.Errorf("%s of mode %o is not named: %s", path, c.mode, log.String())
		}
	}
	s := bootIn(t, data, "--strict")
	for _, name := range []string{"pscemu.db", "demo.key", "demo.p12", "ready.json"} {
		if got := modeOf(t, filepath.Join(data, name)); got != 0o600 {
			t.Errorf("%s has mode %o", name, got)
		}
	}
	s.stop(os.Interrupt)
}

// A folder that holds other people's things is named, and not changed; an empty
// one is made private before anything is in it, under strict too.
func TestAttack48AFolderIsMadePrivateOnlyWhereThatHarmsNobody(t *testing.T) {
	empty, shared := t.TempDir(), t.TempDir()
	for _, dir := range []string{empty, shared} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(shared, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	bootIn(t, empty, "--strict").stop(os.Interrupt)
	if got := modeOf(t, empty); got != 0o700 {
		t.Errorf("the empty one has mode %o", got)
	}
	if out := refusesToStart(t, "--data", shared, "--strict"); !strings.Contains(out, "chmod 700 "+shared) {
		t.Errorf("the shared one under strict: %s", out)
	}
	var log bytes.Buffer
	s := bootLogging(t, shared, &log)
	s.stop(os.Interrupt)
	if got := modeOf(t, shared); got != 0o755 || !strings.Contains(log.String(), "chmod 700 "+shared) {
		t.Errorf("the shared one: mode %o, %s", got, log.String())
	}
}

// A file that others planted under one of our names is replaced, not written to.
func TestAttack48APlantedLinkOrPipeIsNotWrittenTo(t *testing.T) {
	data, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ready.json", "ready.json.new", "demo.key"} {
		if err := os.Symlink(elsewhere, filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(data, "demo.p12"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := bootIn(t, data)
	if raw, err := os.ReadFile(elsewhere); err != nil || string(raw) != "untouched" {
		t.Errorf("it was written to: %v %.60s", err, raw)
	}
	if got := modeOf(t, elsewhere); got != 0o644 {
		t.Errorf("its mode became %o", got)
	}
	s.DemoCertificate()
	if info, err := os.Lstat(filepath.Join(data, "demo.p12")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the pipe is still there: %v", err)
	}
}

// What is no file is skipped with a reason, whatever it is; the start waits for
// none of it.
func TestAttack48WhatIsNoFileAmongTheIdentitiesIsSkippedWithAReason(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	must(
		syscall.Mkfifo(at("pipe.json"), 0o600),
		os.Mkdir(at("folder.json"), 0o700),
		os.Symlink(at("nowhere"), at("dangling.csv")),
		os.Symlink("/dev/zero", at("device.yaml")),
		os.Symlink(
			at("pipe.json"),
			at("to-a-pipe.yml"),
		),
		os.WriteFile(at("huge.json"), nil, 0o600),
		os.Truncate(at("huge.json"), 2<<20),
		os.WriteFile(
			at("good.json"),
			[]byte(`[{"national_id":"899709999999","family_name":"SEULE","given_name":"BONNE"}]`),
			0o600,
		),
	)
	short := filepath.Join("/tmp", filepath.Base(t.TempDir())+".sock") // the path of a socket is short
	l, err := net.Listen("unix", at("s.json"))
	if err != nil {
		if l, err = net.Listen("unix", short); err == nil {
			must(os.Symlink(short, at("s.json")))
		}
	}
	must(err)
	defer l.Close()
	skipped := map[string]string{
		"pipe.json":     "a pipe",
		"folder.json":   "a folder",
		"dangling.csv":  "no such file",
		"device.yaml":   "a device",
		"to-a-pipe.yml": "a pipe",
		"huge.json":     "more than 1 MiB",
		"s.json":        "a socket",
	}
	if os.Geteuid() != 0 { // root reads everything
		must(os.WriteFile(at("unreadable.json"), []byte("[]"), 0o000))
		skipped["unreadable.json"] = "permission denied"
	}
	var log bytes.Buffer
	s := bootLogging(t, t.TempDir(), &log, "--identities", dir, "--max-import", "1")
	if status := s.API("GET", "/identities/899709999999", "", nil); status != 200 {
		t.Errorf("the good file was not loaded: %d", status)
	}
	s.stop(os.Interrupt)
	for name, reason := range skipped {
		found := false
		for line := range strings.Lines(log.String()) {
			found = found ||
				strings.Contains(line, name) && strings.Contains(line, "skipped") && strings.Contains(line, reason)
		}
		if !found {
			t.Errorf("%s: no line says %q:\n%s", name, reason, log.String())
		}
	}
}

// Pipes that nobody writes to, devices that never end: the start is refused
// with the reason, and does not hang.
func TestAttack48TheStartWaitsForNoFileThatASettingNames(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	withPipe := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(withPipe, "pscemu.db"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		says string
		args []string
	}{
		"a pipe as configuration":   {"nobody writes", []string{"--config", pipe}},
		"an endless configuration":  {"holds more than", []string{"--config", "/dev/zero"}},
		"a pipe as trust anchors":   {"trust-anchors", []string{"--trust-anchors", pipe}},
		"endless trust anchors":     {"holds more than", []string{"--trust-anchors", "/dev/zero"}},
		"a pipe as outbound CA":     {"outbound-ca", []string{"--outbound-ca", pipe}},
		"a pipe as identities":      {"is no folder", []string{"--identities", pipe}},
		"a pipe as database":        {"is no file", []string{"--data", withPipe}},
		"a data folder that is one": {"--data", []string{"--data", pipe}},
		"below a file":              {"choose another with --data", []string{"--data", filepath.Join(binary, "data")}},
		"not to be written":         {"choose another with --data", []string{"--data", "/proc"}},
		"not to be written, memory": {"choose another with --data", []string{"--data", "/proc", "--memory"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := c.args
			if args[0] != "--data" {
				args = append([]string{"--data", t.TempDir()}, args...)
			}
			if out := refusesToStart(t, args...); !strings.Contains(out, c.says) {
				t.Errorf("it says %s", out)
			}
		})
	}
}

// Process substitution and standard input go on working.
func TestPipesThatSomebodyWritesToAreRead(t *testing.T) {
	s := boot(t)
	sh := func(script string) string {
		t.Helper()
		cmd := exec.Command("bash", "-c", script)
		cmd.Env = append(os.Environ(), "P="+binary, "D="+s.data)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v %s", script, err, out)
		}
		return string(out)
	}
	if out := sh(`"$P" config --config <(echo 'acr: eidas3')`); !strings.Contains(out, "eidas3") {
		t.Errorf("--config from a substitution: %s", out)
	}
	if out := sh(`echo 'acr: eidas3' | "$P" config --config /dev/stdin`); !strings.Contains(out, "eidas3") {
		t.Errorf("--config from standard input: %s", out)
	}
	const people = `[{"national_id":"89970999999%d","family_name":"A","given_name":"B"}]`
	for i, script := range []string{
		`"$P" identities import --data "$D" <(printf '` + people + `' 1)`,
		`printf '` + people + `' 2 | "$P" identities import --data "$D" -`,
		`printf '` + people + `' 3 | "$P" identities import --data "$D" /dev/stdin`,
	} {
		if out := sh(script); !strings.Contains(out, "1 person imported") {
			t.Errorf("%d: %s", i, out)
		}
	}
	sh(`"$P" backup --data "$D" "$D.copy" && cat "$D.copy" | "$P" restore --data "$D" -`)
	if out, code := s.fails(
		"identities",
		"import",
		"/dev/zero",
	); code != exitUsage ||
		!strings.Contains(out, "device") {
		t.Errorf("from /dev/zero: %d %s", code, out)
	}
}
