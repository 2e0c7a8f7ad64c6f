package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/spf13/cobra"
	"github.com/yuin/goldmark/ast"

	"pscemu.invalid/pscemu/console/guide"
	"pscemu.invalid/pscemu/internal/testkit"
)

// texts are the files of the repository that tell people what to type.
func texts(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{
		"../../*.md", "../../docs/guide/*/*.md", "../../examples/*.md", "../../examples/recipes/*.md",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			if filepath.Base(file) != "CHANGELOG.md" { // tells of earlier versions too
				out = append(out, file)
			}
		}
	}
	return out
}

// typedLine is what a text has people type: the lines of its shell blocks, or a
// command named within a sentence.
type typedLine struct {
	text  string
	whole bool // a line to paste, with all that the command wants
}

func typedLines(t *testing.T, file string) (out []typedLine) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	err = ast.Walk(guide.Parse(source), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			if entering && string(n.Language(source)) == "sh" {
				block := strings.ReplaceAll(string(n.Lines().Value(source)), "\\\n", " ")
				for line := range strings.Lines(block) {
					out = append(out, typedLine{line, true})
				}
			}
		case *ast.CodeSpan:
			if entering {
				out = append(out, typedLine{string(n.Text(source)), false}) //nolint:staticcheck // it has no better
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	invoked = regexp.MustCompile(`(?:^|[;|&(=]\s*|\./|cmd/)pscemu(?:\s|$)`)
	word    = regexp.MustCompile(`^(?:"[^"]*"|'[^']*'|[^\s"'|;&()<>#])+`)
)

// calls are the words behind each pscemu of a line, to where its command ends.
func calls(line string) (out [][]string) {
	for _, at := range invoked.FindAllStringIndex(line, -1) {
		words, rest := []string{}, line[at[1]:]
		for rest = strings.TrimLeft(rest, " "); ; rest = strings.TrimLeft(rest, " ") {
			w := word.FindString(rest)
			if w == "" {
				break
			}
			words, rest = append(words, strings.NewReplacer(`"`, "", `'`, "").Replace(w)), rest[len(w):]
		}
		out = append(out, words)
	}
	return out
}

// understood finds the command and its flags; whole lines must have as many
// arguments as it wants.
func understood(words []string, whole bool) error {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("serve")
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if cmd.HasSubCommands() && cmd != root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return cobra.NoArgs(cmd, rest)
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if !whole {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

func TestEveryCommandOfTheGuidesExistsWithItsFlags(t *testing.T) {
	seen := 0
	for _, file := range texts(t) {
		for _, line := range typedLines(t, file) {
			for _, words := range calls(line.text) {
				seen++
				if err := understood(words, line.whole); err != nil {
					t.Errorf("%s: %s: %v", file, strings.TrimSpace(line.text), err)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d commands were found", seen)
	}
}

func TestACommandThatIsNotOursIsFound(t *testing.T) {
	for line, right := range map[string]bool{
		`A=$(pscemu cards list --output json | jq -r .x)`:     true,
		`pscemu clients bind app "$SERIAL" --replace`:         true,
		`./pscemu --version`:                                  true,
		`go run ./cmd/pscemu login --identity 1`:              true,
		`pscemu cards list --outptu json`:                     false,
		`pscemu card list`:                                    false,
		`pscemu cards lists`:                                  false,
		`pscemu clients bind app`:                             false,
		`x --totp "$(pscemu ecps top 1 | jq -r .totp)" --yes`: false,
	} {
		found := calls(line)
		if len(found) != 1 {
			t.Fatalf("%s: %q", line, found)
		}
		if err := understood(found[0], true); (err == nil) != right {
			t.Errorf("%s: %v", line, err)
		}
	}
}

var (
	operation = regexp.MustCompile(`\b(GET|POST|PUT|PATCH|DELETE) (/api/v1[^\s?,;` + "`" + `"']*)`)
	curled    = regexp.MustCompile(`curl[^\n]*`)
	curlPath  = regexp.MustCompile(`http://127\.0\.0\.1:9440(/api/v1[^\s?'"]*)`)
	method    = regexp.MustCompile(`-X (\w+)`)
	named     = regexp.MustCompile(`\{[^}]*\}`)
)

// operations are the calls of the control API that a text names.
func operations(text string) (out [][2]string) {
	for _, m := range operation.FindAllStringSubmatch(text, -1) {
		out = append(out, [2]string{m[1], m[2]})
	}
	for _, line := range curled.FindAllString(strings.ReplaceAll(text, "\\\n", " "), -1) {
		path := curlPath.FindStringSubmatch(line)
		if path == nil {
			continue
		}
		by := "GET"
		if m := method.FindStringSubmatch(line); m != nil {
			by = m[1]
		}
		out = append(out, [2]string{by, path[1]})
	}
	return out
}

func TestEveryOperationOfTheGuidesIsServed(t *testing.T) {
	s := boot(t)
	var document struct{ Paths map[string]map[string]any }
	s.API("GET", "/openapi.json", "", &document)
	served := func(by, path string) bool {
		for known, methods := range document.Paths {
			fits := regexp.MustCompile("^" + named.ReplaceAllString(known, "[^/]+") + "$")
			if fits.MatchString(strings.TrimPrefix(path, "/api/v1")) && methods[strings.ToLower(by)] != nil {
				return true
			}
		}
		return path == "/api/v1/openapi.json"
	}
	seen := 0
	for _, file := range texts(t) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range operations(string(source)) {
			seen++
			if !served(o[0], o[1]) {
				t.Errorf("%s: %s %s is not served", file, o[0], o[1])
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d operations were found", seen)
	}
}

// The pictures of the README are this test's screenshots.
func TestBrowserTheConsoleTellsALoginAndShowsTheGuides(t *testing.T) {
	s := boot(t)
	s.cli("login", "--identity", testkit.Nurse)
	var last struct{ Items []struct{ ID string } }
	s.API("GET", "/logins?limit=1&event=userinfo", "", &last)
	if len(last.Items) != 1 {
		t.Fatal("no login")
	}
	ctx := chrome(t, s, "", chromedp.WindowSize(1100, 760))
	var english, lang string
	do(t, ctx,
		toLoginPage(s), visible("login-page"), shot("readme-login"),
		chromedp.Navigate(s.ConsoleURL+"/logins/"+last.Items[0].ID),
		visible("emulator-band"), shot("readme-console"),
		click("nav-guide"), visible("guide"),
		click("guide-en"), visible("guide"), shot("guide"),
		chromedp.Click(`main a[href$="/guide/settings"]`, chromedp.ByQuery),
		chromedp.WaitVisible(`#the-policies`, chromedp.ByQuery),
		chromedp.Text("main", &english, chromedp.ByQuery),
		chromedp.AttributeValue("html", "lang", &lang, nil, chromedp.ByQuery),
	)
	if lang != "en" || !strings.Contains(english, "lifetime of access and id tokens") {
		t.Errorf("%s: %s", lang, english)
	}
}
