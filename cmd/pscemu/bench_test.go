package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
	"pscemu.invalid/pscemu/lab/bench"
)

func (s *server) bench(args ...string) *bench.Report {
	s.T.Helper()
	var r bench.Report
	if err := json.Unmarshal(
		[]byte(s.cli(append([]string{"bench", "--output", "json", "--warm", "0s"}, args...)...)),
		&r,
	); err != nil {
		s.T.Fatal(err)
	}
	return &r
}

func TestBenchLogsInByEveryMeans(t *testing.T) {
	s := boot(t)
	for _, means := range benchMeans {
		t.Run(means, func(t *testing.T) {
			args := []string{"--means", means, "--duration", "300ms", "--workers", "2"}
			if means == "forms" {
				args = append(args, "--field", "login="+testkit.Doctor)
			}
			r := s.bench(args...)
			if r.Count == 0 || len(r.Errors) > 0 || r.P50 <= 0 || r.Max < r.P99 || r.P99 < r.P50 || r.Loop != "closed" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestBenchMeasuresTheFloorAndAnOpenLoop(t *testing.T) {
	s := boot(t)
	r := s.bench("--limit", "--duration", "1s", "--rate", "20", "--spread", "3")
	if r.Loop != "open" || r.InTime <= 0 || r.Limit == nil || r.Limit.Count == 0 || len(r.Limit.Errors) > 0 ||
		len(r.Errors) > 0 {
		t.Errorf("%+v %+v", r, r.Limit)
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil && (r.RSS == 0 || r.Factor <= 1) {
		t.Errorf("a login costs the server %.2f ms, the floor %.2f ms", r.CPU, r.Limit.CPU)
	}
	if text := s.cli(
		"bench",
		"--duration",
		"200ms",
		"--warm",
		"0s",
	); !strings.Contains(text, "closed loop") ||
		!strings.Contains(text, "login") {
		t.Error(text)
	}
}

func TestBenchMeasuresAnotherProvider(t *testing.T) {
	s := boot(t)
	r := s.bench(
		"--discovery",
		s.Discovery,
		"--ca",
		s.CAFile,
		"--cert",
		s.DemoClient.CertificateFile,
		"--key",
		s.DemoClient.KeyFile,
		"--means",
		"forms",
		"--field",
		"login="+testkit.Doctor,
		"--duration",
		"300ms",
	)
	if r.Count == 0 || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}

func TestBenchSaysWhatIsWrong(t *testing.T) {
	s := boot(t)
	for want, args := range map[string][]string{
		"expected one of door":     {"--means", "carrier-pigeon"},
		"expected NAME=VALUE":      {"--param", "x"},
		"must be positive":         {"--workers", "0"},
		"another provider's pages": {"--discovery", "https://localhost:1/", "--means", "card"},
		"expected certificates in PEM form": {
			"--discovery",
			s.Discovery,
			"--ca",
			filepath.Join(s.data, "ready.json"),
			"--means",
			"forms",
		},
		"access_denied":      {"--identity", "899790099999", "--duration", "200ms"},
		"no login succeeded": {"--identity", "899790099999", "--duration", "200ms"},
	} {
		out, err := exec.Command(binary, append(append([]string{"bench"}, args...), "--data", s.data)...).
			CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, expected %q in %s", args, err, want, out)
		}
	}
}
