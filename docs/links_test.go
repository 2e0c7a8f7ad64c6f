package docs_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"

	"pscemu.invalid/pscemu/console/guide"
)

// written are the Markdown files of the repository, relative to its root.
func written(t *testing.T, root string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			rel, err := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// page is what a Markdown file links to, and what can be linked to in it.
type page struct{ links, anchors []string }

func read(t *testing.T, file string) (p page) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	err = ast.Walk(guide.Parse(source), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok {
				p.anchors = append(p.anchors, string(id.([]byte)))
			}
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.AutoLink:
			p.links = append(p.links, string(n.URL(source)))
		case *ast.Text:
			p.links = append(p.links, bare.FindAllString(string(n.Value(source)), -1)...)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	bare     = regexp.MustCompile(`http://[^\s)"»”]+`) // within a sentence: another's may be an example
	loopback = []string{"localhost", "127.0.0.1"}
)

// wrongOutside says what is wrong with an address of the web, "" for nothing.
// None is asked for: there is no network in this test.
func wrongOutside(link string) string {
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return err.Error()
	case slices.Contains(loopback, u.Hostname()):
		return ""
	case u.Scheme != "https":
		return "not https"
	case !strings.Contains(u.Hostname(), ".") || u.User != nil:
		return "no public host"
	}
	return ""
}

// wrong says what is wrong with a link of a file, "" for nothing.
func wrong(t *testing.T, root, file, link string) string {
	if strings.Contains(link, ":") {
		return wrongOutside(link)
	}
	target, anchor, _ := strings.Cut(link, "#")
	at := filepath.Join(root, file)
	if target != "" {
		at = filepath.Join(filepath.Dir(at), target)
	}
	info, err := os.Stat(at)
	if err != nil {
		return "no such file"
	}
	if anchor == "" {
		return ""
	}
	if name, err := url.PathUnescape(anchor); err == nil {
		anchor = name
	}
	if info.IsDir() || !slices.Contains(read(t, at).anchors, anchor) {
		return "no such heading"
	}
	return ""
}

func TestEveryLinkOfTheDocumentsLeadsSomewhere(t *testing.T) {
	root, checked := "..", 0
	for _, file := range written(t, root) {
		for _, link := range read(t, filepath.Join(root, file)).links {
			checked++
			if w := wrong(t, root, file, link); w != "" {
				t.Errorf("%s: %s: %s", file, link, w)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

func TestALinkThatLeadsNowhereIsFound(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a.md": "# One thing\n", "b/c.md": "# Là-bas\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, right := range map[string]bool{
		"../a.md": true, "../a.md#one-thing": true, "#là-bas": true, "#l%C3%A0-bas": true, "../b": true,
		"https://openid.net/specs": true, "http://127.0.0.1:9440": true,
		"a.md": false, "../a.md#two": false, "#là": false, "http://openid.net": false, "https://intern/": false,
		"ftp://openid.net": false, "https://a b": false,
	} {
		if w := wrong(t, root, "b/c.md", link); (w == "") != right {
			t.Errorf("%s: %q", link, w)
		}
	}
}

// The English and the French guides are the same ones, with the same parts.
func TestEachGuideIsThereInBothLanguages(t *testing.T) {
	for _, pair := range [][2]string{{"guide/en", "guide/fr"}, {"guide/fr", "guide/en"}} {
		files, err := filepath.Glob(pair[0] + "/*.md")
		if err != nil || len(files) == 0 {
			t.Fatal(err)
		}
		for _, file := range files {
			other := filepath.Join(pair[1], filepath.Base(file))
			if _, err := os.Stat(other); err != nil {
				t.Errorf("%s has no %s", file, other)
				continue
			}
			if a, b := len(read(t, file).anchors), len(read(t, other).anchors); a != b {
				t.Errorf("%s has %d headings, %s %d", file, a, other, b)
			}
		}
	}
}

func TestTheReadmesAreShort(t *testing.T) {
	for _, file := range []string{"../README.md", "../README.fr.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(strings.Fields(string(text))); n > 1200 {
			t.Errorf("%s has %d words; 1,200 is the most", file, n)
		}
	}
}
