// Package emulator wires everything together: a world — people, cards, clients,
// keys, clock, journal, and the pages and endpoints over them — and the server
// that shows one world, or several side by side, on its listeners.
package emulator

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/orders"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/provider"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/static"
)

// place is where a world is shown.
type place struct {
	base, card, console string // addresses of its three origins, without a slash at the end
	root                string // path that all of them begin with, "" for the server's own world
	instance            string // makes cookies differ between worlds on one host
	folder              folder // where its files go, "" for none
}

// Emulator is one world, wired.
type Emulator struct {
	version  string
	at       place
	settings *config.Loaded
	live     *config.Live
	clock    *clock.Adjustable
	store    store.Store
	people   *identities.People
	outbox   *outbox.Outbox
	ecps     *ecps.Phones
	pki      *pki.PKI
	cards    *cards.Cards
	orders   *orders.Desk
	clients  *clients.Registry
	auth     *clients.Authenticator
	oidc     *oidc.Provider
	journal  *journal.Journal
	metrics  *telemetry.Metrics
	tracer   *telemetry.Tracer // nil for no traces
	logins   *login.Logins
	faults   *faults.Set
	sender   *delivery.Sender
	provider *provider.Provider

	whole sync.Mutex // held while another content takes the place of everything

	protocol, card, console http.Handler
	demoKeys                tls.Certificate // the demo client's, under announced
	closing                 chan struct{}   // streams and long polls end with it
	stop                    context.CancelFunc
	announced               sync.RWMutex
	ready                   Ready // under announced, once the world is open
	published               bool  // ready.json holds it; under announced
	opened                  func(openURL string)
}

// newWorld makes the domain services; nothing is generated yet.
func newWorld(version string, l *config.Loaded, c *clock.Adjustable, s store.Store, at place) (*Emulator, error) {
	anchors, err := certificatesIn(l.TrustAnchors, problem.TrustAnchorsUnusable)
	if err != nil {
		return nil, err
	}
	e := &Emulator{
		version:  version,
		at:       at,
		settings: l,
		live:     config.NewLive(l),
		clock:    c,
		store:    s,
		closing:  make(chan struct{}),
	}
	e.people = identities.New(e.store)
	e.outbox = outbox.New(e.store, e.clock)
	e.ecps = ecps.New(e.store, e.clock, e.people, e.outbox, e.live, at.console+"/phone")
	e.pki = pki.New(e.store, e.clock, at.console+"/pki", anchors)
	e.cards = cards.New(e.store, e.clock, e.people, e.pki, e.live)
	e.orders = orders.New(e.store, e.clock, e.people, e.cards, e.pki, e.outbox, e.live)
	e.clients = clients.New(e.store, e.live)
	e.auth = &clients.Authenticator{Registry: e.clients, PKI: e.pki, Settings: e.live}
	e.faults = &faults.Set{Open: func() bool { return e.live.Policies(nil, nil).DoorFaults }}
	e.journal = journal.New(e.clock, journal.Limits{Logins: l.JournalLogins, Bytes: l.JournalSize << 20})
	e.journal.Secret = func(clientID string) string {
		client, err := e.clients.Get(context.Background(), clientID)
		if err != nil {
			return "" // unknown, or removed meanwhile
		}
		return client.Secret
	}
	e.metrics = telemetry.NewMetrics()
	e.journal.Count = func(kind journal.Kind, code string) { e.metrics.Event(string(kind), code) }
	e.journal.Why = func(code, loginID string) string {
		if e.live.Strict() {
			return ""
		}
		return console.WhyURL(at.console, code, loginID)
	}
	return e, nil
}

// certificatesIn reads the PEM file that a setting names, "" for none; unusable
// is the refusal of one that cannot be read.
func certificatesIn(file string, unusable problem.Code) ([]*x509.Certificate, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := config.ReadNamed(file)
	var out []*x509.Certificate
	if err == nil {
		out, err = pki.ParsePEM(pem)
	}
	if err != nil {
		return nil, unusable.Got(file + ": " + err.Error())
	}
	return out, nil
}

// prepare makes or loads what must be there before the first request, beside
// what the caller needs; keys are generated side by side.
func (e *Emulator) prepare(ctx context.Context, more ...func() error) error {
	cfg := &oidc.Config{
		Issuer:   e.at.base + provider.RealmPath,
		Clock:    e.clock,
		Settings: e.live,
		People:   e.people,
		Faults:   e.faults,
		Decision: func(ctx context.Context, request string) (ecps.State, error) {
			r, err := e.ecps.Request(ctx, request)
			if err != nil {
				return "", err
			}
			return r.State, nil
		},
	}
	return parallel(append(more,
		func() (err error) { e.oidc, err = oidc.New(ctx, cfg, e.store, e.clients, e.auth.Authenticate); return },
		func() error { return e.demoClient(ctx) },
		func() error { return e.personas(ctx) },
	)...)
}

func parallel(steps ...func() error) error {
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() { errs[i] = step() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// open makes the handlers of the three origins. ca is the server's.
func (e *Emulator) open(ctx context.Context, ca *x509.Certificate, spaces api.Spaces) error {
	ctx, e.stop = context.WithCancel(ctx)
	roots, err := e.outboundRoots(ca)
	if err != nil {
		return err
	}
	e.logins = &login.Logins{Store: e.store, Clock: e.clock, Max: e.settings.MaxLogins,
		Cookies: login.Cookies{Instance: e.at.instance}}
	e.gauges()
	e.sender = delivery.New(ctx, e.store, e.clock, roots)
	e.provider = provider.New(
		provider.Config{
			Names: &site.Names{
				BaseURL: e.at.base,
				CardURL: e.at.card,
				Root:    e.at.root,
				Hosts:   e.settings.HostNames(),
			},
			Limits: e.settings.Limits,
		},
		provider.Services{
			Settings: e.live,
			Store:    e.store,
			Sender:   e.sender,
			Clock:    e.clock,
			OIDC:     e.oidc,
			Clients:  e.clients,
			Closing:  e.closing,
			Pages:    static.Pages(),
			Auth:     e.auth,
			People:   e.people,
			ECPS:     e.ecps,
			Cards:    e.cards,
			PKI:      e.pki,
			Metrics:  e.metrics,
			Tracer:   e.tracer,
			Logins:   e.logins,
			Journal:  e.journal,
			Faults:   e.faults,
		},
	)
	e.ready.APIToken = rand.Text()
	relying, err := e.demo(ctx, ca)
	if err != nil {
		return err
	}
	c := console.New(console.Setup{
		API:   e.api(relying, spaces),
		Pages: static.Pages(),
		Demo:  relying,
		Access: console.Access{
			Token:    e.ready.APIToken,
			Instance: e.at.instance,
			Link:     e.settings.ConsoleAccess == "link",
			NewLink:  e.linked,
		},
		Listener: console.Listener{
			Limits:  e.settings.Limits,
			Metrics: e.metrics,
			Tracer:  e.tracer,
			Pprof:   e.settings.Pprof,
		},
		Closing: e.closing,
	})
	e.ready.OpenURL = c.OpenURL()
	// Before anything new can begin: what is under way then is an earlier run's.
	e.provider.Resume(ctx)
	e.protocol, e.card, e.console = e.provider.Protocol, e.provider.Card, c.Handler()
	e.describe(ctx)
	return nil
}

// outboundRoots are trusted when a client's registered address is called: the
// machine's own authorities, ours, and those of the setting.
func (e *Emulator) outboundRoots(ca *x509.Certificate) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AddCert(ca)
	more, err := certificatesIn(e.settings.OutboundCA, problem.OutboundCAUnusable)
	for _, c := range more {
		roots.AddCert(c)
	}
	return roots, err
}

func (e *Emulator) demo(ctx context.Context, ca *x509.Certificate) (*demo.Demo, error) {
	client, err := e.clients.Get(ctx, DemoID)
	if problem.Is(err, problem.ClientUnknown) {
		return nil, nil // somebody removed it
	}
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	told := &e.ready.DemoClient
	told.ClientID, told.ClientSecret, told.RedirectURIs = DemoID, client.Secret, client.RedirectURIs
	return &demo.Demo{
		ClientID:     DemoID,
		Issuer:       e.at.base + provider.RealmPath,
		AuthorizeURL: e.at.base + "/auth",
		Roots:        pool,
		Now:          e.clock.Now,
		Keys: func() (string, tls.Certificate) {
			e.announced.RLock()
			defer e.announced.RUnlock()
			return e.ready.DemoClient.ClientSecret, e.demoKeys
		},
	}, nil
}

// warm makes what is not needed at once.
func (e *Emulator) warm(ctx context.Context) {
	if err := e.pki.Warm(ctx); err != nil && ctx.Err() == nil {
		slog.Error("authorities", "error", err)
	}
	if _, err := e.oidc.JWKS(ctx); err != nil && ctx.Err() == nil {
		slog.Error("encryption key", "error", err)
	}
}

// sweep removes what has expired, in steps that let others write between them.
func (e *Emulator) sweep(ctx context.Context) {
	if !e.whole.TryLock() {
		return // what has expired may depend on a clock that is about to change
	}
	defer e.whole.Unlock()
	if err := store.Recover(ctx, e.store); err != nil {
		slog.Error("what a command left half-done stays for now", "error", err)
	}
	for ctx.Err() == nil {
		n, err := e.store.Sweep(ctx)
		if err != nil && !errors.Is(err, store.ErrClosed) {
			slog.Error("sweep", "error", err)
		}
		if n == 0 || err != nil {
			return
		}
	}
}

// close ends the world's own work; the requests under way have ended before.
func (e *Emulator) close() {
	if e.stop != nil {
		e.stop()
	}
	if e.sender != nil {
		e.sender.Wait()
	}
	_ = e.store.Close()
}

// Ready is what a client or a test needs to use this world.
func (e *Emulator) Ready() Ready {
	e.announced.RLock()
	defer e.announced.RUnlock()
	r := e.ready
	r.Personas = slices.Clone(r.Personas)
	return r
}

// Announcement is Ready, for the control API.
func (e *Emulator) Announcement() Ready { return e.Ready() }

// hostOf is the host name of a base URL.
func hostOf(base string) string {
	u, _ := url.Parse(base)
	return strings.ToLower(u.Hostname())
}
