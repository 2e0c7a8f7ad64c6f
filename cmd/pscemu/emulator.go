package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"pscemu/cards"
	"pscemu/cards/orders"
	"pscemu/cards/pki"
	"pscemu/clock"
	"pscemu/config"
	"pscemu/console"
	"pscemu/identities"
	"pscemu/identities/ecps"
	"pscemu/identities/outbox"
	"pscemu/problem"
	"pscemu/provider"
	"pscemu/provider/clients"
	"pscemu/provider/delivery"
	"pscemu/provider/journal"
	"pscemu/provider/login"
	"pscemu/provider/oidc"
	"pscemu/store"
)

// emulator is the whole program, wired.
type emulator struct {
	settings *config.Loaded
	live     *config.Live
	data     string
	clock    *clock.Adjustable
	store    store.Store
	people   *identities.People
	outbox   *outbox.Outbox
	ecps     *ecps.Service
	pki      *pki.PKI
	cards    *cards.Desk
	orders   *orders.Desk
	clients  *clients.Registry
	oidc     *oidc.Provider
	journal  *journal.Journal
	sender   *delivery.Sender
	provider *provider.Server

	listen, card, console net.Listener
	servers               []*http.Server
	closing               chan struct{} // streams and long polls end with it
	ready                 Ready
}

// demoID is the client_id of the demo client.
const demoID = "demo"

// start opens everything; when it returns all listeners accept.
func start(ctx context.Context, l *config.Loaded) (e *emulator, err error) {
	e = &emulator{settings: l, live: config.NewLive(l), clock: &clock.Adjustable{}, closing: make(chan struct{})}
	defer func() {
		if err != nil {
			e.close(ctx)
		}
	}()
	if err := e.open(); err != nil {
		return e, err
	}
	if err := e.services(ctx); err != nil {
		return e, err
	}
	server, ca, err := e.prepare(ctx)
	if err != nil {
		return e, err
	}
	if err := e.follow(ctx); err != nil {
		return e, err
	}
	if err := e.serve(ctx, server, ca); err != nil {
		return e, err
	}
	return e, e.announce(ctx, ca)
}

// open takes the data folder and the listeners.
func (e *emulator) open() (err error) {
	if e.data, err = e.settings.DataDir(); err != nil {
		return err
	}
	if err := os.MkdirAll(e.data, 0o700); err != nil {
		return problem.New(problem.Invalid, "data-folder-unusable", "the data folder cannot be made").Got(err.Error()).Do("choose another with --data")
	}
	bolt, err := store.OpenBolt(filepath.Join(e.data, "pscemu.db"), e.clock)
	if err != nil {
		return err
	}
	e.store = bolt
	for _, l := range []struct {
		to      *net.Listener
		address string
		setting string
	}{{&e.listen, e.settings.Listen, "listen"}, {&e.card, e.settings.CardListen, "card-listen"}, {&e.console, e.settings.ConsoleListen, "console-listen"}} {
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return problem.New(problem.Invalid, "address-taken", "cannot listen on "+l.address).Got(err.Error()).Do("choose another address with --" + l.setting + ", or port 0 for a free one")
		}
	}
	return nil
}

func port(l net.Listener) string {
	_, p, _ := net.SplitHostPort(l.Addr().String())
	return p
}

func (e *emulator) baseURL() string {
	if e.settings.PublicURL != "" {
		return e.settings.PublicURL
	}
	return "https://localhost:" + port(e.listen)
}

func (e *emulator) publicHost() string {
	u, _ := url.Parse(e.baseURL())
	return u.Hostname()
}

func (e *emulator) cardURL() string { return "https://" + e.publicHost() + ":" + port(e.card) }

// services makes the domain services; nothing is generated yet.
func (e *emulator) services(ctx context.Context) error {
	anchors, err := certificatesIn(e.settings.TrustAnchors, "trust-anchors")
	if err != nil {
		return err
	}
	e.people = identities.New(e.store)
	e.outbox = outbox.New(e.store, e.clock)
	e.ecps = ecps.New(e.store, e.clock, e.people, e.outbox, e.live, "http://"+e.console.Addr().String()+"/phone")
	e.pki = pki.New(e.store, e.clock, "http://"+e.console.Addr().String()+"/pki", anchors)
	e.cards = cards.New(e.store, e.clock, e.people, e.pki, e.live)
	e.orders = orders.New(e.store, e.clock, e.people, e.cards, e.pki, e.outbox, e.live)
	e.clients = clients.New(e.store)
	e.journal = journal.New(e.clock)
	return nil
}

// certificatesIn reads the PEM file that a setting names, "" for none.
func certificatesIn(file, setting string) ([]*x509.Certificate, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	var out []*x509.Certificate
	if err == nil {
		out, err = pki.ParsePEM(pem)
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, setting+"-unusable", "the file of the setting "+setting+" cannot be read").Got(file + ": " + err.Error()).Want("certificates in PEM form")
	}
	return out, nil
}

// prepare makes or loads what must be there before the first request; keys
// are generated side by side.
func (e *emulator) prepare(ctx context.Context) (server tls.Certificate, ca *x509.Certificate, err error) {
	auth := &clients.Authenticator{Registry: e.clients, PKI: e.pki, Settings: e.live}
	cfg := &oidc.Config{Issuer: e.baseURL() + provider.RealmPath, Clock: e.clock, Settings: e.live, People: e.people, Decision: func(ctx context.Context, request string) (ecps.State, error) {
		r, err := e.ecps.Request(ctx, request)
		if err != nil {
			return "", err
		}
		return r.State, nil
	}}
	names := slices.Concat([]string{"localhost", "127.0.0.1", "::1", e.publicHost()}, e.settings.HostNames(), provider.RealHosts())
	err = parallel(
		func() (err error) { e.oidc, err = oidc.New(ctx, cfg, e.store, e.clients, auth.Authenticate); return },
		func() (err error) { server, ca, err = e.pki.ServerCertificate(ctx, names); return },
		func() error { return e.demoClient(ctx) },
		func() error { return e.personas(ctx) },
	)
	return server, ca, err
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

// seeded marks what a fresh data folder received once.
var seeded = store.Collection[bool]("seeded")

func (e *emulator) once(ctx context.Context, what string, do func() error) error {
	if done, err := seeded.Load(ctx, e.store, what); err == nil && done {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	return seeded.Save(ctx, e.store, what, true, store.Forever)
}

func (e *emulator) personas(ctx context.Context) error {
	if err := e.once(ctx, "cards-index", func() error { return e.cards.Index(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "revoked-index", func() error { return e.pki.Index(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "magic", func() error { return e.magic(ctx) }); err != nil {
		return err
	}
	return e.once(ctx, "personas", func() error {
		var steps []func() error
		for _, p := range identities.Personas() {
			steps = append(steps, func() error {
				if err := e.people.Put(ctx, &p.Identity); err != nil {
					return err
				}
				if p.ECPS {
					if _, err := e.ecps.Activate(ctx, p.NationalID, cards.DefaultPIN); err != nil {
						return err
					}
				}
				if p.Card == "" {
					return nil
				}
				_, err := e.cards.Issue(ctx, p.NationalID, p.Card, "")
				return err
			})
		}
		return parallel(steps...) // the store commits them together
	})
}

// magic makes the people whose number decides the outcome.
func (e *emulator) magic(ctx context.Context) error {
	var people []identities.Identity
	var steps []func() error
	for _, m := range identities.MagicPeople() {
		i := m.Identity()
		people = append(people, *i)
		steps = append(steps, func() error { return e.cards.IssueIn(ctx, i, cards.State(cmp.Or(m.CardState, string(cards.Active)))) })
	}
	steps = append(steps, func() error { return e.people.PutAll(ctx, people) }, func() error { return e.ecps.ActivateAll(ctx, people, cards.DefaultPIN) })
	return parallel(steps...)
}

// demoClient registers the demo client once, and keeps its certificate valid.
func (e *emulator) demoClient(ctx context.Context) error {
	err := e.once(ctx, "demo-client", func() error {
		return e.clients.Put(ctx, &clients.Client{ID: demoID, Name: "Application de démonstration", Secret: rand.Text(), RedirectURIPolicy: clients.Loopback, DeliveryMode: clients.Poll,
			RedirectURIs: []string{"http://localhost:8080/callback"}, PostLogoutRedirectURIs: []string{"http://localhost:8080/"}})
	})
	if err != nil {
		return err
	}
	return e.demoCertificate(ctx)
}

var demoSerial = store.Collection[string]("demo-certificate")

func (e *emulator) demoCertificate(ctx context.Context) error {
	subject := console.ClientSubject(demoID)
	serial, err := demoSerial.Load(ctx, e.store, "serial")
	var cert *pki.Certificate
	switch {
	case errors.Is(err, store.ErrNotFound):
		cert, err = e.pki.Issue(ctx, pki.Order{Profile: "AUTH_CLI", Subject: subject, ClientID: demoID})
	case err == nil:
		// The authority is needed to judge any client's certificate.
		if _, err = e.pki.Authority(ctx, "el-org"); err != nil {
			return err
		}
		if _, err = e.pki.Authority(ctx, "el-root"); err != nil {
			return err
		}
		if cert, err = e.pki.Certificate(ctx, serial); err == nil {
			cert, err = e.pki.Renew(ctx, cert, subject)
		}
	}
	if err != nil {
		return err
	}
	if cert.Serial == serial && exists(e.path("demo.pem")) && exists(e.path("demo.key")) && exists(e.path("demo.p12")) {
		return nil
	}
	return errors.Join(e.writeCertificate(ctx, cert, e.data, "demo"), demoSerial.Save(ctx, e.store, "serial", cert.Serial, store.Forever))
}

func (e *emulator) writeCertificate(ctx context.Context, cert *pki.Certificate, dir, name string) error {
	pem, key, err := e.pki.PEM(ctx, cert)
	if err != nil {
		return err
	}
	p12, err := e.pki.PKCS12(ctx, cert, "pscemu")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, name+".pem"), pem, 0o644), os.WriteFile(filepath.Join(dir, name+".key"), key, 0o600), os.WriteFile(filepath.Join(dir, name+".p12"), p12, 0o600))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func (e *emulator) path(name string) string { return filepath.Join(e.data, name) }

// serve starts the three listeners and the background work.
func (e *emulator) serve(ctx context.Context, server tls.Certificate, ca *x509.Certificate) error {
	org, err := e.pki.OrgPool(ctx)
	if err != nil {
		return err
	}
	roots, err := e.outboundRoots(ca)
	if err != nil {
		return err
	}
	e.sender = delivery.New(ctx, e.store, e.clock, roots)
	e.provider = provider.New(provider.Config{BaseURL: e.baseURL(), CardURL: e.cardURL(), Hosts: e.settings.HostNames()}, provider.Parts{
		Settings: e.live, Store: e.store, Sender: e.sender, Clock: e.clock, OIDC: e.oidc, Clients: e.clients, Closing: e.closing,
		Auth: &clients.Authenticator{Registry: e.clients, PKI: e.pki, Settings: e.live}, People: e.people,
		ECPS: e.ecps, Cards: e.cards, PKI: e.pki, Logins: &login.Logins{Store: e.store, Instance: port(e.listen)}, Journal: e.journal})
	e.ready.APIToken = rand.Text()
	demo, err := e.demo(ctx, ca)
	if err != nil {
		return err
	}
	c := console.New(console.Parts{Clock: e.clock, People: e.people, ECPS: e.ecps, Outbox: e.outbox, Cards: e.cards, Orders: e.orders, PKI: e.pki, Clients: e.clients, Provider: e.provider, OIDC: e.oidc, Sender: e.sender, Journal: e.journal,
		Settings: e.live, Token: e.ready.APIToken, Version: version, Addr: e.console.Addr().String(), Demo: demo, Closing: e.closing})
	base := &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, ClientCAs: org, NextProtos: []string{"h2", "http/1.1"}}
	cardTLS := base.Clone()
	cardTLS.GetConfigForClient = e.cardTLS(base)
	// Before anything new can begin: what is under way then is an earlier run's.
	if err := e.provider.Resume(ctx); err != nil {
		return err
	}
	e.run(tls.NewListener(e.listen, base), e.provider.Handler())
	e.run(tls.NewListener(e.card, cardTLS), e.provider.CardHandler())
	e.run(e.console, c.Handler())
	go e.background(ctx)
	return nil
}

// outboundRoots are trusted when a client's registered address is called: the
// machine's own authorities, ours, and those of the setting.
func (e *emulator) outboundRoots(ca *x509.Certificate) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AddCert(ca)
	more, err := certificatesIn(e.settings.OutboundCA, "outbound-ca")
	for _, c := range more {
		roots.AddCert(c)
	}
	return roots, err
}

// cardTLS names the card authorities to browsers; they may still be in the
// making when the emulator has just started.
func (e *emulator) cardTLS(base *tls.Config) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	var mu sync.Mutex
	var ready *tls.Config
	return func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if ready == nil {
			pool, err := e.pki.CardPool(context.WithoutCancel(h.Context()))
			if err != nil {
				return nil, err
			}
			ready = base.Clone()
			ready.ClientCAs = pool
			ready.SessionTicketsDisabled = true // a card pulled out must not log in again
		}
		return ready, nil
	}
}

func (e *emulator) demo(ctx context.Context, ca *x509.Certificate) (*console.Demo, error) {
	client, err := e.clients.Get(ctx, demoID)
	if problem.Is(err, "client-unknown") {
		return nil, nil // somebody removed it
	}
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(e.path("demo.pem"), e.path("demo.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	e.ready.DemoClient = DemoClient{ClientID: demoID, ClientSecret: client.Secret, CertificateFile: e.path("demo.pem"), KeyFile: e.path("demo.key"), P12File: e.path("demo.p12"), RedirectURIs: client.RedirectURIs}
	return &console.Demo{ClientID: demoID, Secret: client.Secret, Issuer: e.baseURL() + provider.RealmPath, AuthorizeURL: e.baseURL() + "/auth",
		TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}, nil
}

func (e *emulator) run(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug)}
	e.servers = append(e.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("listener stopped", "address", l.Addr().String(), "error", err)
		}
	}()
}

// background makes what is not needed at once, then sweeps now and then.
func (e *emulator) background(ctx context.Context) {
	if err := e.pki.Warm(ctx); err != nil && ctx.Err() == nil {
		slog.Error("authorities", "error", err)
	}
	if _, err := e.oidc.JWKS(ctx); err != nil && ctx.Err() == nil {
		slog.Error("encryption key", "error", err)
	}
	debug.FreeOSMemory() // what starting needed is not needed any more
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := e.store.Sweep(ctx); err != nil {
				slog.Error("sweep", "error", err)
			}
		}
	}
}

// close finishes the requests under way, ten seconds at most.
func (e *emulator) close(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	close(e.closing)
	_ = parallel(func() (out []func() error) {
		for _, s := range e.servers {
			out = append(out, func() error {
				if err := s.Shutdown(ctx); err != nil {
					return s.Close()
				}
				return nil
			})
		}
		return out
	}()...)
	for _, l := range []net.Listener{e.listen, e.card, e.console} {
		if l != nil {
			_ = l.Close()
		}
	}
	if e.ready.PID != 0 {
		_ = os.Remove(e.path("ready.json"))
	}
	if e.sender != nil {
		e.sender.Wait()
	}
	if e.store != nil {
		_ = e.store.Close()
	}
}

// announce writes ready.json: from here on the emulator can be found.
func (e *emulator) announce(ctx context.Context, ca *x509.Certificate) error {
	if err := os.WriteFile(e.path("server-ca.pem"), pki.EncodePEM("CERTIFICATE", ca.Raw), 0o644); err != nil {
		return err
	}
	issuer := e.baseURL() + provider.RealmPath
	consoleURL := "http://" + e.console.Addr().String()
	r := &e.ready
	r.Version, r.PID, r.BaseURL, r.Issuer, r.Discovery = version, os.Getpid(), e.baseURL(), issuer, issuer+"/.well-known/wallet-openid-configuration"
	r.Listen = e.listen.Addr().String()
	r.CardURL, r.ConsoleURL, r.APIURL, r.CAFile = e.cardURL(), consoleURL, consoleURL+"/api/v1", e.path("server-ca.pem")
	for _, p := range identities.Personas() {
		i, err := e.people.Get(ctx, p.NationalID)
		if err != nil {
			continue // deleted meanwhile
		}
		row := PersonaRow{NationalID: i.NationalID, Name: i.Name(), Behaviour: string(i.Behaviour.Action), Means: []string{}}
		if p.ECPS {
			row.Means = append(row.Means, "ecps")
		}
		if p.Card != "" {
			row.Means = append(row.Means, "card")
		}
		r.Personas = append(r.Personas, row)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temp := e.path("ready.json.new")
	if err := os.WriteFile(temp, append(line, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.Rename(temp, e.path("ready.json")); err != nil {
		return fmt.Errorf("ready.json: %w", err)
	}
	return nil
}
