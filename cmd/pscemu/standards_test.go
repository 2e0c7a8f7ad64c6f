package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEveryTestThatTheStandardsPageNamesExists(t *testing.T) {
	page, err := os.ReadFile("../../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := testSources(t)
	files, _ := filepath.Glob("../../lab/conformance/*.go")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources += string(b)
	}
	sources = strings.ReplaceAll(sources, `advanced + "`, `"fapi1-advanced-final-`)
	names := regexp.MustCompile("`(Test[A-Za-z0-9]+|(?:oidcc|fapi)[a-z0-9_-]*)`").
		FindAllStringSubmatch(string(page), -1)
	if len(names) < 40 {
		t.Errorf("only %d names found", len(names))
	}
	for _, m := range names {
		if !strings.Contains(sources, "func "+m[1]+"(") && !strings.Contains(sources, `"`+m[1]+`"`) {
			t.Errorf("the page names %s, which does not exist", m[1])
		}
	}
}
