package api

import (
	"context"
	"encoding/json"
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
	Generate []generation      `json:"generate,omitempty"`
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
	Type  string      `json:"type"`
	PIN   string      `json:"pin,omitempty"`
	State cards.State `json:"state,omitempty"` // active when empty
}

func (s *Scenarios) routes() []route {
	return []route{
		{"GET", "/scenarios/current", "The present situation as a scenario; ?format=yaml or json", s.save},
		{
			"POST",
			"/scenarios",
			"Load a scenario (YAML or JSON), all of it or nothing; ?reset=true begins with the personas alone; " +
				"?async=true answers 202 with a job",
			s.loadScenario,
		},
	}
}

// loadScenario makes a situation and answers with what it read.
func (s *Scenarios) loadScenario(c echo.Context) (any, error) {
	scratch, err := spooled(c)
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
	reset := c.QueryParam("reset") == "true"
	if c.QueryParam("async") == "true" {
		j, err := s.Jobs.Start("scenario", "", func(ctx context.Context, j *Job) (any, error) {
			defer sc.close()
			return nil, s.enter(ctx, sc, reset, j)
		})
		if err != nil {
			sc.close()
			return nil, err
		}
		return sent{}, accepted(c, j)
	}
	defer sc.close()
	if err := s.enter(ctx(c), sc, reset, nil); err != nil {
		return nil, err
	}
	return sent{}, answerScenario(c, http.StatusCreated, "json", &sc.Scenario, sc.people.Lines)
}

func (s *Scenarios) save(c echo.Context) (any, error) { return sent{}, s.Save(c) }

// Save answers with the present situation.
func (s *Scenarios) Save(c echo.Context) error {
	sc, err := s.around(ctx(c))
	if err != nil {
		return err
	}
	people := func(fn func([]byte) error) error { return s.changedPeople(ctx(c), fn) }
	if c.QueryParam("format") == "json" {
		return answerScenario(c, http.StatusOK, "json", sc, people)
	}
	attachment(c, "scenario.yaml", "application/yaml")
	return answerScenario(c, http.StatusOK, "yaml", sc, people)
}

func scenarioUnreadable(got string) error {
	return problem.ScenarioUnreadable.Got(got)
}
