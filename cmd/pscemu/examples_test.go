package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pscemu.invalid/pscemu/lab/check"
)

// freePort is one that nobody listens on at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// node is the machine's Node, or the one that .ci/deps brought where that is
// too old.
func node(t *testing.T) string {
	t.Helper()
	brought, err := filepath.Abs("../../.tools/node_modules/node/bin/node")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(brought); err == nil {
		return brought
	}
	return "node"
}

// example runs one of the example applications against the server, and returns
// its address when it says that it is ready.
func (s *server) example(name string, command ...string) string {
	s.T.Helper()
	port := freePort(s.T)
	url := "http://localhost:" + port
	s.Register(name, map[string]any{
		"redirect_uris":             []string{url + "/callback"},
		"post_logout_redirect_uris": []string{url + "/"},
	})
	dir := s.T.TempDir()
	s.cli("certificates", "issue", "--client", name, "--out", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		s.T.Fatal(err)
	}
	env := append(os.Environ(), "ISSUER="+s.Issuer, "CLIENT_ID="+name, "CA="+s.CAFile, "PORT="+port)
	for _, f := range files {
		switch filepath.Ext(f) {
		case ".pem":
			env = append(env, "CERT="+f)
		case ".key":
			env = append(env, "KEY="+f)
		}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = filepath.Join("..", "..", "examples", name), env
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.T.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.T.Fatalf("%v; make deps installs what the examples need", err)
	}
	s.T.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGKILL); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready ") {
			go func() { // its further words are of no use here
				for lines.Scan() {
				}
			}()
			return url
		}
	}
	s.T.Fatalf("the example %s ended without being ready", name)
	return ""
}

func TestTheExamplesOnOtherLibrariesPassTheCheck(t *testing.T) {
	tools, err := filepath.Abs("../../.tools/venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		command []string
		known   string // what the library does otherwise; examples/README.md says why
	}{"node": {[]string{node(t), "app.mjs"}, "rotated"}, "python": {[]string{tools, "app.py"}, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := boot(t)
			r, code, _ := s.verdict(s.example(name, c.command...), "--accept", c.known)
			for _, f := range r.Failed() {
				if f.ID == c.known {
					continue
				}
				t.Errorf("%s (%s): %s", f.ID, f.Severity, f.What)
			}
			if code != 0 || r.Count(check.Passed) < 50 {
				t.Errorf("exit code %d, %d passed", code, r.Count(check.Passed))
			}
		})
	}
}
