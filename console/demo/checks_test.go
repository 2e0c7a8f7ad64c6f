package demo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"pscemu.invalid/pscemu/internal/rp"
	"pscemu.invalid/pscemu/static"
)

// elsewhere are the checks of a logout token, which no page shows.
var elsewhere = map[rp.Name]bool{
	rp.LogoutEvent: true, rp.LogoutNoNonce: true, rp.LogoutSession: true, rp.LogoutID: true,
}

func TestEveryCheckHasATitleInBothLanguages(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/rp/check.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			return true // a number
		}
		names++
		title := titles[rp.Name(text)]
		if elsewhere[rp.Name(text)] {
			return true
		}
		if title == "" || static.Pages().Translate("en", title) == title {
			t.Errorf("%s has the title %q, and no English for it", text, title)
		}
		return true
	})
	if names < 25 {
		t.Errorf("%d checks were found", names)
	}
}
