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

	"pscemu.invalid/pscemu/internal/api"
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
	API        *api.ClientWithResponses // the emulator's control API
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
	if err := r.setFaults(ctx); err != nil {
		return err
	}
	if r.Person == "" {
		made, err := r.API.GenerateIdentitiesWithResponse(ctx,
			api.GenerationInput{Count: 1, Seed: time.Now().UnixNano() & 0xffffffff, Profession: "10"})
		if err := api.Refused(made, err); err != nil {
			return err
		}
		r.Person, r.made = made.JSON201.Items[0].NationalId, true
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
	ctx := context.Background() // also when the check was stopped
	_ = r.setFaults(ctx)
	if r.good != nil {
		r.good.browser.Close()
	}
	if r.made {
		_, _ = r.API.DeleteIdentity(ctx, r.Person)
	}
}

// setFaults sets the faults in force; none takes all away.
func (r *run) setFaults(ctx context.Context, list ...faults.Fault) error {
	in := api.FaultOrder{}
	for _, f := range list {
		in.Items = append(in.Items, api.FaultInput{
			Kind:     string(f.Kind),
			Endpoint: string(f.Endpoint),
			ClientId: f.Client,
			Delay:    f.Delay,
		})
	}
	return api.Refused(r.API.PutFaultsWithResponse(ctx, in))
}

func (r *run) struck(ctx context.Context) bool {
	list, err := r.API.ListFaultsWithResponse(ctx)
	if api.Refused(list, err) != nil {
		return false
	}
	for _, f := range list.JSON200.Items {
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
	last, err := r.API.GetLastEventWithResponse(ctx)
	if err := api.Refused(last, err); err != nil {
		return err
	}
	p.seq = last.JSON200.Seq
	done, err := r.API.PerformLoginWithResponse(ctx, api.Performance{AuthorizeUrl: p.login, Identity: r.Person})
	if err := api.Refused(done, err); err != nil {
		return err
	}
	p.back = done.JSON201.RedirectTo
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
type story struct{ api.Login }

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
func (r *run) storyOf(ctx context.Context, p *passage) (*story, error) {
	list, err := r.API.ListLoginsWithResponse(ctx,
		&api.ListLoginsParams{Client: r.client, After: fmt.Sprint(p.seq), Event: "authorize", Limit: 1})
	if err := api.Refused(list, err); err != nil {
		return nil, err
	}
	if len(list.JSON200.Items) == 0 {
		return &story{}, nil
	}
	all, err := r.API.GetLoginWithResponse(ctx, list.JSON200.Items[0].Id)
	if err := api.Refused(all, err); err != nil {
		return nil, err
	}
	return &story{*all.JSON200}, nil
}

func (r *run) journalPage(s *story) string {
	if s == nil || s.Id == "" {
		return ""
	}
	return r.ConsoleURL + "/logins/" + s.Id
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
