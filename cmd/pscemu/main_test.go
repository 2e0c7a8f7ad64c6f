package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pscemu-test")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "pscemu")
	build := exec.Command(
		"go",
		"build",
		"-ldflags",
		"-X pscemu.invalid/pscemu/internal/store.nesting=panic",
		"-o",
		binary,
		".",
	)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// server is one running emulator, a program of its own.
type server struct {
	*testkit.Server
	data string
	cmd  *exec.Cmd
	done chan error
}

// boot starts the program on free ports and waits for its line of readiness.
func boot(t *testing.T, args ...string) *server { return bootIn(t, t.TempDir(), args...) }

func bootIn(t *testing.T, data string, args ...string) *server {
	t.Helper()
	return bootLogging(t, data, os.Stderr, args...)
}

// bootLogging also says where the log goes.
func bootLogging(t *testing.T, data string, log io.Writer, args ...string) *server {
	t.Helper()
	all := append(
		[]string{
			"serve",
			"--data",
			data,
			"--output",
			"json",
			"--listen",
			"127.0.0.1:0",
			"--card-listen",
			"127.0.0.1:0",
			"--console-listen",
			"127.0.0.1:0",
		},
		args...)
	cmd := exec.Command(binary, all...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{Server: &testkit.Server{T: t}, data: data, cmd: cmd, done: make(chan error, 1)}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no line of readiness: %v", err)
	}
	if err := json.Unmarshal(line, &s.Ready); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- cmd.Wait() }()
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })
	return s
}

func (s *server) stop(sig os.Signal) {
	if s.cmd.Process == nil || s.done == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	<-s.done
	s.done = nil
}

// cli runs a command against the server and returns its standard output.
func (s *server) cli(args ...string) string {
	s.T.Helper()
	out, err := exec.Command(binary, append(args, "--data", s.data)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		s.T.Fatalf("pscemu %s: %v: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out)
}

// fails runs a command that is to fail, and returns all it says and its exit code.
func (s *server) fails(args ...string) (string, int) {
	s.T.Helper()
	cmd := exec.Command(binary, append(args, "--data", s.data)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		s.T.Fatalf("pscemu %s: done, expected a failure: %s", strings.Join(args, " "), out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
