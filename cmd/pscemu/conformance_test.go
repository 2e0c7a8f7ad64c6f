package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The table of `make conformance`: every check that applies passes.
func TestConformance(t *testing.T) {
	s := boot(t)
	var out, problems bytes.Buffer
	cmd := exec.Command(binary, "conformance", "--data", s.data)
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if os.Getenv("CONFORMANCE_TABLE") != "" {
		_, _ = os.Stdout.Write(out.Bytes())
	}
	if err != nil || !strings.Contains(out.String(), " 0 failed") {
		t.Errorf("%v %s\n%s", err, problems.String(), out.String())
	}
}
