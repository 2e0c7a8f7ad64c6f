// Package check decides whether a relying party does right: it drives the
// application through good and faulty logins on a running emulator, and
// judges by what the application then shows and asked for.
package check

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/faults"
)

// Verdict is the outcome of one scenario.
type Verdict string

// The verdicts.
const (
	Passed        Verdict = "passed"
	Failed        Verdict = "failed"
	NotApplicable Verdict = "not-applicable" // the application never came to where it could fail
)

// Finding is one scenario with its outcome.
type Finding struct {
	ID       string  `json:"id"`
	Title    string  `json:"title"` // what a right application does
	Source   string  `json:"source"`
	Severity string  `json:"severity"`
	Verdict  Verdict `json:"verdict"`
	What     string  `json:"what"` // happened
	Fix      string  `json:"fix"`
	Journal  string  `json:"journal,omitempty"` // the login's page
}

// Target is the application under test, and the emulator it uses.
type Target struct {
	Start    string // URL that begins a login
	Logout   string // URL that ends the session, "" when there is none
	Page     string // URL that shows whether somebody is logged in; "" is where a login ends
	LoggedIn Sign
	Person   string // national id of who logs in

	Base       string // of the emulator: authorize URLs begin with it
	ConsoleURL string
	API        func(method, path string, in, out any) error // the emulator's control API
	NewBrowser func(ctx context.Context) (Browser, error)
}

// Browser is a fresh one, without cookies.
type Browser interface {
	// Open follows redirects to the end, or until the application sends the
	// browser to the login.
	Open(ctx context.Context, url string) (*Page, error)
	Close()
}

// Page is where a browser ended.
type Page struct {
	URL     string
	Status  int
	Body    string
	Cookies []*http.Cookie
	Login   string // the authorize URL the browser was sent to, "" for none
}

// Sign tells a session that is open: a text on the page, an element, or the
// status of a URL.
type Sign struct{ Kind, Value string }

// ParseSign reads text=Bienvenue, selector=#logout, or status=URL (200 there).
func ParseSign(s string) (Sign, error) {
	kind, value, ok := strings.Cut(s, "=")
	if !ok || value == "" || kind != "text" && kind != "selector" && kind != "status" {
		return Sign{}, problem.CheckSign.Got(s)
	}
	return Sign{kind, value}, nil
}

// Run drives the application through every scenario and reports each finding.
func Run(ctx context.Context, t *Target, report func(done, all int, f Finding)) ([]Finding, error) {
	r := &run{Target: t}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	defer r.clean()
	var out []Finding
	all := scenarios()
	for n, s := range all {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		f := r.play(ctx, s)
		out = append(out, f)
		report(n+1, len(all), f)
	}
	return out, nil
}

// run is one check under way.
type run struct {
	*Target
	client string
	made   bool     // the person was made for this check
	good   *passage // the first good login
	aged   *story   // of a login whose tokens reached their end
}

// prepare makes a person, and looks whether the application starts a login.
func (r *run) prepare(ctx context.Context) error {
	if err := r.setFaults(); err != nil {
		return err
	}
	if r.Person == "" {
		var made struct {
			Items []struct {
				NationalID string `json:"national_id"`
			}
		}
		if err := r.API(
			http.MethodPost,
			"/identities/generate",
			map[string]any{"count": 1, "seed": time.Now().UnixNano() & 0xffffffff, "profession": "10"},
			&made,
		); err != nil {
			return err
		}
		r.Person, r.made = made.Items[0].NationalID, true
	}
	p, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer p.browser.Close()
	r.client = p.authorize.Get("client_id")
	return nil
}

func (r *run) clean() {
	_ = r.setFaults()
	if r.good != nil {
		r.good.browser.Close()
	}
	if r.made {
		_ = r.API(http.MethodDelete, "/identities/"+url.PathEscape(r.Person), nil, nil)
	}
}

// setFaults sets the faults in force; none takes all away.
func (r *run) setFaults(list ...faults.Fault) error {
	return r.API(http.MethodPut, "/faults", map[string]any{"items": append([]faults.Fault{}, list...)}, nil)
}

func (r *run) struck() bool {
	var list struct{ Items []faults.Fault }
	_ = r.API(http.MethodGet, "/faults", nil, &list)
	for _, f := range list.Items {
		if f.Struck > 0 {
			return true
		}
	}
	return false
}

// passage is one login of the application.
type passage struct {
	browser   Browser
	first     *Page
	authorize url.Values // of the authorize request
	login     string     // the whole URL
	seq       int64      // of the journal before the person's part
	back      string     // the callback URL
	page      *Page      // where it ended
	open      bool       // somebody is logged in
}

// begin opens the application in a fresh browser, until it asks for a login.
func (r *run) begin(ctx context.Context) (*passage, error) {
	b, err := r.NewBrowser(ctx)
	if err != nil {
		return nil, err
	}
	p := &passage{browser: b}
	if p.first, err = b.Open(ctx, r.Start); err != nil {
		b.Close()
		return nil, problem.CheckUnreachable.Got(err.Error())
	}
	if p.first.Login == "" {
		b.Close()
		return nil, problem.CheckNoLogin.With("url", p.first.URL).With("status", p.first.Status).With("base", r.Base)
	}
	u, err := url.Parse(p.first.Login)
	if err != nil {
		b.Close()
		return nil, err
	}
	p.login, p.authorize = p.first.Login, u.Query()
	return p, nil
}

// pass logs the person in, and looks whether a session opened.
func (r *run) pass(ctx context.Context) (*passage, error) {
	p, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	return p, r.finish(ctx, p)
}

// finish does the person's part, hands the callback to the application, and
// looks whether a session opened.
func (r *run) finish(ctx context.Context, p *passage) error {
	var done struct {
		RedirectTo string `json:"redirect_to"`
	}
	var last struct{ Seq int64 }
	if err := r.API(http.MethodGet, "/logins/last", nil, &last); err != nil {
		return err
	}
	p.seq = last.Seq
	if err := r.API(
		http.MethodPost,
		"/logins",
		map[string]string{"authorize_url": p.login, "identity": r.Person},
		&done,
	); err != nil {
		return err
	}
	p.back = done.RedirectTo
	var err error
	if p.page, err = p.browser.Open(ctx, p.back); err != nil {
		p.page = &Page{URL: p.back, Body: err.Error()}
	}
	p.open, err = r.isOpen(ctx, p.browser, p.page)
	return err
}

// isOpen tells whether somebody is logged in, in this browser.
func (r *run) isOpen(ctx context.Context, b Browser, at *Page) (bool, error) {
	look := r.Page
	if r.LoggedIn.Kind == "status" {
		look = r.LoggedIn.Value
	}
	if look != "" {
		page, err := b.Open(ctx, look)
		if err != nil {
			return false, err
		}
		at = page
	}
	switch r.LoggedIn.Kind {
	case "status":
		return at.Login == "" && at.Status == http.StatusOK, nil
	case "selector":
		finder, ok := b.(interface {
			Has(ctx context.Context, selector string) (bool, error)
		})
		if !ok {
			return false, problem.CheckSign.Case("browser").Got(r.LoggedIn.Value)
		}
		return finder.Has(ctx, r.LoggedIn.Value)
	}
	return at.Login == "" && at.Status < 400 && strings.Contains(at.Body, r.LoggedIn.Value), nil
}

// story is what the journal tells of a login.
type story struct {
	ID     string
	Events []struct {
		Kind, Code, Reason string
		Detail             map[string]string
		Exchange           *struct {
			URL    string
			Method string
			Form   map[string][]string
		}
	}
}

func (s *story) count(kind string) (n int) {
	for _, e := range s.Events {
		if e.Kind == kind && e.Code == "" {
			n++
		}
	}
	return n
}

func (s *story) refused(code string) bool {
	for _, e := range s.Events {
		if e.Code == code {
			return true
		}
	}
	return false
}

// storyOf is the login that a passage made, from the journal.
func (r *run) storyOf(p *passage) (*story, error) {
	var list struct{ Items []struct{ ID string } }
	q := url.Values{"client": {r.client}, "after": {fmt.Sprint(p.seq)}, "event": {"authorize"}, "limit": {"1"}}
	if err := r.API(http.MethodGet, "/logins?"+q.Encode(), nil, &list); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return &story{}, nil
	}
	var s story
	return &s, r.API(http.MethodGet, "/logins/"+list.Items[0].ID, nil, &s)
}

func (r *run) journalPage(s *story) string {
	if s == nil || s.ID == "" {
		return ""
	}
	return r.ConsoleURL + "/logins/" + s.ID
}

// Roots trusts the emulator beside the machine's own authorities.
func Roots(pem []byte) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	return pool
}
