package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constants are the codes and phrases of texts.go, by their Go names.
func constants(t *testing.T) (codes map[string]Code, phrased map[string]bool) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "texts.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes, phrased = map[string]Code{}, map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		switch kind, _ := spec.Type.(*ast.Ident); {
		case kind != nil && kind.Name == "Code":
			codes[spec.Names[0].Name] = Code(literal(spec.Values[0]))
		case kind != nil && kind.Name == "Phrase":
			phrased[spec.Names[0].Name] = true
		}
		return true
	})
	return codes, phrased
}

func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	return ""
}

// call is one refusal in a source: the code's constant and what is added to it.
type call struct {
	file     *ast.File
	position token.Position
	constant string
	methods  map[string][]string // first arguments that are texts, by method
	words    []string            // texts with several words among all arguments
	whole    bool                // not kept in a variable, to which more is added
}

// calls finds every refusal that the sources make, and every use of a constant.
func calls(t *testing.T) (out []call, used map[string]bool) {
	t.Helper()
	used = map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == "problem" || strings.HasPrefix(
			d.Name(),
			".t",
		)) {
			return cmpSkip(err)
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		parents := map[ast.Node]ast.Node{}
		ast.PreorderStack(f, nil, func(n ast.Node, stack []ast.Node) bool {
			if len(stack) > 0 {
				parents[n] = stack[len(stack)-1]
			}
			return true
		})
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if x, isName := ast.Expr(nil), false; ok {
				x = s.X
				if id, isIdent := x.(*ast.Ident); isIdent && id.Name == "problem" {
					isName = true
				}
				if isName {
					used[s.Sel.Name] = true
					out = append(out, chain(files, f, s, parents))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, used
}

func cmpSkip(err error) error {
	if err != nil {
		return err
	}
	return filepath.SkipDir
}

// chain follows the methods called on a constant.
func chain(files *token.FileSet, f *ast.File, s *ast.SelectorExpr, parents map[ast.Node]ast.Node) call {
	c := call{file: f, position: files.Position(s.Pos()), constant: s.Sel.Name, methods: map[string][]string{}}
	var at ast.Node = s
	for {
		method, ok := parents[at].(*ast.SelectorExpr)
		if !ok {
			break
		}
		made, ok := parents[method].(*ast.CallExpr)
		if !ok || made.Fun != method {
			break
		}
		for n, argument := range made.Args {
			if n == 0 {
				c.methods[method.Sel.Name] = append(c.methods[method.Sel.Name], literal(argument))
			}
			ast.Inspect(argument, func(n ast.Node) bool {
				if inner, ok := n.(*ast.CallExpr); ok && !strings.HasPrefix(callee(inner), "fmt.Sprint") {
					return false
				}
				if l, ok := n.(*ast.BasicLit); ok && strings.Contains(strings.TrimSpace(literal(l)), " ") {
					c.words = append(c.words, literal(l))
				}
				return true
			})
		}
		at = made
	}
	switch parents[at].(type) {
	case *ast.AssignStmt, *ast.ValueSpec, *ast.SelectorExpr:
	case *ast.CallExpr: // to a helper, which may add to it
		c.whole = at != ast.Node(s) && !strings.HasPrefix(localCallee(parents[at]), "bad")
	default:
		c.whole = at != ast.Node(s)
	}
	return c
}

// localCallee is the name of a function that is called without a package.
func localCallee(n ast.Node) string {
	if c, ok := n.(*ast.CallExpr); ok {
		if name, ok := c.Fun.(*ast.Ident); ok {
			return name.Name
		}
	}
	return ""
}

func callee(c *ast.CallExpr) string {
	if s, ok := c.Fun.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// Every word of a refusal stands in the catalogue, and what code names is there.
func TestNoRefusalIsWordedOutsideTheCatalogue(t *testing.T) {
	codes, _ := constants(t)
	made, _ := calls(t)
	if len(made) < 400 {
		t.Fatalf("only %d refusals were found", len(made))
	}
	for _, c := range made {
		if slices.Contains([]string{"New", "Error"}, c.constant) && len(c.methods) > 0 || c.constant == "New" {
			t.Errorf("%s: a refusal is made without the catalogue", c.position)
		}
		code, ok := codes[c.constant]
		if !ok {
			continue
		}
		for _, words := range c.words {
			t.Errorf("%s: %q belongs into the catalogue, as a text or a phrase", c.position, words)
		}
		for _, method := range []string{"Want", "Do"} {
			if _, called := c.methods[method]; called {
				t.Errorf("%s: %s words a refusal", c.position, method)
			}
		}
		c.judge(t, entryOf(code))
	}
}

// judge holds the case and the values of a refusal to the catalogue.
func (c *call) judge(t *testing.T, e *entry) {
	said := e.said[0]
	for _, name := range c.methods["Case"] {
		v, ok := e.cases[name]
		if name != "" && !ok {
			t.Errorf("%s: %s has no case %q", c.position, e.code, name)
		}
		if ok {
			said = v.said[0]
		} else {
			c.whole = false // a name that is computed
		}
	}
	var wanted []string
	for _, text := range []string{said.reason, said.expected, said.remedy} {
		wanted = append(wanted, valuesIn(text)...)
	}
	if _, got := c.methods["Got"]; !got {
		wanted = append(wanted, valuesIn(said.received)...)
	}
	given := c.methods["With"]
	for _, name := range wanted {
		if c.whole && !slices.Contains(given, strings.Trim(name, "{}")) {
			t.Errorf("%s: %s lacks a value for %s", c.position, e.code, name)
		}
	}
	all := ""
	for _, w := range e.wordings() {
		all += strings.Join(w[0].texts(), " ")
	}
	for _, name := range given {
		if !strings.Contains(all, "{"+name+"}") {
			t.Errorf("%s: %s has no place for %q", c.position, e.code, name)
		}
	}
}

// A code that nothing names is a code nobody meets.
func TestEveryCodeAndPhraseIsUsed(t *testing.T) {
	codes, phrased := constants(t)
	_, used := calls(t)
	for name, code := range codes {
		if elsewhere := strings.HasPrefix(string(code), "http-") || strings.HasPrefix(string(code), "order-"); !used[name] &&
			!elsewhere && !named(t, string(code)) {
			t.Errorf("nothing names %s", code)
		}
	}
	for name := range phrased {
		if !used[name] {
			t.Errorf("nothing names the phrase %s", name)
		}
	}
}

// named tells whether a code stands as a text in a source: the rows of what
// Pro Santé Connect answers have codes as their keys.
func named(t *testing.T, code string) bool {
	t.Helper()
	sources, err := filepath.Glob("../../provider/*/*.go")
	more, err2 := filepath.Glob("../../provider/*.go")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for _, path := range append(sources, more...) {
		if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), `"`+code+`"`) {
			return true
		}
	}
	return false
}
