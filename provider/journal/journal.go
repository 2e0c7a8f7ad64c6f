// Package journal tells the story of each login: what came, what was judged,
// and why a refusal was a refusal. It lies in memory and is bounded, by logins
// and by bytes. What it shows of secrets is masked.
package journal

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

// Event is one step of a login.
type Event struct {
	Seq      int64             `json:"seq"` // counts all events of the journal
	Time     time.Time         `json:"time"`
	Kind     Kind              `json:"kind"`
	Code     string            `json:"code,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
	Problem  *problem.Error    `json:"problem,omitempty"`
	Exchange *Exchange         `json:"exchange,omitempty"` // the request it belongs to
}

// Login is one passage from authorize to logout.
type Login struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"client_id,omitempty"`
	NationalID string    `json:"national_id,omitempty"`
	Started    time.Time `json:"started"`
	Events     []Event   `json:"events"`
	Dropped    int       `json:"dropped_events,omitempty"` // how many more there were

	size int
}

// Limits bound the journal; the oldest logins go first.
type Limits struct {
	Logins int
	Bytes  int
}

const maxEvents = 100

// Journal keeps the latest logins.
type Journal struct {
	clock  clock.Clock
	limits Limits
	// Why is the address that explains a refusal, "" for none (strict).
	Why func(code, loginID string) string
	// Secret is a client's, to be masked wherever it turns up.
	Secret func(clientID string) string
	// Count hears of each event; code is the refusal's.
	Count func(kind Kind, code string)

	mu      sync.Mutex
	logins  map[string]*Login
	order   []string
	size    int
	seq     int64
	changed chan struct{} // closed and replaced at each event
}

// New makes an empty journal.
func New(c clock.Clock, l Limits) *Journal {
	return &Journal{
		clock:   c,
		limits:  l,
		Why:     func(string, string) string { return "" },
		Secret:  func(string) string { return "" },
		Count:   func(Kind, string) {},
		logins:  map[string]*Login{},
		changed: make(chan struct{}),
	}
}

// NewID makes a login id.
func NewID() string { return rand.Text() }

// Add writes an event of a login, "" for one of its own, and returns its id.
// err, when not nil, is the refusal it tells of. The request that ctx belongs
// to is kept with it. Secrets, codes and tokens never belong into detail.
func (j *Journal) Add(ctx context.Context, loginID string, kind Kind, detail map[string]string, err error) string {
	if loginID == "" {
		loginID = NewID()
	}
	r := recordingOf(ctx)
	e := Event{Time: j.clock.Now(), Kind: kind, Detail: bounded(r.maskDetail(detail))}
	if err != nil {
		e.Problem = boundedProblem(r.maskProblem(problem.From(err)))
		e.Code, e.Reason = e.Problem.Code, e.Problem.Error()
		slog.InfoContext(ctx, "refused", "login", loginID, "step", kind, "code", e.Code, "why", j.Why(e.Code, loginID))
	} else {
		slog.DebugContext(ctx, "step", "login", loginID, "step", kind)
	}
	j.Count(kind, e.Code)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("pscemu.login", loginID))
		span.AddEvent(string(kind), trace.WithAttributes(attribute.String("pscemu.code", e.Code)))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if r != nil && !r.done {
		if r.exchange == nil {
			r.exchange = &Exchange{}
		}
		e.Exchange = r.exchange
		r.keep, r.loginID = true, loginID
		if err != nil {
			r.explain(j.Why(e.Code, loginID))
		}
	}
	j.append(loginID, e)
	return loginID
}

// AddKept writes an event that no request of the login's own made, if the
// journal still keeps the login.
func (j *Journal) AddKept(loginID string, kind Kind, err error) {
	j.mu.Lock()
	kept := j.logins[loginID] != nil
	j.mu.Unlock()
	if kept {
		j.Add(context.Background(), loginID, kind, nil, err)
	} else {
		j.Count(kind, problem.From(err).Code)
	}
}

func (j *Journal) append(loginID string, e Event) {
	l := j.logins[loginID]
	if l == nil {
		l = &Login{ID: loginID, Started: e.Time}
		j.logins[loginID] = l
		j.order = append(j.order, loginID)
	}
	if id := e.Detail["client_id"]; id != "" {
		l.ClientID = id
	}
	if id := e.Detail["national_id"]; id != "" {
		l.NationalID = id
	}
	j.seq++
	e.Seq = j.seq
	if len(l.Events) < maxEvents {
		l.Events = append(l.Events, e)
		j.grow(l, e.size())
	} else {
		l.Dropped++
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// grow counts bytes of a login, and drops the oldest logins over the limits.
func (j *Journal) grow(l *Login, n int) {
	l.size += n
	j.size += n
	for len(j.order) > 1 && (len(j.order) > j.limits.Logins || j.size > j.limits.Bytes) {
		oldest := j.logins[j.order[0]]
		j.size -= oldest.size
		delete(j.logins, oldest.ID)
		j.order = j.order[1:]
	}
}

// Len is how many logins are kept.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.order)
}

// Page notes that a page was shown, once in a row.
func (j *Journal) Page(ctx context.Context, loginID, name string) {
	j.mu.Lock()
	l := j.logins[loginID]
	again := l == nil || len(l.Events) > 0 && l.Events[len(l.Events)-1].Detail["page"] == name
	j.mu.Unlock()
	if !again {
		j.Add(ctx, loginID, KindPage, map[string]string{"page": name}, nil)
	}
}

// Clear forgets everything.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.logins, j.order, j.size = map[string]*Login{}, nil, 0
}

// Get returns a copy of one login, nil when it is not kept (any more).
func (j *Journal) Get(id string) *Login {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l := j.logins[id]; l != nil {
		return j.shown(l)
	}
	return nil
}

// shown is a copy with its exchanges, which mask what any of them shows to be
// secret.
func (j *Journal) shown(l *Login) *Login {
	c := l.copy(true)
	known := sync.OnceValue(func() *masker {
		m := &masker{}
		m.learn(j.Secret(c.ClientID))
		for _, e := range c.Events {
			if e.Exchange != nil {
				m.learnFrom(e.Exchange)
			}
		}
		return m
	})
	for _, e := range c.Events {
		if e.Exchange != nil {
			e.Exchange.secrets = known
		}
	}
	return c
}

// copy leaves the exchanges out unless they are wanted.
func (l *Login) copy(exchanges bool) *Login {
	c := *l
	c.Events = append([]Event(nil), l.Events...)
	for i := range c.Events {
		e := &c.Events[i]
		e.Detail = maps.Clone(e.Detail)
		if !exchanges {
			e.Exchange = nil
		} else if e.Exchange != nil {
			x := *e.Exchange
			e.Exchange = &x
		}
	}
	return &c
}

// Query chooses logins; empty fields fit everything.
type Query struct {
	Event    Kind   // of an event that it has
	Code     string // of that event, when it is a refusal
	Client   string
	Identity string
	Login    string
	After    int64 // seq that the event must lie behind
}

// QueryOf reads a query from URL parameters.
func QueryOf(q url.Values, after int64) Query {
	return Query{
		Event:    Kind(q.Get("event")),
		Code:     q.Get("code"),
		Client:   q.Get("client"),
		Identity: q.Get("identity"),
		Login:    q.Get("login"),
		After:    after,
	}
}

func (q Query) fits(l *Login) bool {
	if q.Client != "" && q.Client != l.ClientID || q.Identity != "" && q.Identity != l.NationalID ||
		q.Login != "" && q.Login != l.ID {
		return false
	}
	if q.Event == "" && q.Code == "" && q.After == 0 {
		return true
	}
	for _, e := range l.Events {
		if (q.Event == "" || e.Kind == q.Event) && (q.Code == "" || e.Code == q.Code) && e.Seq > q.After {
			return true
		}
	}
	return false
}

// List returns the latest logins that fit, newest first, without exchanges: those
// that began before the event with this number, 0 for all. It says where the
// list goes on, 0 at its end.
func (j *Journal) List(q Query, before int64, limit int) (out []*Login, next int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out = []*Login{}
	for i := len(j.order) - 1; i >= 0; i-- {
		l := j.logins[j.order[i]]
		if before != 0 && l.began() >= before || !q.fits(l) {
			continue
		}
		if len(out) == limit {
			return out, out[limit-1].began()
		}
		out = append(out, l.copy(false))
	}
	return out, 0
}

// began is the number of the login's first event.
func (l *Login) began() int64 { return l.Events[0].Seq }

// Fitting tells how many logins fit.
func (j *Journal) Fitting(q Query) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.logins {
		if q.fits(l) {
			n++
		}
	}
	return n
}

// Find returns the newest login that fits, nil for none, and a channel that is
// closed at the next event.
func (j *Journal) Find(q Query) (*Login, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.order) - 1; i >= 0; i-- {
		if l := j.logins[j.order[i]]; q.fits(l) {
			return j.shown(l), j.changed
		}
	}
	return nil, j.changed
}

// Wait returns the newest login that fits, waiting for one until ctx ends;
// then nil.
func (j *Journal) Wait(ctx context.Context, q Query) *Login {
	for {
		l, changed := j.Find(q)
		if l != nil {
			return l
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Last is the number of the latest event, and a channel closed at the next.
func (j *Journal) Last() (int64, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq, j.changed
}
