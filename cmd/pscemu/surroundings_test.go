package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pscemu.invalid/pscemu/internal/testkit"
)

// serves starts the program where it cannot work, and returns what it says.
func serves(t *testing.T, data string, prepare func(*exec.Cmd)) (string, int) {
	t.Helper()
	cmd := exec.Command(
		binary,
		"serve",
		"--data",
		data,
		"--listen",
		"127.0.0.1:0",
		"--card-listen",
		"127.0.0.1:0",
		"--console-listen",
		"127.0.0.1:0",
	)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if prepare != nil {
		prepare(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	_ = cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestADataFileThatCannotBeUsedIsNamedAndLeftUntouched(t *testing.T) {
	good := t.TempDir()
	bootIn(t, good).stop(os.Interrupt)
	database, err := os.ReadFile(filepath.Join(good, "pscemu.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file func(path string) error
		want string
	}{
		"another kind of file": {
			func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("not a database ", 2000)), 0o600) },
			"invalid database",
		},
		"cut off": {
			func(p string) error { return os.WriteFile(p, database[:16*4096], 0o600) },
			"damaged|cut off",
		},
		"another program's":  {func(p string) error { return foreign(p, "accounts") }, "another program's"},
		"of a newer version": {func(p string) error { return foreign(p, "meta") }, "schema version 99"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "pscemu.db")
			if err := c.file(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out, code := serves(t, dir, nil)
			if code != exitFailed || !regexp.MustCompile(c.want).MatchString(out) ||
				!strings.Contains(out, "left untouched") ||
				!strings.Contains(out, path) ||
				strings.Contains(out, "goroutine") {
				t.Errorf("exit %d: %s", code, out)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// foreign makes a bbolt file that is not ours.
func foreign(path, bucket string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(bucket))
		if err == nil {
			err = b.Put([]byte("schema"), []byte("99"))
		}
		return err
	})
}

func TestTwoEmulatorsOnOneDataFolderDoNotMeet(t *testing.T) {
	s := boot(t)
	out, code := serves(t, s.data, nil)
	if code != exitFailed || !strings.Contains(out, "stop the other process") {
		t.Errorf("exit %d: %s", code, out)
	}
	if status := s.API("GET", "/identities/"+testkit.Doctor, "", nil); status != 200 {
		t.Errorf("the first one answers %d", status)
	}
}

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		prepare func() string
		want    string
	}{
		"read-only folder": {func() string { return dir }, "this user may read and write"},
		"a file":           {func() string { return binary }, "data folder cannot be made"},
	} {
		t.Run(name, func(t *testing.T) {
			data := c.prepare()
			for _, way := range []string{filepath.Dir(binary), filepath.Dir(dir)} { // others may get there
				if err := os.Chmod(way, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(dir, 0o755)
			out, code := serves(t, data, func(cmd *exec.Cmd) {
				if os.Geteuid() == 0 { // whom no mode stops
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				}
			})
			if code != exitFailed || !strings.Contains(out, c.want) || strings.Contains(out, "goroutine") {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}

func TestAFullDiskRefusesAndDestroysNothing(t *testing.T) {
	data := t.TempDir()
	first := bootIn(t, data)
	first.cli("identities", "generate", "--count", "20", "--seed", "3")
	first.stop(os.Interrupt)
	info, err := os.Stat(filepath.Join(data, "pscemu.db"))
	if err != nil {
		t.Fatal(err)
	}
	// The shell bounds the size of every file the server writes: the data file
	// can be what it is now, and not grow.
	wrapped := filepath.Join(t.TempDir(), "pscemu")
	script := fmt.Sprintf("#!/bin/sh\nulimit -f %d\nexec %s \"$@\"\n", info.Size()/512, binary)
	if err := os.WriteFile(wrapped, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	unbounded := binary
	binary = wrapped
	s := bootIn(t, data)
	binary = unbounded
	var p struct{ Code, Detail string }
	refused := 0
	for n := 0; refused < 3 && n < 200; n++ {
		switch status := s.API(
			"POST",
			"/identities/generate",
			fmt.Sprintf(`{"count":100,"seed":%d,"quiet":true}`, n+100),
			&p,
		); {
		case status == http.StatusInternalServerError && p.Code == "store-unwritable":
			refused++
		case status >= 300:
			t.Fatal(status, p)
		}
	}
	if refused == 0 || !strings.Contains(p.Detail, "make room on the disk") {
		t.Fatalf("nothing refused: %+v", p)
	}
	for _, id := range []string{testkit.Doctor, testkit.Nurse} {
		if status := s.API("GET", "/identities/"+id, "", nil); status != 200 {
			t.Errorf("%s answers %d while the disk is full", id, status)
		}
	}
	before := s.Entries()
	s.stop(syscall.SIGKILL)
	s = bootIn(t, data)
	after := s.Entries()
	for key, value := range before {
		if strings.HasPrefix(key, "identities/") && after[key] != value {
			t.Errorf("%s is not what it was", key)
		}
	}
	if status := s.API(
		"POST",
		"/identities/generate",
		`{"count":100,"seed":1,"quiet":true}`,
		nil,
	); status != http.StatusCreated {
		t.Errorf("with room again: %d", status)
	}
}

func TestTheClockMayJumpAnywhereAndBack(t *testing.T) {
	s := boot(t)
	for _, jump := range []string{"87600h", "-87600h", "131400h", "-1h", "0s"} {
		if status := s.API("PUT", "/clock", `{"offset":"`+jump+`"}`, nil); status >= 300 {
			t.Fatalf("%s: %d", jump, status)
		}
		testkit.NewRelyingParty(s.Server, s.DemoCertificate()).Login(testkit.Doctor)
	}
	var frozen struct{ Now string }
	if status := s.API("PUT", "/clock", `{"now":"2026-02-28T23:59:59Z","frozen":true}`, &frozen); status >= 300 {
		t.Fatal(status)
	}
	seen := map[string]bool{}
	for range 20 {
		code := testkit.NewRelyingParty(s.Server, s.DemoCertificate()).Login(testkit.Doctor).Get("code")
		if code == "" || seen[code] {
			t.Fatalf("at a standing clock the code %q comes twice", code)
		}
		seen[code] = true
	}
}
