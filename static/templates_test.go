package static_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxTemplateLine is how many characters a line of a template may have.
const maxTemplateLine = 160

// blockElement begins an element that has lines of its own on a page.
var blockElement = regexp.MustCompile(
	`<(html|head|body|section|header|footer|main|nav|form|fieldset|legend|table|tr|td|th|p|h[1-6]|ul|ol|li|dl|dt|dd|div|` +
		`pre|select|option|button|textarea|details|summary|svg|meta|link|title|script)\b`)

func TestTemplatesHaveAnElementALineAndShortLines(t *testing.T) {
	read := 0
	err := filepath.WalkDir("templates", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".html" {
			return err
		}
		read++
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for n, line := range strings.Split(string(raw), "\n") {
			if got := utf8.RuneCountInString(line); got > maxTemplateLine {
				t.Errorf("%s:%d has %d characters", file, n+1, got)
			}
			if begun := blockElement.FindAllString(line, -1); len(begun) > 1 {
				t.Errorf("%s:%d begins %s on one line", file, n+1, strings.Join(begun, " "))
			}
			if strings.TrimRight(line, " \t") != line || strings.Contains(line, "\t") {
				t.Errorf("%s:%d ends in a space, or holds a tab", file, n+1)
			}
		}
		return nil
	})
	if err != nil || read < 40 {
		t.Errorf("%d templates were read: %v", read, err)
	}
}
