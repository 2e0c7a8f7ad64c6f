// Package bench puts load on an OpenID provider, ours or another, and tells what
// a complete login costs: its latency, and the processor time of the server.
package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Plan says how much load there is and for how long.
type Plan struct {
	Workers  int           // closed loop: users who begin anew as soon as they are done
	Rate     float64       // open loop: logins a second, at random moments; 0 for a closed loop
	Warm     time.Duration // not counted
	Duration time.Duration
	PIDs     []int // of the server, whose processor time and memory are read; none to leave that out
	// Limit measures the floor too, turn and turn about with the logins, so that
	// both meet the same machine.
	Limit bool
	// Tell is called a few times a second.
	Tell func(done, all time.Duration)
}

// Report is what was measured. Times are in milliseconds.
type Report struct {
	Loop   string  `json:"loop"` // closed or open
	Cost           // of a login
	Limit  *Cost   `json:"limit,omitempty"`      // of two RSA-2048 signatures and one TLS handshake
	Factor float64 `json:"cpu_factor,omitempty"` // processor time of a login, in limits
	RSS    float64 `json:"server_rss_mib"`       // at the end
	Peak   float64 `json:"server_peak_mib"`      // since the server started
	InTime float64 `json:"in_time,omitempty"`    // open loop: share of the logins that could begin when they should
}

// Cost is what one kind of work took.
type Cost struct {
	Count     int            `json:"count"`
	PerSecond float64        `json:"per_s"`
	P50       float64        `json:"p50_ms"`
	P90       float64        `json:"p90_ms"`
	P95       float64        `json:"p95_ms"`
	P99       float64        `json:"p99_ms"`
	Max       float64        `json:"max_ms"`
	CPU       float64        `json:"server_cpu_ms"` // of each
	Errors    map[string]int `json:"errors"`
}

// turn is how long logins and floor take turns.
const turn = 2 * time.Second

// Run puts the load on, until the plan is done or ctx ends.
func Run(ctx context.Context, p Plan, login func(context.Context) error) (*Report, error) {
	began := time.Now()
	all := p.Warm + p.Duration
	r := &Report{Loop: "closed"}
	if p.Rate > 0 {
		r.Loop = "open"
	}
	var limit *floor
	if p.Limit {
		all += p.Duration
		var err error
		if limit, err = startFloor(ctx); err != nil {
			return nil, err
		}
		defer limit.stop()
	}
	if p.Tell != nil {
		stop := p.tell(began, all)
		defer stop()
	}
	p.phase(ctx, p.Warm, login)
	logins, floors := &sample{}, &sample{}
	for left := p.Duration; left > 0 && ctx.Err() == nil; left -= turn {
		length := min(left, turn)
		if !p.Limit {
			length, left = left, 0
		}
		logins.add(p.PIDs, func() *outcome { return p.phase(ctx, length, login) })
		if p.Limit {
			closed := p
			closed.Rate = 0
			floors.add([]int{limit.pid}, func() *outcome { return closed.phase(ctx, length, limit.once) })
		}
	}
	r.Cost = logins.cost()
	if p.Rate > 0 && logins.started > 0 {
		r.InTime = 1 - float64(logins.late)/float64(logins.started)
	}
	if p.Limit {
		c := floors.cost()
		r.Limit = &c
		if c.CPU > 0 {
			r.Factor = r.CPU / c.CPU
		}
	}
	r.RSS, r.Peak = memory(p.PIDs)
	return r, ctx.Err()
}

func (p Plan) tell(began time.Time, all time.Duration) (stop func()) {
	tick, done := time.NewTicker(200*time.Millisecond), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				p.Tell(min(time.Since(began), all), all)
			case <-done:
				return
			}
		}
	}()
	return func() { tick.Stop(); close(done); p.Tell(all, all) }
}

// outcome gathers what the users of one phase saw.
type outcome struct {
	mu            sync.Mutex
	times         []float64
	errors        map[string]int
	started, late int
}

func (o *outcome) note(from time.Time, err error) {
	took := float64(time.Since(from).Microseconds()) / 1000
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.errors[err.Error()]++
		return
	}
	o.times = append(o.times, took)
}

// phase works for so long, and waits for what was begun.
func (p Plan) phase(ctx context.Context, length time.Duration, do func(context.Context) error) *outcome {
	o := &outcome{errors: map[string]int{}}
	end := time.Now().Add(length)
	if p.Rate > 0 {
		p.open(ctx, end, o, do)
		return o
	}
	var users sync.WaitGroup
	for range p.Workers {
		users.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				from := time.Now()
				o.note(from, do(ctx))
			}
		})
	}
	users.Wait()
	return o
}

// maxOpen bounds the logins under way in an open loop: where the server cannot
// keep up, the rest begins late, and its wait counts.
const maxOpen = 1000

// pause is the time between two moments of a Poisson process.
func (p Plan) pause() time.Duration {
	return time.Duration(rand.ExpFloat64() / p.Rate * float64(time.Second))
}

// open begins logins at the moments of a Poisson process, whatever became of
// those before, and counts their time from the moment they were due.
func (p Plan) open(ctx context.Context, end time.Time, o *outcome, do func(context.Context) error) {
	var users sync.WaitGroup
	room := make(chan struct{}, maxOpen)
	for due := time.Now(); due.Before(end) && ctx.Err() == nil; due = due.Add(p.pause()) {
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
		room <- struct{}{}
		o.started++
		if time.Since(due) > 10*time.Millisecond {
			o.late++
		}
		users.Go(func() {
			o.note(due, do(ctx))
			<-room
		})
	}
	users.Wait()
}

// sample adds up phases.
type sample struct {
	outcome
	cpu  float64 // ms
	time time.Duration
}

func (s *sample) add(pids []int, phase func() *outcome) {
	cpu, from := processorTime(pids), time.Now()
	o := phase()
	s.time += time.Since(from)
	s.cpu += processorTime(pids) - cpu
	s.times = append(s.times, o.times...)
	s.started, s.late = s.started+o.started, s.late+o.late
	if s.errors == nil {
		s.errors = map[string]int{}
	}
	for text, n := range o.errors {
		s.errors[text] += n
	}
}

func (s *sample) cost() Cost {
	slices.Sort(s.times)
	at := func(q float64) float64 {
		if len(s.times) == 0 {
			return 0
		}
		return s.times[int(q*float64(len(s.times)-1))]
	}
	c := Cost{Count: len(s.times), P50: at(.5), P90: at(.9), P95: at(.95), P99: at(.99), Max: at(1), Errors: s.errors}
	if s.time > 0 {
		c.PerSecond = float64(c.Count) / s.time.Seconds()
	}
	if c.Count > 0 {
		c.CPU = s.cpu / float64(c.Count)
	}
	return c
}
