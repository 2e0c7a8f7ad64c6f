package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/testkit"
)

// space makes an isolated emulator in the server, to use as one of its own.
func (s *server) space(name string) *server {
	s.T.Helper()
	var made struct {
		Name string
		emulator.Ready
	}
	if status := s.API("POST", "/spaces", `{"name":"`+name+`"}`, &made); status != 201 {
		s.T.Fatalf("making a space: %d", status)
	}
	dir := s.T.TempDir()
	sp := &server{Server: testkit.For(s.T, made.Ready), data: dir}
	for file, text := range map[*string]string{
		&sp.CAFile:                     made.CA,
		&sp.DemoClient.CertificateFile: made.DemoClient.Certificate,
		&sp.DemoClient.KeyFile:         made.DemoClient.Key,
	} {
		*file = filepath.Join(dir, fmt.Sprintf("%p.pem", file))
		if err := os.WriteFile(*file, []byte(text), 0o600); err != nil {
			s.T.Fatal(err)
		}
	}
	if err := os.WriteFile(
		filepath.Join(dir, "ready.json"),
		[]byte(testkit.Encoded(s.T, sp.Ready)),
		0o600,
	); err != nil { // for commands
		s.T.Fatal(err)
	}
	return sp
}

func TestWithMemoryThereIsNoDatabaseFile(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data, "--memory")
	testkit.NewRelyingParty(s.Server, s.DemoCertificate()).Tokens(testkit.Doctor, "")
	if _, err := os.Stat(filepath.Join(data, "pscemu.db")); !os.IsNotExist(err) {
		t.Errorf("pscemu.db: %v", err)
	}
	out, err := exec.Command(
		binary,
		"serve",
		"--data",
		data,
		"--memory",
		"--listen",
		"127.0.0.1:0",
		"--card-listen",
		"127.0.0.1:0",
		"--console-listen",
		"127.0.0.1:0",
	).
		CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another emulator runs in this data folder") {
		t.Errorf("a second one in the folder: %v %s", err, out)
	}
}
