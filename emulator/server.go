package emulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/console"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/provider/site"
)

// Options are what a server is started with.
type Options struct {
	Settings *config.Loaded
	Version  string
	// Store is the one to use instead of the data folder's; no file is written
	// then. Clock is its clock.
	Store store.Store
	Clock *clock.Adjustable
	// Tracer, unless nil, gets a span of each request.
	Tracer *telemetry.Tracer
	// Opened, unless nil, hears of each new link to the console once the former
	// was used.
	Opened func(openURL string)
}

// Server is the process: the listeners, its own world, and the spaces.
type Server struct {
	options Options
	world   *Emulator
	spaces  *spaces
	memory  *store.Budget // of all that is kept there, the spaces too
	ca      *x509.Certificate

	listen, card, console net.Listener
	servers               []*http.Server
}

// Start opens everything; when it returns all listeners accept.
func Start(ctx context.Context, o Options) (s *Server, err error) {
	s = &Server{options: o, memory: store.NewBudget(o.Settings.InMemory())}
	defer func() {
		if err != nil {
			s.Close(ctx)
		}
	}()
	if s.options.Clock == nil {
		if s.options.Clock, err = newClock(o.Settings); err != nil {
			return s, err
		}
	}
	in, err := s.folder()
	if err != nil {
		return s, err
	}
	if err := s.openListeners(); err != nil {
		return s, err
	}
	if err := s.openWorld(ctx, in); err != nil {
		return s, err
	}
	if in == "" {
		return s, nil
	}
	if err := in.keep("server-ca.pem", pki.EncodePEM("CERTIFICATE", s.ca.Raw), 0o644); err != nil {
		return s, err
	}
	return s, s.world.announce()
}

// newClock is a clock as far from the machine's as the settings say.
func newClock(l *config.Loaded) (*clock.Adjustable, error) {
	c := &clock.Adjustable{}
	offset, err := clock.ParseOffset(l.ClockOffset)
	if err != nil {
		return nil, err
	}
	return c, c.Start(offset)
}

// folder takes the data folder and what is kept in it, unless the caller
// brought a store of its own.
func (s *Server) folder() (folder, error) {
	if s.options.Store != nil {
		return "", nil
	}
	dir, err := s.options.Settings.DataDir()
	if err != nil {
		return "", err
	}
	in := folder(dir)
	if err := in.make(); err != nil {
		return "", err
	}
	if err := in.guard(s.options.Settings.Strict); err != nil {
		return "", err
	}
	if s.options.Settings.Memory {
		s.options.Store = store.NewMemory(s.options.Clock, store.Within(s.memory))
		return in, in.unused()
	}
	bolt, err := store.OpenBolt(in.path(database), s.options.Clock, store.Limit(s.options.Settings.Store()))
	if err == nil {
		s.options.Store = bolt
	}
	return in, err
}

func (s *Server) openListeners() (err error) {
	set := s.options.Settings
	for _, l := range []struct {
		to      *net.Listener
		address string
		setting string
	}{
		{&s.listen, set.Listen, "listen"},
		{&s.card, set.CardListen, "card-listen"},
		{&s.console, set.ConsoleListen, "console-listen"},
	} {
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return problem.AddressTaken.With("address", l.address).With("setting", l.setting).Got(err.Error())
		}
	}
	return nil
}

func port(l net.Listener) string {
	_, p, _ := net.SplitHostPort(l.Addr().String())
	return p
}

// place is where the world with this name is shown; "" is the server's own.
func (s *Server) place(name string) place {
	at := place{
		base:     s.options.Settings.PublicURL,
		console:  "http://" + s.console.Addr().String(),
		instance: port(s.listen),
	}
	if at.base == "" {
		at.base = "https://localhost:" + port(s.listen)
	}
	at.card = "https://" + hostOf(at.base) + ":" + port(s.card)
	if name != "" {
		at.root = spacePath + name
		at.base, at.card, at.console, at.instance = at.base+at.root, at.card+at.root, at.console+at.root, at.instance+"-"+name
	}
	return at
}

// openWorld makes the server's own world and serves it, beside the spaces.
func (s *Server) openWorld(ctx context.Context, in folder) error {
	if err := store.Recover(ctx, s.options.Store); err != nil {
		return err
	}
	at := s.place("")
	at.folder = in
	e, err := newWorld(s.options.Version, s.options.Settings, s.options.Clock, s.options.Store, at)
	if err != nil {
		return err
	}
	s.world, e.tracer, e.opened = e, s.options.Tracer, s.options.Opened
	names := slices.Concat(
		[]string{"localhost", "127.0.0.1", "::1", hostOf(at.base)},
		s.options.Settings.HostNames(),
		site.RealHosts(),
	)
	var certificate tls.Certificate
	err = e.prepare(ctx, func() (err error) {
		certificate, s.ca, err = e.pki.ServerCertificate(ctx, names)
		return err
	})
	if err != nil {
		return err
	}
	if err := e.follow(ctx); err != nil {
		return err
	}
	s.spaces = newSpaces(ctx, s)
	e.ready.Listen = s.listen.Addr().String()
	if in != "" {
		e.ready.CAFile = in.path("server-ca.pem")
	} else {
		e.ready.CA = string(pki.EncodePEM("CERTIFICATE", s.ca.Raw))
	}
	if err := e.open(ctx, s.ca, s.spaces); err != nil {
		return err
	}
	return s.serve(ctx, certificate)
}

// serve starts the three listeners and the background work.
func (s *Server) serve(ctx context.Context, certificate tls.Certificate) error {
	org, err := s.world.pki.OrgPool(ctx)
	if err != nil {
		return err
	}
	base := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		ClientAuth:   tls.RequestClientCert,
		ClientCAs:    org,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	cardTLS := base.Clone()
	cardTLS.GetConfigForClient = s.cardTLS(base)
	s.run(
		"protocol",
		s.listen,
		base,
		s.spaces.beside(s.world.protocol, func(e *Emulator) http.Handler { return e.protocol }),
	)
	s.run("card", s.card, cardTLS, s.spaces.beside(s.world.card, func(e *Emulator) http.Handler { return e.card }))
	s.run(
		"console",
		s.console,
		nil,
		s.spaces.beside(s.world.console, func(e *Emulator) http.Handler { return e.console }),
	)
	go s.background(ctx)
	return nil
}

// cardTLS names the card authorities to browsers; they may still be in the
// making when the emulator has just started. The spaces' authorities have the
// same names.
func (s *Server) cardTLS(base *tls.Config) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	var mu sync.Mutex
	var ready *tls.Config
	return func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if ready == nil {
			pool, err := s.world.pki.CardPool(context.WithoutCancel(h.Context()))
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

// run serves a listener, over TLS unless t is nil.
func (s *Server) run(name string, l net.Listener, t *tls.Config, h http.Handler) {
	limits := s.options.Settings.Limits
	most := limits.MaxConnections
	bounds := newListener(most, limits.MaxStreams, limits.RequestTimeout)
	s.world.metrics.Gauge(
		`pscemu_connections_open{listener="`+name+`"}`,
		func() float64 { return float64(bounds.count()) },
	)
	s.world.metrics.Gauge(
		`pscemu_streams_open{listener="`+name+`"}`,
		func() float64 { return float64(len(bounds.streams)) },
	)
	l = netutil.LimitListener(l, most+most/10+8) // beyond those that are told, others wait
	if t != nil {
		l = tls.NewListener(l, t)
	}
	server := &http.Server{
		Handler: bounds.guard(h), ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return bounds.enter(console.ConnContext(ctx, conn), conn)
		}, ConnState: bounds.follow,
		ReadHeaderTimeout: limits.RequestTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: limits.Header(),
		HTTP2:    &http.HTTP2Config{WriteByteTimeout: limits.RequestTimeout},
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, server)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("listener stopped", "address", l.Addr().String(), "error", err)
		}
	}()
}

// Warm makes what is not needed at once: authorities and keys that are otherwise
// made at first use.
func (s *Server) Warm(ctx context.Context) { s.world.warm(ctx) }

// background makes what is not needed at once, then sweeps now and then.
func (s *Server) background(ctx context.Context) {
	if s.world.at.folder != "" {
		s.world.warm(ctx)
		debug.FreeOSMemory() // what starting needed is not needed any more
	}
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.world.closing:
			return
		case <-tick.C:
			for _, e := range append(s.spaces.sweep(), s.world) {
				e.sweep(ctx)
			}
		}
	}
}

// Ready is what a client or a test needs to use the server's own world.
func (s *Server) Ready() Ready { return s.world.Ready() }

// Close finishes the requests under way, ten seconds at most.
func (s *Server) Close(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	if s.world != nil {
		close(s.world.closing)
	}
	if s.spaces != nil {
		s.spaces.closeAll()
	}
	var steps []func() error
	for _, server := range s.servers {
		steps = append(steps, func() error {
			if err := server.Shutdown(ctx); err != nil {
				return server.Close()
			}
			return nil
		})
	}
	_ = parallel(steps...)
	for _, l := range []net.Listener{s.listen, s.card, s.console} {
		if l != nil {
			_ = l.Close()
		}
	}
	switch {
	case s.world != nil:
		s.world.withdraw()
		s.world.close()
	case s.options.Store != nil:
		_ = s.options.Store.Close()
	}
}
