package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACommandThatBreaksOffDoesNotSayThatNoServerRuns(t *testing.T) {
	s := boot(t)
	folder := filepath.Join(t.TempDir(), "folder.json")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"identities", "import"}, {"scenario", "load"}, {"restore"}} {
		out, code := s.fails(append(command, folder)...)
		if code != exitFailed || !strings.Contains(out, "is a directory") ||
			strings.Contains(out, "no running server") {
			t.Errorf("pscemu %s of a folder: exit %d, %s", strings.Join(command, " "), code, out)
		}
	}
	if out, code := s.fails(
		"identities",
		"generate",
		"--count",
		"99999999",
	); code != exitUsage ||
		!strings.Contains(out, "8000000") {
		t.Errorf("more people than there can be: exit %d, %s", code, out)
	}
}
