package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestItContactsNothingUnasked(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	// The script takes the program's place: what it starts is traced.
	wrapped := filepath.Join(t.TempDir(), "pscemu")
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is missing: .ci/deps installs it")
	}
	script := "#!/bin/sh\nexec " + strace + " -D -f -qq -e trace=connect,sendto,sendmsg,sendmmsg -o " +
		trace + " " + binary + " \"$@\"\n"
	if err := os.WriteFile(wrapped, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	untraced := binary
	binary = wrapped
	s := boot(t, "--hosts", "psc.test")
	binary = untraced
	testkit.NewRelyingParty(s.Server, s.DemoCertificate()).UserInfo(testkit.Doctor)
	s.bench("--means", "ecps", "--duration", "300ms")
	s.bench("--means", "card", "--duration", "300ms")
	s.cli("ecps", "activate", testkit.Nurse, "--by", "contact") // mail and SMS stay in the outbox
	s.cli("cards", "kit", "integration")
	for _, page := range []string{"/", "/logins", "/why", "/demo", "/doctor", "/certificates", "/metrics"} {
		s.consolePage(page)
	}
	s.stop(os.Interrupt)
	testkit.Eventually(
		t,
		"the trace is whole",
		func() bool { info, err := os.Stat(trace); return err == nil && info.Size() > 0 },
	)
	raw, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	addresses := regexp.MustCompile(`inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)"`)
	for line := range strings.Lines(string(raw)) {
		for _, m := range addresses.FindAllStringSubmatch(line, -1) {
			if to := m[1] + m[2]; !strings.HasPrefix(to, "127.") && to != "::1" {
				t.Errorf("it contacted %s: %s", to, line)
			}
		}
	}
	t.Logf("%d calls, all of them to this machine", strings.Count(string(raw), "\n"))
}

func (s *server) consolePage(path string) {
	s.T.Helper()
	resp, err := s.HTTP(nil).Get(s.ConsoleURL + path)
	if err != nil || resp.StatusCode >= 500 {
		s.T.Fatalf("%s: %v %v", path, resp, err)
	}
	resp.Body.Close()
}

func TestItListensOnLoopbackOnlySoThatRealIssuersAreNeverServedElsewhere(t *testing.T) {
	for _, setting := range []string{"listen", "card-listen", "console-listen"} {
		for _, address := range []string{
			"0.0.0.0:0",
			"[::]:0",
			":9443",
			"192.168.1.4:9443",
			"example.org:9443",
			"wallet.bas.psc.esante.gouv.fr:443",
		} {
			if _, err := config.Load(map[string]string{setting: address}, nil, ""); err == nil {
				t.Errorf("--%s %s is accepted", setting, address)
			}
		}
	}
	s := boot(t)
	for _, at := range []string{
		s.Listen,
		strings.TrimPrefix(s.CardURL, "https://"),
		strings.TrimPrefix(s.ConsoleURL, "http://"),
	} {
		if !strings.HasPrefix(at, "127.0.0.1:") && !strings.HasPrefix(at, "localhost:") {
			t.Errorf("it listens on %s", at)
		}
	}
}

// promise is a line of SECURITY.md that names the tests that hold it.
var promise = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")

func TestEveryPromiseNamesATestThatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(testSources(t), -1) {
		there[m[1]] = true
	}
	promises := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		named := promise.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("a promise without a test: %s", line)
		}
		for _, m := range named {
			if !there[m[1]] {
				t.Errorf("no test %s", m[1])
			}
		}
		promises++
	}
	if promises < 8 {
		t.Errorf("only %d promises were read", promises)
	}
}
