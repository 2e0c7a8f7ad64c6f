// Package faults makes things go wrong on purpose: late, missing and wrong
// answers, for one client, one person, or the next requests.
package faults

import (
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// Fault is one order. Empty fields fit everything.
type Fault struct {
	ID       string   `json:"id"`
	Kind     Kind     `json:"kind"`                // a name of Table
	Endpoint Endpoint `json:"endpoint,omitempty"`  // HTTP faults: where they strike
	Client   string   `json:"client_id,omitempty"` // who asks
	Identity string   `json:"identity,omitempty"`  // national id of whom it is about
	Times    int      `json:"times,omitempty"`     // how often it strikes; 0 = until it is taken away
	Delay    string   `json:"delay,omitempty"`     // slow: a duration
	Status   int      `json:"status,omitempty"`    // status: the HTTP status
	Struck   int      `json:"struck,omitempty"`    // how often it has
}

// Endpoint is a place that HTTP faults can strike.
type Endpoint string

// The endpoints.
const (
	AtDiscovery     Endpoint = "discovery"
	AtJWKS          Endpoint = "jwks"
	AtAuthorize     Endpoint = "authorize"
	AtToken         Endpoint = "token"
	AtUserInfo      Endpoint = "userinfo"
	AtIntrospection Endpoint = "introspection"
	AtRevocation    Endpoint = "revocation"
	AtLogout        Endpoint = "logout"
	AtCIBA          Endpoint = "ciba"
	AtPAR           Endpoint = "par"
)

// Endpoints lists those that HTTP faults can strike.
var Endpoints = []Endpoint{
	AtDiscovery, AtJWKS, AtAuthorize, AtToken, AtUserInfo, AtIntrospection, AtRevocation, AtLogout, AtCIBA, AtPAR,
}

// Valid tells whether HTTP faults can strike there.
func (e Endpoint) Valid() bool { return slices.Contains(Endpoints, e) }

// Set are the faults in force.
type Set struct {
	// Open tells whether the door is; nil is open.
	Open func() bool

	mu     sync.Mutex
	all    []*Fault
	active atomic.Bool // lets the hot path pass without the lock
}

const most = 100

// check refuses an order that cannot be carried out.
func (f *Fault) check() error {
	kind, ok := Described(f.Kind)
	if !ok {
		return problem.FaultUnknown.With("accepted", problem.NearestOf(f.Kind, names())).Got(string(f.Kind))
	}
	switch {
	case f.Endpoint != "" && kind.Stage != HTTP:
		return problem.FaultEndpoint.With("kind", f.Kind).With("endpoint", f.Endpoint)
	case f.Endpoint != "" && !f.Endpoint.Valid():
		return problem.FaultEndpoint.Case("unknown").With("accepted", Endpoints).Got(string(f.Endpoint))
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return problem.FaultStatus.Got(strconv.Itoa(f.Status))
	case f.Times < 0:
		return problem.FaultTimes.Got(strconv.Itoa(f.Times))
	}
	if f.Delay != "" {
		if d, err := time.ParseDuration(f.Delay); err != nil || d < 0 || d > 5*time.Minute {
			return problem.FaultDelay.Got(f.Delay)
		}
	}
	return nil
}

func names() []string {
	var out []string
	for _, d := range Table {
		out = append(out, string(d.Name))
	}
	return out
}

// Check refuses what Replace would.
func Check(list []Fault) error { return (&Set{}).Replace(list) }

// Replace orders these faults instead of those in force: all of them, or none.
func (s *Set) Replace(list []Fault) error {
	if len(list) > most {
		return problem.FaultsMany.Got(strconv.Itoa(len(list)))
	}
	var all []*Fault
	for _, f := range list {
		if err := f.check(); err != nil {
			return err
		}
		f.ID, f.Struck = rand.Text()[:8], 0
		all = append(all, &f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
	s.active.Store(len(all) > 0)
	return nil
}

// List are the faults in force, with how often each has struck.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Fault{}
	for _, f := range s.all {
		out = append(out, *f)
	}
	return out
}

// Active tells whether any fault is in force.
func (s *Set) Active() bool {
	return s != nil && s.active.Load() && (s.Open == nil || s.Open())
}

// Take returns the first fault of a stage that fits, and counts it.
func (s *Set) Take(stage Stage, endpoint Endpoint, client, identity string) (Fault, bool) {
	if !s.Active() {
		return Fault{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.all {
		d, _ := Described(f.Kind)
		if d.Stage != stage || !fits(f.Endpoint, endpoint) || !fits(f.Client, client) ||
			!fits(f.Identity, identity) ||
			f.Times > 0 && f.Struck >= f.Times {
			continue
		}
		s.all[i].Struck++
		return *f, true
	}
	return Fault{}, false
}

func fits[T ~string](wanted, is T) bool { return wanted == "" || wanted == is }

// Late is how long a slow fault waits.
func (f Fault) Late() time.Duration {
	if d, err := time.ParseDuration(f.Delay); err == nil {
		return d
	}
	return 5 * time.Second
}

// HTTPStatus is the status a status fault answers.
func (f Fault) HTTPStatus() int {
	if f.Status == 0 {
		return 503
	}
	return f.Status
}
