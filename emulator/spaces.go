package emulator

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
)

// spacePath is what the paths of a space begin with: /s/NAME/…
const spacePath = "/s/"

// spaces are isolated worlds in memory on the same listeners, each below a path
// of its own, so that parallel suites never meet. One that nobody used for a
// while is dropped; that is measured on the machine's clock.
type spaces struct {
	ctx    context.Context
	server *Server

	mu  sync.Mutex
	all map[string]*space
}

type space struct {
	name  string
	made  time.Time
	used  atomic.Int64 // Unix seconds
	ready chan struct{}
	world *Emulator // once ready is closed; nil when that failed
	busy  sync.WaitGroup
}

func newSpaces(ctx context.Context, s *Server) *spaces {
	return &spaces{ctx: ctx, server: s, all: map[string]*space{}}
}

var spaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Create makes a space; an empty name is chosen.
func (s *spaces) Create(ctx context.Context, name string) (*api.Space, error) {
	if name == "" {
		name = strings.ToLower(rand.Text()[:10])
	}
	if !spaceName.MatchString(name) {
		return nil, problem.SpaceNameInvalid.Got(name)
	}
	sp, err := s.reserve(name)
	if err != nil {
		return nil, err
	}
	world, err := s.build(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(sp.ready)
	if err != nil {
		delete(s.all, name)
		return nil, err
	}
	sp.world = world
	space := sp.describe()
	return &space, nil
}

func (s *spaces) reserve(name string) (*space, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[name] != nil {
		return nil, problem.SpaceExists.With("name", name).Got(name)
	}
	if most := s.server.options.Settings.MaxSpaces; len(s.all) >= most {
		return nil, problem.SpacesFull.Of()
	}
	sp := &space{name: name, made: time.Now(), ready: make(chan struct{})}
	sp.touch()
	s.all[name] = sp
	return sp, nil
}

func (s *spaces) build(name string) (*Emulator, error) {
	c, err := newClock(s.server.options.Settings)
	if err != nil {
		return nil, err
	}
	kept := store.NewMemory(c, store.Within(s.server.memory))
	e, err := newWorld(s.server.options.Version, s.server.options.Settings, c, kept, s.server.place(name))
	if err == nil {
		err = e.prepare(s.ctx)
	}
	if err == nil {
		e.ready.Listen, e.ready.CA = s.server.listen.Addr().
			String(),
			string(
				pki.EncodePEM("CERTIFICATE", s.server.ca.Raw),
			)
		err = e.open(s.ctx, s.server.ca, nil)
	}
	if err != nil {
		_ = kept.Close() // what it took of the memory is free again
		return nil, err
	}
	return e, nil
}

// describe is a space as the API shows it.
func (sp *space) describe() api.Space {
	return api.Space{Name: sp.name, MadeAt: sp.made.UTC(), UsedAt: time.Unix(sp.used.Load(), 0).UTC(),
		Ready: sp.world.Ready()}
}

func (sp *space) touch() { sp.used.Store(time.Now().Unix()) }

// List describes the spaces by name.
func (s *spaces) List() []api.Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []api.Space{}
	for _, sp := range s.all {
		if sp.world != nil {
			out = append(out, sp.describe())
		}
	}
	slices.SortFunc(out, func(a, b api.Space) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Get describes one space.
func (s *spaces) Get(name string) (*api.Space, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.all[name]; sp != nil && sp.world != nil {
		space := sp.describe()
		return &space, nil
	}
	return nil, unknownSpace(name)
}

func unknownSpace(name string) error {
	return problem.SpaceUnknown.Got(name)
}

// Drop ends a space and forgets all of it.
func (s *spaces) Drop(name string) error {
	s.mu.Lock()
	sp := s.all[name]
	if sp == nil || sp.world == nil {
		s.mu.Unlock()
		return unknownSpace(name)
	}
	delete(s.all, name)
	s.mu.Unlock()
	close(sp.world.closing)
	go func() {
		sp.busy.Wait() // the requests under way
		sp.world.close()
	}()
	return nil
}

// sweep drops what was not used for long, and returns the worlds that stay.
func (s *spaces) sweep() (stay []*Emulator) {
	oldest := time.Now().Add(-s.server.options.Settings.SpaceIdle).Unix()
	var idle []string
	s.mu.Lock()
	for name, sp := range s.all {
		switch {
		case sp.world == nil:
		case sp.used.Load() < oldest:
			idle = append(idle, name)
		default:
			stay = append(stay, sp.world)
		}
	}
	s.mu.Unlock()
	for _, name := range idle {
		_ = s.Drop(name)
	}
	return stay
}

func (s *spaces) closeAll() {
	s.mu.Lock()
	names := []string{}
	for name := range s.all {
		names = append(names, name)
	}
	s.mu.Unlock()
	for _, name := range names {
		_ = s.Drop(name)
	}
}

// beside serves the spaces' paths, and everything else from the server's own
// world.
func (s *spaces) beside(own http.Handler, of func(*Emulator) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, spacePath)
		if !ok {
			own.ServeHTTP(w, r)
			return
		}
		name, _, _ := strings.Cut(rest, "/")
		sp := s.enter(name)
		if sp == nil {
			p := problem.From(unknownSpace(name))
			web.WriteProblem(w, p.Kind.Status(), p)
			return
		}
		defer sp.busy.Done()
		web.Under(spacePath+name, of(sp.world)).ServeHTTP(w, r)
	})
}

// enter finds a space for a request, which must leave it again (busy.Done).
func (s *spaces) enter(name string) *space {
	s.mu.Lock()
	sp := s.all[name]
	s.mu.Unlock()
	if sp == nil {
		return nil
	}
	<-sp.ready
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp.world == nil || s.all[name] != sp {
		return nil
	}
	sp.touch()
	sp.busy.Add(1)
	return sp
}
