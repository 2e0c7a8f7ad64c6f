package main

import (
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// Words such as the kinds of the journal, the means and the faults have types with
// constants: a literal in their place is a word that no compiler checks.
func TestNoBareStringStandsWhereATypedWordBelongs(t *testing.T) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles",
		"pscemu.invalid/pscemu/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports, ours := map[string]string{}, []listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, "pscemu.invalid/pscemu/") {
			ours = append(ours, p)
		}
	}
	fset := gotoken.NewFileSet()
	find := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	using := importer.ForCompiler(fset, "gc", find)
	for _, p := range ours {
		for _, found := range bareWords(t, fset, using, p) {
			t.Error(found)
		}
	}
}

// bareWords finds the literals of a package that equal a constant of the type that
// the compiler gives them, outside of declarations of constants.
func bareWords(t *testing.T, fset *gotoken.FileSet, using types.Importer, p listed) (found []string) {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if _, err := (&types.Config{Importer: using}).Check(p.ImportPath, fset, files, info); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GenDecl); ok && g.Tok == gotoken.CONST {
				return false
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
				if word := wordOf(info.Types[lit]); word != "" {
					found = append(found, fset.Position(lit.Pos()).String()+": "+lit.Value+" is "+word)
				}
			}
			return true
		})
	}
	return found
}

// wordOf names the constant that a literal stands for, "" for none.
func wordOf(tv types.TypeAndValue) string {
	if tv.Type == nil || tv.Value == nil {
		return ""
	}
	named, ok := types.Unalias(tv.Type).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return ""
	}
	scope := named.Obj().Pkg().Scope()
	for _, name := range scope.Names() {
		c, ok := scope.Lookup(name).(*types.Const)
		if ok && c.Exported() && types.Identical(c.Type(), named) && constant.Compare(c.Val(), gotoken.EQL, tv.Value) &&
			constant.StringVal(c.Val()) != "" {
			return named.Obj().Pkg().Name() + "." + name
		}
	}
	return ""
}
