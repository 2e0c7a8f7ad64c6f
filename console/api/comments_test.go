package api

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool(
	"update",
	false,
	"write what the code says: comments.json, internal/api/openapi.json, examples.json",
)

// described are the folders whose types the document describes.
var describedFolders = []string{"console/api", "identities", "cards", "provider", "config", "internal/clock",
	"internal/problem"}

// The descriptions of the document are the comments of the code: make api writes
// them down, since a program does not hold them.
func TestTheDocumentSaysWhatTheCommentsSay(t *testing.T) {
	s := &API{}
	used := map[string]bool{}
	spoken = func(key string) { used[key] = true }
	defer func() { spoken = nil }()
	s.describe()
	found := map[string]string{}
	for key, text := range commentsIn(t) {
		if used[key] {
			found[key] = text
		}
	}
	if *update {
		write(t, "comments.json", found)
		return
	}
	if kept := comments(); !reflect.DeepEqual(kept, found) {
		for key := range found {
			if kept[key] != found[key] {
				t.Errorf("%s: %q, and comments.json says %q", key, found[key], kept[key])
			}
		}
		t.Error("the comments changed: make api")
	}
}

// write writes a value as indented JSON.
func write(t *testing.T, file string, v any) {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// commentsIn reads the comments of all types and their fields.
func commentsIn(t *testing.T) map[string]string {
	out := map[string]string{}
	root := "../.."
	for _, folder := range describedFolders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			in, err := filepath.Rel(root, filepath.Dir(path))
			readComments(file, filepath.ToSlash(in), out)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func readComments(file *ast.File, in string, to map[string]string) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, spec := range decl.Specs {
			one := spec.(*ast.TypeSpec)
			key := in + "." + one.Name.Name
			keep(to, key, one.Doc, decl.Doc)
			if fields, ok := one.Type.(*ast.StructType); ok {
				for _, f := range fields.Fields.List {
					for _, name := range f.Names {
						keep(to, key+"."+name.Name, f.Doc, f.Comment)
					}
				}
			}
		}
	}
}

// keep keeps the first comment that says something, on one line.
func keep(to map[string]string, key string, groups ...*ast.CommentGroup) {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			to[key] = text
			return
		}
	}
}
