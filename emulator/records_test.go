package emulator

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/cards/pki"
)

// A record that no kind is known for could neither be restored nor be judged.
func TestEveryCollectionOfTheSourceHasAKind(t *testing.T) {
	all := allRecords(&pki.Content{})
	made := regexp.MustCompile(`\bCollection\[[^"\n]*\]\("([^"]+)"`)
	found := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.Contains(path, "storetest") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range made.FindAllStringSubmatch(string(raw), -1) {
			found++
			known := false
			for prefix := range all {
				known = known || prefix == m[1]+"/" || strings.HasSuffix(m[1], "-") && strings.HasPrefix(prefix, m[1])
			}
			if !known {
				t.Errorf("%s: the collection %q has no kind: add it to Records of its package", path, m[1])
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Errorf("%d collections found: %v", found, err)
	}
}
