package provider

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// layers are the files of this package from below upwards. What a file uses of
// the others stands before it.
var layers = []string{
	"parameters.go", "claims.go", "judge.go", // what is asked, and whether it may be
	"requestobject.go", "pushes.go", "callback.go", "requests.go", "failures.go", "backchannel.go",
	"httpfaults.go", "answerfaults.go", "outbound.go",
	"finish.go", "silent.go", "standin.go", "doors.go", // how a login ends, and those without a page
	"phonerequests.go", "loginguard.go", "loginpages.go", "loginphone.go", "logincard.go", "card.go", "cancel.go",
	"authorize.go", "par.go", "token.go", "info.go", "userinfo.go", "introspect.go", "revoke.go",
	"cibarules.go", "cibastart.go", "ciba.go", "unserved.go", "logout.go", "sessionframe.go", "discovery.go",
	"ledger.go", "records.go",
	"listener.go", "provider.go", // what wires them
}

// unread stands for packages that nobody needs to read here.
type unread struct{}

// Import makes an empty package: what is looked up in it stays unknown.
func (unread) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// arrows are the uses between files of this package: from, to and what.
func arrows(t *testing.T) (out map[[2]string]string) {
	t.Helper()
	set, files := token.NewFileSet(), []*ast.File{}
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, n.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	conf := types.Config{Importer: unread{}, Error: func(error) {}}
	pkg, _ := conf.Check("provider", set, files, info)
	out = map[[2]string]string{}
	for id, used := range info.Uses {
		from, to := set.Position(id.Pos()).Filename, set.Position(used.Pos()).Filename
		if used.Pkg() == pkg && from != to && to != "" {
			out[[2]string{from, to}] = used.Name()
		}
	}
	return out
}

func TestFilesOfThePackageCallDownOnly(t *testing.T) {
	all := arrows(t)
	if len(all) < len(layers) {
		t.Fatalf("only %d uses were found", len(all))
	}
	for pair, what := range all {
		from, to := slices.Index(layers, pair[0]), slices.Index(layers, pair[1])
		switch {
		case from < 0 || to < 0:
			t.Errorf("%s or %s is not among the layers", pair[0], pair[1])
		case to > from:
			t.Errorf("%s uses %s of %s, which stands above it", pair[0], what, pair[1])
		}
	}
}
