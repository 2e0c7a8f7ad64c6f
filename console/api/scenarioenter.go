package api

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/faults"
)

// Fresh is the world that a reset makes, before it takes the place of the one
// that serves.
type Fresh struct {
	Store    store.Store
	Clock    *clock.Adjustable
	Settings *config.Live
}

// Beginning is what a reset writes beside what is there at the start. Many says
// that it is too much for the memory.
type Beginning struct {
	Many bool
	// Write writes into the fresh world, and tells what to set beside it once it
	// has taken its place. When it fails nothing is changed.
	Write func(Fresh) (then func() error, err error)
}

// stage is where a scenario is carried out: the services over a store, with the
// clock and the settings of the scenario, which the world takes once it is done.
type stage struct {
	Services
	change   clock.Change
	settings map[string]string
	faults   []faults.Fault
}

// stageFor refuses a clock, settings and faults that the world could not take.
func (s *Scenarios) stageFor(at Fresh, sc *Scenario) (*stage, error) {
	st := &stage{Services: Services{Store: at.Store}, settings: Changes(sc.Settings).texts(""), faults: sc.Faults}
	var err error
	if st.change, err = sc.Clock.change(); err != nil {
		return nil, err
	}
	if st.Clock, err = at.Clock.With(st.change); err != nil {
		return nil, err
	}
	if st.Settings, err = at.Settings.With(st.settings); err != nil {
		return nil, err
	}
	if err := faults.Check(sc.Faults); err != nil {
		return nil, err
	}
	if len(sc.Faults) > 0 {
		if err := faultsAllowed(st.Settings); err != nil {
			return nil, err
		}
	}
	st.People = identities.New(st.Store)
	st.ECPS = ecps.New(st.Store, st.Clock, st.People, outbox.New(st.Store, st.Clock), st.Settings, s.URL+"/phone")
	st.Cards = cards.New(st.Store, st.Clock, st.People, s.PKI, st.Settings)
	st.Clients = clients.New(st.Store, st.Settings)
	return st, nil
}

// change is how the clock moves; it may be nil.
func (c *ScenarioClock) change() (to clock.Change, err error) {
	switch {
	case c == nil:
	case c.Now != nil:
		to.Now, to.Frozen = c.Now, &c.Frozen
	default:
		var d time.Duration
		if c.Offset != "" {
			d, err = clock.ParseOffset(c.Offset)
		}
		to.Offset = &d
	}
	return to, err
}

// take gives the world the clock, the settings and the faults of the scenario,
// which were judged before.
func (s *Scenarios) take(st *stage) error {
	if err := s.Settings.Patch(st.settings); err != nil {
		return err
	}
	if err := s.Faults.Replace(st.faults); err != nil {
		return err
	}
	return s.Clock.Apply(st.change)
}

// enter makes the situation, all of it or nothing: what is stored is written by
// one command over services that have the scenario's clock and settings; the
// world takes these when it is stored.
func (s *Scenarios) enter(ctx context.Context, sc *readingScenario, reset bool, j *Job) error {
	s.entering.Lock()
	defer s.entering.Unlock()
	if reset {
		return s.State.Reset(ctx, &Beginning{Many: sc.large(), Write: func(fresh Fresh) (func() error, error) {
			return s.enterFresh(ctx, fresh, sc, j)
		}})
	}
	st, err := s.stageFor(Fresh{s.Store, s.Clock, s.Settings}, &sc.Scenario)
	if err != nil {
		return err
	}
	err = st.enter(ctx, sc, func(n int, fn func(store.Step) error) error {
		return identities.InBatches(ctx, s.Store, "scenario", n, fn)
	}, j)
	if err != nil {
		return err
	}
	return s.take(st)
}

// large tells whether so much is written that it would fill the memory.
func (sc *readingScenario) large() bool {
	n := sc.people.Len() + len(sc.Clients)
	for _, g := range sc.Generate {
		n += g.Count
	}
	return n > 2000
}

// enterFresh writes into the world that a reset makes, which nobody else sees.
func (s *Scenarios) enterFresh(ctx context.Context, fresh Fresh, sc *readingScenario, j *Job) (func() error, error) {
	st, err := s.stageFor(fresh, &sc.Scenario)
	if err != nil {
		return nil, err
	}
	err = st.enter(ctx, sc, func(_ int, fn func(store.Step) error) error {
		return fn(func(one func(store.Tx) error) error { return st.Store.Update(ctx, one) })
	}, j)
	return func() error { return s.take(st) }, err
}

// EnterText makes the situation that a short text tells.
func (s *Scenarios) EnterText(ctx context.Context, text string, reset bool) error {
	sc, err := readScenario(strings.NewReader(text))
	if err != nil {
		return err
	}
	defer sc.close()
	return s.enter(ctx, sc, reset, nil)
}

// check refuses what cannot be right, whatever is stored.
func (sc *readingScenario) check() error {
	for n := range sc.Clients {
		if err := sc.Clients[n].Validate(); err != nil {
			return err
		}
	}
	for n := range sc.Generate {
		if _, err := sc.Generate[n].generator(); err != nil {
			return err
		}
	}
	return sc.eachPerson(1, func(p []ScenarioPerson) error { return p[0].check() })
}

func (p *ScenarioPerson) check() error {
	for _, card := range p.Cards {
		if _, err := cards.FamilyNamed(card.Type); err != nil {
			return err
		}
	}
	if p.known() {
		return identities.CheckNationalID(p.NationalID)
	}
	return p.Validate()
}

// runner runs a command about n entries by its steps.
type runner func(n int, command func(store.Step) error) error

// enter writes what the scenario stores. It plans before it writes, and plans
// again when others took a number meanwhile.
func (st *stage) enter(ctx context.Context, sc *readingScenario, run runner, j *Job) error {
	for {
		made, n, err := st.plan(ctx, sc.Generate)
		if err != nil {
			return err
		}
		n += len(sc.Clients) + sc.people.Len() + 1
		err = run(n, func(do store.Step) error { return st.write(do, sc, made, n, j) })
		if !identities.Again(err) {
			return err
		}
	}
}

// plan finds the people to generate, and how many they are.
func (st *stage) plan(ctx context.Context, orders []Generation) (made [][]identities.Identity, n int, err error) {
	taken := map[string]bool{}
	for k := range orders {
		g, err := orders[k].generator()
		if err != nil {
			return nil, 0, err
		}
		found, err := st.People.Plan(ctx, g, orders[k].From, orders[k].Count, taken)
		if err != nil {
			return nil, 0, err
		}
		for _, i := range found.People {
			taken[i.NationalID] = true
		}
		made, n = append(made, found.People), n+orders[k].Count
	}
	return made, n, nil
}

// write is the command: clients, generated people, people, the reader.
func (st *stage) write(do store.Step, sc *readingScenario, made [][]identities.Identity, total int, j *Job) error {
	done := 0
	count := func(n int) { done += n; j.Progress(done, total) }
	for page := range slices.Chunk(sc.Clients, identities.Batch) {
		if err := do(func(tx store.Tx) error { return st.clientsIn(tx, page) }); err != nil {
			return err
		}
		count(len(page))
	}
	for k, people := range made {
		if err := st.People.Admit(do, people, Equip(st.ECPS, st.Cards, sc.Generate[k].Means)); err != nil {
			return err
		}
		count(len(people))
	}
	err := sc.eachPerson(identities.Batch, func(page []ScenarioPerson) error {
		defer count(len(page))
		return do(func(tx store.Tx) error { return st.peopleIn(tx, page) })
	})
	if err != nil || sc.Reader == "" {
		return err
	}
	return do(func(tx store.Tx) error { return st.readerIn(tx, sc.Reader) })
}

func (st *stage) clientsIn(tx store.Tx, page []clients.Client) error {
	for n := range page {
		if err := st.Clients.PutIn(tx, &page[n]); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) peopleIn(tx store.Tx, page []ScenarioPerson) error {
	for n := range page {
		if err := st.personIn(tx, &page[n]); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) personIn(tx store.Tx, p *ScenarioPerson) error {
	if p.known() {
		if _, err := st.People.ReadIn(tx, p.NationalID); err != nil {
			return err
		}
		if p.Behaviour.Action != "" {
			if err := st.People.SetBehaviourIn(tx, p.NationalID, p.Behaviour); err != nil {
				return err
			}
		}
	} else {
		if p.Exercises == nil {
			p.Exercises = []identities.Exercise{}
		}
		if err := st.People.PutIn(tx, &p.Identity); err != nil {
			return err
		}
	}
	if err := st.ecpsIn(tx, p); err != nil {
		return err
	}
	for _, card := range p.Cards {
		if err := st.cardIn(tx, p.NationalID, card); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) ecpsIn(tx store.Tx, p *ScenarioPerson) error {
	if p.ECPS == "" {
		return nil
	}
	device, err := st.ECPS.DeviceIn(tx, p.NationalID)
	there := err == nil
	switch {
	case err != nil && !problem.Is(err, problem.ECPSUnknown):
		return err
	case p.ECPS == "none" && !there, there && device.Code == p.ECPS && !device.Blocked():
		return nil
	case p.ECPS == "none":
		return st.ECPS.RemoveIn(tx, p.NationalID, "deleted")
	}
	_, err = st.ECPS.ActivateIn(tx, p.NationalID, p.ECPS)
	return err
}

// cardIn issues the card, unless the person has it already.
func (st *stage) cardIn(tx store.Tx, nationalID string, wanted ScenarioCard) error {
	if wanted.State == "" {
		wanted.State = cards.Active
	}
	all, err := st.Cards.OfIn(tx, nationalID, "", math.MaxInt)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(c cards.Card) bool { return c.Type == wanted.Type && c.State == wanted.State }) {
		return nil
	}
	r := cards.Request{NationalID: nationalID, Type: wanted.Type, PIN: wanted.PIN, State: wanted.State}
	_, err = st.Cards.IssueIn(tx, r)
	return err
}

func (st *stage) readerIn(tx store.Tx, nationalID string) error {
	all, err := st.Cards.OfIn(tx, nationalID, "", 1)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problem.CardNone.Got(nationalID)
	}
	_, err = st.Cards.InsertIn(tx, all[0].Serial)
	return err
}
