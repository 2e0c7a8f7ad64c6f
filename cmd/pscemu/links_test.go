package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	syntax "go/token"
	"io/fs"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pscemu.invalid/pscemu/internal/testkit"
)

// addressed are the attributes that hold addresses: those of HTML, and those
// that the scripts read.
var addressed = []string{
	"href",
	"src",
	"action",
	"formaction",
	"data-path",
	"data-poll",
	"data-state",
	"data-next",
	"data-init",
}

// elsewhere are the template values that are whole addresses, or none.
var elsewhere = []string{
	`{{.Link}}`,
	`{{.Target}}`,
	`{{.}}`,
	`{{.Action}}`,
	`{{.Logout}}`,
	`{{.More}}`,
	`{{.Image}}`,
	`{{.Init}}`,
	`{{.State}}`,
}

var attribute = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)

func TestTemplatesWriteAddressesWithTheRoot(t *testing.T) {
	files, err := filepath.Glob("../../static/templates/*/*.html")
	if err != nil || len(files) < 40 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range attribute.FindAllStringSubmatch(string(raw), -1) {
			name, value := a[1], a[2]
			plain := slices.Contains(elsewhere, value) ||
				regexp.MustCompile(`^(\{\{\$\.Root\}\}(/|\{\{)|\?|#|data:)`).MatchString(value)
			if strings.HasPrefix(value, "/") || slices.Contains(addressed, name) && !plain {
				t.Errorf("%s: %s is written without {{$.Root}}", filepath.Base(file), a[0])
			}
		}
	}
}

// TestSourcesWriteAddressesWithTheRoot reads what answers browsers: redirects,
// cookies and headers with paths go through the package web.
func TestSourcesWriteAddressesWithTheRoot(t *testing.T) {
	read := 0
	for _, dir := range []string{"../../provider", "../../console", "../../emulator", "../../internal/web"} {
		err := filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return err
			}
			if strings.HasSuffix(file, "internal/web/web.go") {
				return nil // web.Redirect and web.Leave themselves
			}
			read++
			set := syntax.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err == nil {
				ast.Inspect(parsed, func(n ast.Node) bool {
					if why := rootless(n); why != "" {
						t.Errorf("%s: %s", set.Position(n.Pos()), why)
					}
					return true
				})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 60 {
		t.Errorf("only %d files were read", read)
	}
}

func TestWhatIsWrongWithARootIsFound(t *testing.T) {
	for source, wrong := range map[string]bool{
		`c.Redirect(303, "/desk")`: true, `c.Redirect(302, uri)`: true, `http.Redirect(w, r, "/x", 302)`: true,
		`web.Redirect(c, 303, "/cards/"+url.PathEscape(serial))`: false,
		`web.Redirect(c, 303, target)`:                           true,
		`web.Redirect(c, 303, login.Path(id, "")+"?x")`:          false,
		`web.Leave(c, 302, "/desk")`:                             true,
		`web.Leave(c, 302, login.Path(id, ""))`:                  true,
		`web.Leave(c, 302, target)`:                              false,
		`http.Cookie{Path: "/"}`:                                 false,
		`http.Cookie{Path: "/desk"}`:                             true,
		`http.Cookie{Path: at}`:                                  true,
		`http.Cookie{Name: "x"}`:                                 true,
		`http.Cookie{Path: web.Path(ctx, "/desk")}`:              false,
		`h.Set("Location", "/x")`:                                true,
		`h.Set("Location", web.Path(ctx, "/x"))`:                 false,
		"io.WriteString(w, `<a href=\"/x\">`)":                   true,
	} {
		e, err := parser.ParseExpr(source)
		if err != nil {
			t.Fatal(source, err)
		}
		found := ""
		ast.Inspect(e, func(n ast.Node) bool { found += rootless(n); return true })
		if (found != "") != wrong {
			t.Errorf("%s: %q", source, found)
		}
	}
}

// rootless says what is wrong with an expression, "" for nothing.
func rootless(n ast.Node) string {
	switch n := n.(type) {
	case *ast.BasicLit:
		if n.Kind == syntax.STRING && strings.Contains(strings.ReplaceAll(n.Value, `\"`, `"`), `="/`) {
			return "an attribute with a path is written in Go"
		}
	case *ast.CompositeLit:
		if called(n.Type) == "http.Cookie" {
			return cookiePath(n)
		}
	case *ast.CallExpr:
		return rootlessCall(n)
	}
	return ""
}

func rootlessCall(call *ast.CallExpr) string {
	name := called(call.Fun)
	switch {
	case name == "web.Redirect" && !isPath(call.Args[2]):
		return "web.Redirect takes a path of this world, web.Leave a whole URL"
	case name == "web.Leave" && isPath(call.Args[2]):
		return "web.Leave takes a whole URL, web.Redirect a path of this world"
	case strings.HasSuffix(name, ".Redirect") && name != "web.Redirect":
		return "redirects are sent by web.Redirect or web.Leave"
	case (strings.HasSuffix(
		name,
		".Set",
	) || strings.HasSuffix(name, ".Add")) && len(call.Args) == 2 && isPath(call.Args[1]):
		return "a header holds a path without the root"
	}
	return ""
}

func cookiePath(cookie *ast.CompositeLit) string {
	for _, field := range cookie.Elts {
		kv, ok := field.(*ast.KeyValueExpr)
		if !ok || fmt.Sprint(kv.Key) != "Path" {
			continue
		}
		lit, plain := kv.Value.(*ast.BasicLit)
		call, made := kv.Value.(*ast.CallExpr)
		if plain && lit.Value == `"/"` || made && called(call.Fun) == "web.Path" {
			return ""
		}
		return `the path of a cookie is "/" or made by web.Path`
	}
	return "a cookie has no path"
}

// called is the name of what is called or made, as pkg.Name.
func called(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		return strings.TrimPrefix(called(s.X)+"."+s.Sel.Name, ".")
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// isPath tells whether an expression begins with a path: a literal with a
// slash, or the path of a login.
func isPath(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return isPath(e.X)
	case *ast.BasicLit:
		return strings.HasPrefix(e.Value, `"/`)
	case *ast.CallExpr:
		return called(e.Fun) == "login.Path"
	}
	return false
}

// crawler goes through the pages of an emulator below a root as a browser does,
// and reports each address of this host that leaves the root.
type crawler struct {
	t     testing.TB
	s     *server
	root  string
	c     *http.Client
	seen  map[string]bool // addresses
	count map[string]int  // by kind
	forms []form
}

type form struct {
	action string
	post   bool
	fields url.Values
	choice string // the select whose options follow
}

func newCrawler(s *server, root string) *crawler {
	jar, _ := cookiejar.New(nil)
	c := s.HTTP(nil)
	c.Jar = jar
	k := &crawler{t: s.T, s: s, root: root, c: c, seen: map[string]bool{}, count: map[string]int{}}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		k.answered(r.Response)
		if len(via) > 10 || !k.here(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return k
}

// here tells whether an address is on one of the emulator's three hosts.
func (k *crawler) here(u *url.URL) bool {
	return slices.ContainsFunc([]string{k.s.BaseURL, k.s.CardURL, k.s.ConsoleURL}, func(base string) bool {
		b, err := url.Parse(base)
		return err == nil && b.Host == u.Host
	})
}

// within reports an address of the emulator that is not below the root.
func (k *crawler) within(what, from, address string) {
	k.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		k.t.Errorf("%s of %s: %v", what, from, err)
		return
	}
	local := u.Host == "" && strings.HasPrefix(u.Path, "/") || u.Host != "" && k.here(u)
	if local && u.Path != k.root && !strings.HasPrefix(u.Path, k.root+"/") {
		k.t.Errorf("%s of %s leaves %s: %s", what, from, k.root, address)
	}
	if k.root != "" && strings.HasPrefix(strings.TrimPrefix(u.Path, k.root), k.root+"/") {
		k.t.Errorf("%s of %s has the root twice: %s", what, from, address)
	}
}

// answered looks at the headers of an answer.
func (k *crawler) answered(resp *http.Response) {
	k.t.Helper()
	from := resp.Request.URL.String()
	k.count[k.kindOf(from)]++
	for _, name := range []string{"Location", "Service-Worker-Allowed", "Pscemu-Why"} {
		if v := resp.Header.Get(name); v != "" {
			k.within(name, from, v)
		}
	}
	for _, c := range resp.Cookies() {
		if c.Path != "/" && c.Path != k.root && !strings.HasPrefix(c.Path, k.root+"/") {
			k.t.Errorf("the cookie %s of %s has the path %s", c.Name, from, c.Path)
		}
	}
}

var variable = regexp.MustCompile(`/[^/.]*([0-9]|[A-Z]{2})[^/]*`)

// kindOf is an address without its root, its query and the ids in its path.
func (k *crawler) kindOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		k.t.Fatal(err)
	}
	path := strings.ReplaceAll(strings.TrimPrefix(u.EscapedPath(), k.root), "/api/v1/", "/api/")
	if strings.HasPrefix(path, "/why/") {
		return "/why/:id"
	}
	return variable.ReplaceAllString(path, "/:id")
}

// visit follows an address and whatever its page links to. Of addresses that
// differ by an id or a query alone, three are visited.
func (k *crawler) visit(address string) {
	k.t.Helper()
	kind := k.kindOf(address)
	if k.seen[address] || k.count[kind] >= 3 || strings.HasSuffix(kind, "/stream") {
		return
	}
	k.seen[address] = true
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := k.c.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	k.read(resp)
}

func (k *crawler) read(resp *http.Response) {
	k.t.Helper()
	k.answered(resp)
	at, page := resp.Request.URL, testkit.Text(k.t, resp)
	if resp.StatusCode >= 500 || resp.StatusCode == 404 && resp.Request.Method == "GET" {
		k.t.Errorf("%s: %s", at, resp.Status)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return
	}
	var follow []string
	for n := range parsed(k.t, page).Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		a := url.Values{}
		for _, at := range n.Attr {
			a.Add(at.Key, at.Val)
		}
		for _, name := range addressed {
			if a.Has(name) {
				k.within(n.Data+" "+name, at.String(), a.Get(name))
			}
		}
		to := a.Get("href") + a.Get("src")
		if n.Data == "form" && a.Get("method") != "post" {
			to = a.Get("action")
		}
		if u, err := at.Parse(to); err == nil && to != "" && k.here(u) {
			follow = append(follow, u.String())
		}
		k.collect(n, at, a)
	}
	for _, to := range follow {
		k.visit(to)
	}
}

func parsed(t testing.TB, page string) *html.Node {
	t.Helper()
	tree, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// collect keeps the forms of a page with their fields, as they stand there.
func (k *crawler) collect(n *html.Node, at *url.URL, a url.Values) {
	k.t.Helper()
	if n.Data == "form" {
		action, err := at.Parse(a.Get("action"))
		if err != nil {
			k.t.Fatal(err)
		}
		k.forms = append(k.forms, form{action: action.String(), post: a.Get("method") == "post", fields: url.Values{}})
	}
	if len(k.forms) == 0 {
		return
	}
	f := &k.forms[len(k.forms)-1]
	name, value := a.Get("name"), a.Get("value")
	if !a.Has("value") && n.FirstChild != nil {
		value = n.FirstChild.Data
	}
	switch {
	case n.Data == "select":
		f.choice = name
	case n.Data == "option" && (a.Has("selected") || !f.fields.Has(f.choice)):
		f.fields.Set(f.choice, value)
	case name != "" && n.Data != "option" && (a.Get("type") != "checkbox" || a.Has("checked")):
		f.fields.Set(name, value)
	}
}

// submit sends the forms found so far as they stand; of each kind, one. What
// is refused is a page like the others.
func (k *crawler) submit() {
	k.t.Helper()
	forms := k.forms
	k.forms = nil
	for _, f := range forms {
		kind := "POST " + k.kindOf(f.action)
		if !f.post || k.count[kind] > 0 {
			continue
		}
		k.count[kind]++
		k.read(k.post(f.action, f.fields))
	}
}

func (k *crawler) post(address string, fields url.Values) *http.Response {
	k.t.Helper()
	req, err := http.NewRequest("POST", address, strings.NewReader(fields.Encode()))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html")
	resp, err := k.c.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	return resp
}

// begin follows a link to the login page and returns its address.
func (k *crawler) begin(address string) string {
	k.t.Helper()
	resp, err := k.c.Get(address)
	if err != nil {
		k.t.Fatal(err)
	}
	login := resp.Request.URL
	k.read(resp)
	if !strings.HasPrefix(login.Path, k.root+"/login/") {
		k.t.Fatalf("%s ends at %s", address, login)
	}
	login.RawQuery = ""
	return login.String()
}

// reached are kinds of addresses that the crawler must have found.
var reached = []string{
	"/",
	"/identities/new",
	"/identities/:id",
	"/identities/:id/edit",
	"/cards/:id",
	"/certificates",
	"/clients/demo",
	"/desk",
	"/demo/callback",
	"/orders/new",
	"/orders/:id",
	"/phone",
	"/phone/activate",
	"/phone/sw.js",
	"/outbox",
	"/reader",
	"/logins/:id",
	"/scenario",
	"/sign",
	"/why",
	"/why/:id",
	"/static/phone.webmanifest",
	"/api/certificates/:id/pem",
	"/pki/crl/el-org.crl",
	"/login/:id",
	"/login/:id/card-browser",
	"/home",
	"/wallet/contact",
	"/wallet/devices",
	"/wallet/sessions",
	"/wallet/start/activate",
	"POST /desk/order",
	"POST /desk/leave",
	"POST /identities/:id/edit",
	"POST /identities/:id/delete",
	"POST /cards/:id/oppose",
	"POST /orders/new",
	"POST /login/:id/card",
	"POST /login/:id/cancel",
	"POST /phone/:id/remove",
	"POST /certificates/:id/revoke",
	"POST /wallet/contact",
	"POST /scenario",
}

// Every page of a world below a path, with somebody logged in at the desk, the
// demo application and the portal: links, forms, redirects and cookies stay
// below the path. The server's own world has none.
func TestEveryAddressOfAWorldHasItsRoot(t *testing.T) {
	s := boot(t)
	for root, w := range map[string]*server{"/s/links": s.space("links"), "": s} {
		k := newCrawler(w, root)
		w.API("PUT", "/identities/"+testkit.Nurse+"/ecps/behaviour", `{"action":"ask"}`, nil)
		w.API("POST", "/orders", `{"form":"F301","actor":"liberal"}`, nil)
		k.visit(w.ConsoleURL + "/")
		k.visit(w.BaseURL + "/wallet/start/activate")
		k.enterDesk()
		k.seen, k.count = map[string]bool{}, map[string]int{}
		for _, path := range []string{
			"/",
			"/desk",
			"/demo/start",
			"/phone/" + testkit.Nurse,
			"/phone/sw.js",
			"/orders?actor=liberal",
			"/phone/activate?qr=x",
			"/sign",
			"/why",
		} {
			k.visit(w.ConsoleURL + path)
		}
		for _, path := range []string{"/", "/wallet/devices", "/wallet/sessions", "/wallet/start/activate"} {
			k.visit(w.BaseURL + path)
		}
		k.submit()
		for _, kind := range reached {
			if k.count[kind] == 0 {
				t.Errorf("below %q the crawler never came to %s", root, kind)
			}
		}
		if t.Failed() {
			t.Log(slices.Sorted(maps.Keys(k.count)))
		}
	}
}

// enterDesk logs a doctor in at the desk with the card, by way of the page that
// waits for a nurse's phone.
func (k *crawler) enterDesk() {
	k.t.Helper()
	var cards struct {
		Items []struct{ Serial, PIN string }
	}
	k.s.API("GET", "/cards?national_id="+testkit.Doctor, "", &cards)
	login := k.begin(k.s.ConsoleURL + "/desk/start")
	k.read(k.post(login+"/ecps", url.Values{"login": {testkit.Nurse}}))
	resp := k.post(login+"/card", url.Values{"card": {cards.Items[0].Serial}, "pin": {cards.Items[0].PIN}})
	if at := resp.Request.URL.String(); at != k.s.ConsoleURL+"/desk" {
		k.t.Fatalf("the login at the desk ends at %s", at)
	}
	k.read(resp)
}

// What a person types comes back and is stored as it was typed, also when it
// looks like an address or an attribute.
func TestAttack52APageChangesNoValueThatAPersonTyped(t *testing.T) {
	s := boot(t)
	for root, w := range map[string]*server{"/s/typed": s.space("typed"), "": s} {
		for _, typed := range []string{"/Cabinet du Parc", `="/x`, `href="/x" ='/y`, "/s/typed/x", "{{$.Root}}/x"} {
			k := newCrawler(w, root)
			edit := w.ConsoleURL + "/identities/" + testkit.Nurse + "/edit"
			k.visit(edit)
			place := slices.IndexFunc(k.forms, func(f form) bool { return f.post && f.action == edit })
			if place < 0 {
				t.Fatalf("no form: %v", k.forms)
			}
			fields := k.forms[place].fields
			fields.Set("e0.a0.raisonSocialeSite", typed)
			fields.Set("notes", typed)
			fields.Set("action", "refresh")
			k.forms = nil
			k.read(k.post(edit, fields))
			for _, name := range []string{"e0.a0.raisonSocialeSite", "notes"} {
				if got := k.forms[0].fields.Get(name); got != typed {
					t.Errorf("%q: %q comes back as %q", root, typed, got)
				}
			}
			fields.Set("action", "save")
			if resp := k.post(edit, fields); resp.Request.URL.String() != w.ConsoleURL+"/identities/"+testkit.Nurse {
				t.Errorf("%q: saving %q ends at %s: %s", root, typed, resp.Request.URL, refusalOn(testkit.Text(t, resp)))
			}
			var person struct {
				Notes     string
				Exercices []struct {
					Activities []struct {
						Name string `json:"raisonSocialeSite"`
					} `json:"activities"`
				}
			}
			w.API("GET", "/identities/"+testkit.Nurse, "", &person)
			if person.Notes != typed || person.Exercices[0].Activities[0].Name != typed {
				t.Errorf("%q: %q is stored as %+v", root, typed, person)
			}
		}
	}
}

// refusalOn is the reason that a page gives.
func refusalOn(page string) string {
	_, rest, _ := strings.Cut(page, `data-testid="error">`)
	reason, _, _ := strings.Cut(rest, "</div>")
	return reason
}
