package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tables reads the tables of CONTRIBUTING.md: the packages in their order, and
// the keeper of each technology.
func tables(t *testing.T) (rooms []string, keepers map[string]string) {
	t.Helper()
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	names := func(cell string) (out []string) {
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			out = append(out, strings.TrimSuffix(m[1], "/"))
		}
		return out
	}
	keepers = map[string]string{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		switch len(cells) {
		case 5: // a row has an empty cell at each end
			for _, room := range names(cells[1]) {
				for _, inside := range names(cells[2]) {
					rooms = append(rooms, path.Join(room, inside))
				}
			}
		case 4:
			if pair := names(line); len(pair) == 2 {
				keepers[pair[0]] = pair[1]
			}
		}
	}
	if len(rooms) < 30 || len(keepers) < 5 {
		t.Fatalf("the tables were not read: %q, %q", rooms, keepers)
	}
	return rooms, keepers
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestEachRoomImportsOnlyFromTheRoomsAboveIt(t *testing.T) {
	rooms, keepers := tables(t)
	module := goList(t, "-m") + "/"
	place := func(p string) int { return slices.Index(rooms, strings.TrimPrefix(p, module)) }
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(goList(t, "-json=ImportPath,Imports", module+"..."))); d.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		seen[strings.TrimPrefix(p.ImportPath, module)] = true
		if place(p.ImportPath) < 0 {
			t.Errorf("CONTRIBUTING.md gives %s no place in its table of rooms", p.ImportPath)
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module) && place(i) >= place(p.ImportPath) {
				t.Errorf("%s imports %s, which does not stand above it in CONTRIBUTING.md", p.ImportPath, i)
			}
			for technology, keeper := range keepers {
				if strings.HasPrefix(i, technology) && p.ImportPath != module+keeper {
					t.Errorf("%s imports %s, which only %s may", p.ImportPath, i, keeper)
				}
			}
		}
	}
	for _, room := range rooms {
		if !seen[room] {
			t.Errorf("CONTRIBUTING.md names %s, which is no package", room)
		}
	}
}

// The top level holds the rooms of the table and nothing else.
func TestTheTopLevelHoldsOnlyTheRooms(t *testing.T) {
	entries, err := exec.Command("git", "-C", "../..", "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.Lines(string(entries)) {
		top, _, below := strings.Cut(file, "/")
		if below && !strings.HasPrefix(top, ".") && !strings.Contains(string(page), "`"+top+"/`") {
			t.Errorf("CONTRIBUTING.md has no room for %s", strings.TrimSpace(file))
		}
	}
}
