package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/lab/doctor"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/pscemutest"
)

// registry are the registrations of a patient.
type registry []*clients.Client

func (r registry) Each(_ context.Context, fn func(*clients.Client) error) error {
	for _, c := range r {
		if c == nil {
			return errors.New("too busy")
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

func (r registry) Get(_ context.Context, id string) (*clients.Client, error) {
	for _, c := range r {
		if c.ID == id {
			return c, nil
		}
	}
	return nil, problem.ClientUnknown.Of()
}

// healthy is a patient whom nothing ails.
func healthy(e *pscemutest.Emulator) *doctor.Patient {
	return &doctor.Patient{
		Base:         e.BaseURL,
		Issuer:       e.Issuer,
		Roots:        e.Roots(),
		Clock:        clock.State{Now: time.Now()},
		Clients:      registry{{ID: "app", RedirectURIs: []string{"https://app.test/callback"}}},
		Certificates: []doctor.Pair{{Name: "demo", Certificate: e.Demo().Certificate}},
	}
}

// found is the finding about one thing, with what is worse before.
func found(all []doctor.Finding, what string) (out doctor.Finding) {
	rank := map[doctor.Grade]int{"": -1, doctor.Good: 0, doctor.Warning: 1, doctor.Bad: 2}
	for _, f := range all {
		if f.What == what && rank[f.Grade] > rank[out.Grade] {
			out = f
		}
	}
	return out
}

func TestNothingAilsAHealthyPatient(t *testing.T) {
	for _, f := range doctor.Examine(t.Context(), healthy(pscemutest.Start(t))) {
		// This machine knows nothing of the emulator's authority, and localhost may
		// also lead to an address on which it does not listen.
		if f.Grade != doctor.Good && f.What != "trust" && f.What != "host name" || f.Grade == doctor.Bad {
			t.Errorf("%+v", f)
		}
	}
}

// ill are patients, by what the doctor finds.
var ill = map[string]struct {
	make  func(p *doctor.Patient)
	what  string
	grade doctor.Grade
}{
	"leads nowhere": {
		func(p *doctor.Patient) { p.Base = "https://nowhere.invalid:1" },
		"host name",
		doctor.Bad,
	},
	"nobody answers": {
		func(p *doctor.Patient) { p.Base = "https://127.0.0.1:1" },
		"host name",
		doctor.Bad,
	},
	"public-url":                           {func(p *doctor.Patient) { p.Base = "https://%zz" }, "host name", doctor.Bad},
	"the certificate is not for localhost": {another, "trust", doctor.Bad},
	"unknown authority":                    {func(p *doctor.Patient) { p.Roots = nil }, "trust", doctor.Bad},
	"issuer": {
		func(p *doctor.Patient) { p.Issuer = p.Base + "/elsewhere" },
		"discovery",
		doctor.Bad,
	},
	"is the emulator running": {
		func(p *doctor.Patient) { p.Issuer = "https://127.0.0.1:1" },
		"discovery",
		doctor.Bad,
	},
	"stands still": {func(p *doctor.Patient) { p.Clock.Frozen = true }, "clock", doctor.Warning},
	"is off by 1h0m0s": {
		func(p *doctor.Patient) { p.Clock.Now = time.Now().Add(time.Hour) },
		"clock",
		doctor.Warning,
	},
	"is not https; PSC": {
		func(p *doctor.Patient) { p.Clients = registry{{ID: "a", RedirectURIs: []string{"http://a.test/"}}} },
		"redirect URIs",
		doctor.Warning,
	},
	"only 0 clients were": {
		func(p *doctor.Patient) { p.Clients = registry{nil} },
		"redirect URIs",
		doctor.Warning,
	},
	"do not belong together": {mixed, "client certificate", doctor.Bad},
	"valid from": {
		func(p *doctor.Patient) { p.Clock.Now = time.Now().AddDate(20, 0, 0) },
		"client certificate",
		doctor.Bad,
	},
	"pscemu certificates issue": {
		func(p *doctor.Patient) { p.Certificates[0].Certificate.Certificate[0] = []byte("x") },
		"client certificate",
		doctor.Bad,
	},
}

// another is a server whose certificate is of another name.
func another(p *doctor.Patient) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	p.Base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	p.Roots = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

// mixed has the key of one pair with the certificate of another.
func mixed(p *doctor.Patient) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	srv.Close()
	p.Certificates[0].Certificate.PrivateKey = srv.TLS.Certificates[0].PrivateKey
}

func TestEachIllnessIsFoundWithItsRemedy(t *testing.T) {
	e := pscemutest.Start(t)
	for want, c := range ill {
		p := healthy(e)
		c.make(p)
		f := found(doctor.Examine(t.Context(), p), c.what)
		if f.Grade != c.grade || f.Remedy == "" || !strings.Contains(f.Found+" "+f.Remedy, want) {
			t.Errorf("%s: %+v", want, f)
		}
	}
}

func TestOfManyBadRedirectURIsTheOthersAreCounted(t *testing.T) {
	p := healthy(pscemutest.Start(t))
	many := &clients.Client{ID: "many"}
	for n := range 150 {
		many.RedirectURIs = append(many.RedirectURIs, fmt.Sprintf("http://a.test/%d", n))
	}
	p.Clients = registry{many}
	n, said := 0, ""
	for _, f := range doctor.Examine(t.Context(), p) {
		if f.What == "redirect URIs" {
			n, said = n+1, f.Found
		}
	}
	if n != 101 || said != "50 more are not https" {
		t.Errorf("%d findings, the last %q", n, said)
	}
}

func TestAProxyThatTakesTheCallsIsNamed(t *testing.T) {
	e := pscemutest.Start(t)
	t.Setenv("HTTPS_PROXY", "http://proxy.test:3128")
	t.Setenv("NO_PROXY", "")
	p := healthy(e)
	if f := found(doctor.Examine(t.Context(), p), "proxy"); f.Grade != doctor.Good {
		t.Errorf("localhost goes by no proxy: %+v", f)
	}
	p.Base = strings.Replace(p.Base, "localhost", "127.0.0.1", 1)
	if f := found(doctor.Examine(t.Context(), p), "proxy"); f.Grade != doctor.Warning ||
		!strings.Contains(f.Remedy, "NO_PROXY") {
		t.Errorf("%+v", f)
	}
}

func TestWhatAnApplicationAsksForIsJudged(t *testing.T) {
	e := pscemutest.Start(t)
	good := url.Values{
		"client_id": {"app"}, "redirect_uri": {"https://app.test/callback"}, "state": {"s"}, "nonce": {"n"},
		"acr_values": {"eidas1"}, "code_challenge": {"c"},
	}
	with := func(name, value string) url.Values {
		q := url.Values{}
		for k, v := range good {
			q[k] = v
		}
		q.Set(name, value)
		return q
	}
	for want, c := range map[string]struct {
		to    string
		what  string
		grade doctor.Grade
	}{
		"1 set before":         {e.BaseURL + "/auth?" + good.Encode(), "cookies", doctor.Good},
		"app":                  {e.BaseURL + "/auth?" + good.Encode(), "client_id", doctor.Good},
		"is not this emulator": {"https://real.test/auth?" + good.Encode(), "authorize URL", doctor.Bad},
		"is not registered":    {e.BaseURL + "/auth?" + with("client_id", "nobody").Encode(), "client_id", doctor.Bad},
		"by http instead of https": {
			e.BaseURL + "/auth?" + with("redirect_uri", "http://app.test/callback").Encode(), "redirect_uri", doctor.Bad,
		},
		"not sent":          {e.BaseURL + "/auth?" + with("nonce", "").Encode(), "nonce", doctor.Warning},
		"sends the browser": {"", "application", doctor.Bad},
		"ten redirects":     {"/login", "application", doctor.Bad},
	} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
			if c.to != "" {
				http.Redirect(w, r, c.to, http.StatusFound)
			}
		}))
		p := healthy(e)
		p.App = app.URL + "/login"
		f := found(doctor.Examine(t.Context(), p), c.what)
		app.Close()
		if f.Grade != c.grade && c.what != "cookies" || !strings.Contains(f.Found, want) && c.what != "cookies" {
			t.Errorf("%s: %+v", want, f)
		}
	}
	p := healthy(e)
	p.App = "http://127.0.0.1:1/"
	if f := found(doctor.Examine(t.Context(), p), "application"); f.Grade != doctor.Bad {
		t.Errorf("an application that does not answer: %+v", f)
	}
}

func TestACookieThatIsNotSentBackIsFound(t *testing.T) {
	e := pscemutest.Start(t)
	to := e.BaseURL + "/auth?client_id=app&redirect_uri=" + url.QueryEscape("https://app.test/callback")
	app := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
	defer app.Close()
	p := healthy(e)
	p.App = app.URL
	said := ""
	for _, f := range doctor.Examine(t.Context(), p) {
		if f.What == "cookies" {
			said += f.Found + "\n"
		}
	}
	if !strings.Contains(said, "no cookie before the login") || !strings.Contains(said, "returns to app.test") {
		t.Error(said)
	}
}
