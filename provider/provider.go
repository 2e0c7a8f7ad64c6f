// Package provider is Pro Santé Connect itself: the protocol endpoints, the
// login pages and the card origin. One file holds one endpoint or flow; its
// handler holds the few things it needs. The files stand in an order that
// layers_test.go knows, and call downwards only: this one on top wires the
// handlers, which know flows (finish.go, doors.go), which know rules
// (judge.go, parameters.go). What leaves is written by package wire.
package provider

import (
	"context"
	"net/http"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/portal"
	"pscemu.invalid/pscemu/provider/sessions"
	"pscemu.invalid/pscemu/provider/site"
)

// RealmPath is the path of the realm below the base URL; the issuer is both.
const RealmPath = site.RealmPath

// Config is what the provider needs to know.
type Config struct {
	Names  *site.Names
	Limits config.Limits
}

// Services are what the handlers are made from; each takes the few it needs.
type Services struct {
	Settings *config.Live
	Store    store.Store
	Clock    clock.Clock
	Sender   *delivery.Sender
	OIDC     *oidc.Provider
	Clients  *clients.Registry
	Auth     *clients.Authenticator
	People   *identities.People
	ECPS     *ecps.Phones
	Cards    *cards.Cards
	PKI      *pki.PKI
	Logins   *login.Logins
	Journal  *journal.Journal
	Faults   *faults.Set
	Metrics  *telemetry.Metrics
	Tracer   *telemetry.Tracer // nil for no traces
	Pages    *web.Pages
	Closing  <-chan struct{} // closed when the server stops: long polls end then
}

// Provider is Pro Santé Connect, wired.
type Provider struct {
	Protocol http.Handler // the protocol listener's
	Card     http.Handler // the card origin's
	Doors    *Doors       // the test doors

	outbound *outbound
}

// New makes the provider.
func New(c Config, s Services) *Provider {
	p := newParts(c, s)
	s.Logins.Dropped = dropped(s.Journal, c.Limits.MaxLogins)
	front := &httpFaults{faults: s.Faults, journal: s.Journal, oidc: s.OIDC, closing: s.Closing}
	protocol := p.listener.serve("protocol", p.protocol()...)
	card := p.listener.serve("card", p.cardOrigin()...)
	return &Provider{
		Protocol: underItsName(c.Names, s.Journal.Record(front.strike(normalise(protocol)))),
		Card:     underItsName(c.Names, s.Journal.Record(normalise(card))),
		Doors:    p.doors,
		outbound: p.outbound,
	}
}

// Resume goes on with what an earlier run left, and with what comes: the answers
// that phones give after a while, pings, logout deliveries. It ends with ctx.
func (p *Provider) Resume(ctx context.Context) { p.outbound.run(ctx) }

// Routes are the addresses that the provider answers, by listener.
func Routes() []web.Route {
	p := newParts(Config{Names: &site.Names{}}, Services{Logins: &login.Logins{}})
	return append(web.Mount(bare(), "protocol", p.protocol()...), web.Mount(bare(), "card", p.cardOrigin()...)...)
}

// parts are what several handlers share, while they are being wired.
type parts struct {
	Config
	Services
	listener *listener
	pages    *web.View
	failures *failures
	back     *backChannel
	browsers *sessions.Browsers
	ends     *sessions.Ends
	requests *requests
	finish   *finisher
	doors    *Doors
	outbound *outbound
	polls    web.Polls
}

// newParts makes what handlers share, from below upwards.
func newParts(c Config, s Services) *parts {
	p := &parts{Config: c, Services: s, polls: web.Polls{Closing: s.Closing}}
	p.pages = newView(s.Settings, s.Logins.Cookies, s.Journal, s.Pages)
	p.failures = newFailures(s.Settings, s.Journal, p.pages)
	p.listener = &listener{settings: s.Settings, names: c.Names, limits: c.Limits, metrics: s.Metrics,
		tracer: s.Tracer, failures: p.failures}
	p.back = &backChannel{auth: s.Auth, refusals: p.failures.writer}
	p.browsers = &sessions.Browsers{Cookies: s.Logins.Cookies, OIDC: s.OIDC, Names: c.Names}
	p.ends = &sessions.Ends{Store: s.Store, Clock: s.Clock, OIDC: s.OIDC, Clients: s.Clients, Sender: s.Sender,
		Journal: s.Journal}
	p.requests = &requests{settings: s.Settings, clients: s.Clients, pushes: &pushes{s.Store},
		objects: objects{s.Clock}}
	p.finish = &finisher{settings: s.Settings, oidc: s.OIDC, journal: s.Journal, browsers: p.browsers,
		callbacks: &callbacks{oidc: s.OIDC, clock: s.Clock, pages: p.pages, texts: p.failures.writer},
		faults:    &answerFaults{faults: s.Faults, journal: s.Journal}}
	p.doors = &Doors{settings: s.Settings, names: c.Names, requests: p.requests, finish: p.finish,
		standIn: &standIn{people: s.People, ecps: s.ECPS, cards: s.Cards, journal: s.Journal, clock: s.Clock}}
	p.outbound = &outbound{ends: p.ends, sender: s.Sender, ecps: s.ECPS, journal: s.Journal,
		pings: &pings{clients: s.Clients, ecps: s.ECPS, sender: s.Sender, clock: s.Clock}}
	return p
}

// protocol are the handlers of the protocol listener.
func (p *parts) protocol() []web.Handler {
	tasks, portal := portal.New(portal.Services{Settings: p.Settings, Store: p.Store, Clock: p.Clock,
		People: p.People, ECPS: p.ECPS, OIDC: p.OIDC, Logins: p.Logins, Journal: p.Journal, Names: p.Names,
		Browsers: p.browsers, Ends: p.ends, Pages: p.pages, Polls: p.polls})
	out := append(p.realm(), p.loginPages(tasks)...)
	return append(append(out, p.assets()), portal...)
}

// cardOrigin are the handlers of the card origin.
func (p *parts) cardOrigin() []web.Handler {
	reader := &cardOrigin{logins: p.Logins, pki: p.PKI, cards: p.Cards, journal: p.Journal, pages: p.pages}
	return []web.Handler{reader, p.assets()}
}

func (p *parts) assets() web.Handler { return &assets{p.Pages} }

// realm are the endpoints of the protocol.
func (p *parts) realm() []web.Handler {
	writer, answers := p.failures.writer, &answerFaults{faults: p.Faults, journal: p.Journal}
	info := &infoWriter{settings: p.Settings, clients: p.Clients, oidc: p.OIDC, faults: answers, refusals: writer}
	return []web.Handler{
		&authorizeEndpoint{requests: p.requests, doors: p.doors, finish: p.finish, failures: p.failures, names: p.Names,
			silent: &silent{browsers: p.browsers, people: p.People, oidc: p.OIDC, clock: p.Clock, journal: p.Journal},
			begin:  &beginning{logins: p.Logins, names: p.Names, journal: p.Journal}},
		&parEndpoint{back: p.back, requests: p.requests, names: p.Names, journal: p.Journal},
		&tokenEndpoint{oidc: p.OIDC, journal: p.Journal, faults: answers, refusals: writer},
		&userinfoEndpoint{oidc: p.OIDC, people: p.People, info: info, journal: p.Journal, refusals: writer},
		&introspectEndpoint{back: p.back, settings: p.Settings, oidc: p.OIDC, journal: p.Journal},
		&revokeEndpoint{back: p.back, oidc: p.OIDC, journal: p.Journal},
		&cibaEndpoint{back: p.back, clock: p.Clock, journal: p.Journal,
			begin: &backchannelStart{settings: p.Settings, store: p.Store, people: p.People, cards: p.Cards,
				ecps: p.ECPS, oidc: p.OIDC, pings: p.outbound.pings}},
		&unservedEndpoints{back: p.back},
		&logoutEndpoint{oidc: p.OIDC, clients: p.Clients, ends: p.ends, browsers: p.browsers, failures: p.failures,
			names: p.Names},
		&sessionFrame{clients: p.Clients, browsers: p.browsers, names: p.Names, journal: p.Journal, pages: p.Pages},
		&discoveryEndpoint{settings: p.Settings, names: p.Names, oidc: p.OIDC},
	}
}

// loginPages are the pages on which a person logs in.
func (p *parts) loginPages(tasks *portal.Tasks) []web.Handler {
	guard := &guard{logins: p.Logins, pages: p.pages}
	waiting := &phoneRequests{store: p.Store, logins: p.Logins, ecps: p.ECPS}
	complete := &completion{clients: p.Clients, people: p.People, logins: p.Logins, finish: p.finish, names: p.Names,
		tasks: tasks, failures: p.failures}
	page := &loginPage{guard: guard, settings: p.Settings, people: p.People, cards: p.Cards, tasks: tasks}
	return []web.Handler{
		page,
		&phoneLogin{page: page, waiting: waiting, journal: p.Journal},
		&phoneWait{guard: guard, settings: p.Settings, ecps: p.ECPS, journal: p.Journal, complete: complete,
			polls: p.polls},
		&cardLogin{page: page, cards: p.Cards, journal: p.Journal, complete: complete},
		&cardReturn{guard: guard, names: p.Names, journal: p.Journal, complete: complete},
		&testLogin{page: page, people: p.People, journal: p.Journal, complete: complete},
		&cancelLogin{guard: guard, waiting: waiting, journal: p.Journal, finish: p.finish, names: p.Names},
	}
}
