package guide

import (
	"bytes"
	"io/fs"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"pscemu.invalid/pscemu/docs"
)

// markdown writes no style into the cells of tables: the console's
// Content-Security-Policy would refuse it.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone))),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// render turns the guide into HTML, whose links hold on the console, and takes
// the title from its first heading.
func (d document) render() (title, body string, err error) {
	source, err := fs.ReadFile(d.files, d.path())
	if err != nil {
		return "", "", err
	}
	tree := Parse(source)
	var links []*ast.Link
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering && title == "" {
				title = plain(n, source)
			}
		case *ast.Link:
			if entering {
				links = append(links, n)
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", "", err
	}
	for _, l := range links {
		d.lead(l)
	}
	var out bytes.Buffer
	err = markdown.Renderer().Render(&out, source, tree)
	return title, out.String(), err
}

// Parse reads Markdown, with headings named as code hosts name them.
func Parse(source []byte) ast.Node {
	return markdown.Parser().Parse(text.NewReader(source), parser.WithContext(
		parser.NewContext(parser.WithIDs(ids{&docs.Anchors{}}))))
}

// lead makes a link lead to where its target is shown. What the console does
// not hold, such as a file of the source, is named instead.
func (d document) lead(l *ast.Link) {
	target := string(l.Destination)
	if strings.Contains(target, ":") || strings.HasPrefix(target, "#") {
		return
	}
	file, anchor, _ := strings.Cut(target, "#")
	file = path.Join(path.Dir(d.path()), file)
	to, ok := d.address(file)
	if !ok {
		name(l, path.Join("docs", file))
		return
	}
	if anchor != "" {
		to += "#" + anchor
	}
	l.Destination = []byte(to)
}

// address is the page that shows a file of the docs folder.
func (d document) address(file string) (string, bool) {
	if file == "fidelity.md" {
		return d.root + "/fidelity", true
	}
	dir, base := path.Split(file)
	lang := strings.TrimSuffix(strings.TrimPrefix(dir, "guide/"), "/")
	title, ok := strings.CutSuffix(base, ".md")
	if !ok || !d.exists(file) {
		return "", false
	}
	to := d.root + Path
	if title != first {
		to += "/" + title
	}
	if lang != d.lang {
		to += "?lang=" + lang
	}
	return to, true
}

// name puts the words of a link in its place, and the file in brackets.
func name(l *ast.Link, file string) {
	parent := l.Parent()
	for c := l.FirstChild(); c != nil; c = l.FirstChild() {
		parent.InsertBefore(parent, l, c)
	}
	parent.ReplaceChild(parent, l, ast.NewString([]byte(" ("+file+")")))
}

// plain is the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// ids gives goldmark our anchors.
type ids struct{ anchors *docs.Anchors }

// Generate names a heading.
func (i ids) Generate(value []byte, _ ast.NodeKind) []byte {
	return []byte(i.anchors.Generate(string(value)))
}

// Put is for names that a document gives itself: ours give none.
func (i ids) Put([]byte) {}
