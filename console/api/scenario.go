package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/faults"
)

// Scenarios makes situations and tells the present one.
type Scenarios struct {
	Services
	State State
	Jobs  *Jobs
	Demo  string // client_id of the demo client, "" for none
	URL   string // of the console

	entering sync.Mutex // one scenario at a time
}

// Services are what a scenario is carried out with.
type Services struct {
	Store    store.Store
	Clock    *clock.Adjustable
	Settings *config.Live
	People   *identities.People
	ECPS     *ecps.Phones
	Cards    *cards.Cards
	Clients  *clients.Registry
	PKI      *pki.PKI
	Faults   *faults.Set
}

// Scenario is a situation to test in: what differs from a fresh emulator. It
// is a short YAML file, or a link.
type Scenario struct {
	Name     string            `json:"name,omitempty"`
	About    string            `json:"about,omitempty"`
	Clock    *ScenarioClock    `json:"clock,omitempty"`
	Settings map[string]any    `json:"settings,omitempty"`
	Clients  []clients.Client  `json:"clients,omitempty"`
	Generate []Generation      `json:"generate,omitempty"`
	People   []json.RawMessage `json:"people,omitempty"` // each a ScenarioPerson: they may be many
	Reader   string            `json:"reader,omitempty"` // national id of whose card is in the reader
	Faults   []faults.Fault    `json:"faults,omitempty"`
}

// ScenarioClock is what the clock shows: one of the two.
type ScenarioClock struct {
	Now    *time.Time `json:"now,omitempty"` // it stands still there when Frozen
	Frozen bool       `json:"frozen,omitempty"`
	Offset string     `json:"offset,omitempty"`
}

// ScenarioPerson is somebody who is there, or is changed: with a national id
// alone and a behaviour a person who is there behaves so.
type ScenarioPerson struct {
	identities.Identity
	ECPS  string         `json:"ecps,omitempty"` // the code of an e-CPS; "none" takes it away
	Cards []ScenarioCard `json:"cards,omitempty"`
}

// known tells whether the person is to be there already.
func (p *ScenarioPerson) known() bool { return p.FamilyName == "" && p.GivenName == "" }

// ScenarioCard is a card of a person.
type ScenarioCard struct {
	Type  cards.Type  `json:"type"`
	PIN   string      `json:"pin,omitempty"`
	State cards.State `json:"state,omitempty"` // active when empty
}

type loadScenario struct {
	// Reset begins with the personas alone.
	Reset bool `query:"reset"`
	// Async answers at once with a job.
	Async bool      `query:"async"`
	Body  io.Reader `body:"application/yaml,application/json"`
}

type saveScenario struct {
	// Format is yaml or json; yaml when it is left out.
	Format string `query:"format"`
}

// load makes a situation and answers with what it read.
func (s *Scenarios) load(c context.Context, in *loadScenario) (Stream, error) {
	scratch, err := spooled(in.Body)
	if err != nil {
		return nil, err
	}
	defer scratch.Close()
	raw, err := scratch.Open()
	if err != nil {
		return nil, err
	}
	sc, err := readScenario(raw)
	if err != nil {
		return nil, err
	}
	if in.Async {
		return s.loadLater(sc, in.Reset)
	}
	if err := s.enter(c, sc, in.Reset, nil); err != nil {
		sc.close()
		return nil, err
	}
	return func(c echo.Context) error {
		defer sc.close()
		return answerScenario(c, http.StatusCreated, "json", &sc.Scenario, sc.people.Lines)
	}, nil
}

// loadLater makes a situation in a job.
func (s *Scenarios) loadLater(sc *readingScenario, reset bool) (Stream, error) {
	j, err := s.Jobs.Start("scenario", "", func(ctx context.Context, j *Job) (any, error) {
		defer sc.close()
		return nil, s.enter(ctx, sc, reset, j)
	})
	if err != nil {
		sc.close()
		return nil, err
	}
	return accepted(j), nil
}

func (s *Scenarios) current(c context.Context, in *saveScenario) (Stream, error) {
	return s.saved(c, in.Format)
}

// Save answers with the present situation.
func (s *Scenarios) Save(c echo.Context) error {
	out, err := s.saved(c.Request().Context(), c.QueryParam("format"))
	if err != nil {
		return err
	}
	return out(c)
}

// saved writes the present situation as it is read: people are not gathered.
func (s *Scenarios) saved(ctx context.Context, format string) (Stream, error) {
	sc, err := s.around(ctx)
	if err != nil {
		return nil, err
	}
	people := func(fn func([]byte) error) error { return s.changedPeople(ctx, fn) }
	return func(c echo.Context) error {
		if format == "json" {
			return answerScenario(c, http.StatusOK, "json", sc, people)
		}
		attachment(c, "scenario.yaml", "application/yaml")
		return answerScenario(c, http.StatusOK, "yaml", sc, people)
	}, nil
}

func (s *Scenarios) operations() []Operation {
	return of("scenarios",
		operation("GET", "/scenarios/current", "getScenario", "Get the present situation as a scenario", s.current,
			answers("application/yaml", "the scenario"), answersA[Scenario](200, "the scenario"),
			example(Example{Query: map[string]string{"format": "json"}})),
		operation(
			"POST",
			"/scenarios",
			"loadScenario",
			"Load a scenario",
			s.load,
			says("YAML or JSON, all of it or nothing."),
			answersA[Scenario](201, "what was read"),
			answersA[JobView](202, "with async: the job that loads it"),
			wholePerson, refuses(problem.CardState, problem.PINForm, problem.ECPSCodeForm, problem.CardCPFNotStudent,
				problem.SettingStrict, problem.DoorsStrict),
			refuses(
				problem.ScenarioUnreadable,
				problem.JobsTooMany,
				problem.StoreClaimed,
				problem.StoreReplaced,
				problem.RestoreRunning,
				problem.IdentityUnknown,
				problem.NationalIDInvalid,
				problem.CardTypeUnknown,
				problem.CardNone,
				problem.ClientIDInvalid,
				problem.CountInvalid,
				problem.SettingUnknown,
				problem.SettingInvalid,
				problem.FaultUnknown,
				problem.DoorClosed,
				problem.OffsetInvalid,
				problem.ClockOutOfRange,
			),
			example(Example{Kind: "application/yaml", Body: exampleScenario}),
		),
	)
}

func scenarioUnreadable(got string) error {
	return problem.ScenarioUnreadable.Got(got)
}
