package console

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/labstack/echo/v4"

	"pscemu/cards"
	"pscemu/clock"
	"pscemu/identities"
	"pscemu/problem"
	"pscemu/provider/clients"
	"pscemu/provider/faults"
	"pscemu/web"
)

// Scenario is a situation to test in: what differs from a fresh emulator. It
// is a short YAML file, or a link.
type Scenario struct {
	Name     string           `json:"name,omitempty"`
	About    string           `json:"about,omitempty"`
	Clock    *ScenarioClock   `json:"clock,omitempty"`
	Settings map[string]any   `json:"settings,omitempty"`
	Clients  []clients.Client `json:"clients,omitempty"`
	Generate []generation     `json:"generate,omitempty"`
	People   []ScenarioPerson `json:"people,omitempty"`
	Reader   string           `json:"reader,omitempty"` // national id of whose card is in the reader
	Faults   []faults.Fault   `json:"faults,omitempty"`
}

// ScenarioClock is what the clock shows: one of the two.
type ScenarioClock struct {
	Now    *time.Time `json:"now,omitempty"` // it stands still there when Frozen
	Frozen bool       `json:"frozen,omitempty"`
	Offset string     `json:"offset,omitempty"`
}

// ScenarioPerson is somebody who is there, or is changed: with a national id
// alone and a behaviour a person of before behaves so.
type ScenarioPerson struct {
	identities.Identity
	ECPS  string         `json:"ecps,omitempty"` // the code of an e-CPS; "none" takes it away
	Cards []ScenarioCard `json:"cards,omitempty"`
}

// ScenarioCard is a card of a person.
type ScenarioCard struct {
	Type  string      `json:"type"`
	PIN   string      `json:"pin,omitempty"`
	State cards.State `json:"state,omitempty"` // active when empty
}

func (s *Console) scenarioRoutes() []route {
	return []route{
		{"GET", "/scenarios/current", "The present situation as a scenario; ?format=yaml or json", s.saveScenario},
		{"POST", "/scenarios", "Load a scenario (YAML or JSON); ?reset=true begins with the personas alone", s.loadScenario},
	}
}

// parseScenario reads YAML, of which JSON is a part, and names what it does not
// know.
func parseScenario(raw []byte) (*Scenario, error) {
	asJSON, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return nil, problem.New(problem.Invalid, "scenario-unreadable", "the scenario is no YAML").Got(yaml.FormatError(err, false, true)).Want("what GET /api/v1/scenarios/current answers")
	}
	d := json.NewDecoder(bytes.NewReader(asJSON))
	d.DisallowUnknownFields()
	var sc Scenario
	if err := d.Decode(&sc); err != nil {
		return nil, problem.New(problem.Invalid, "scenario-unreadable", "the scenario cannot be read").Got(err.Error()).Want("name, about, clock, settings, clients, generate, people, reader, faults")
	}
	return &sc, nil
}

func (s *Console) loadScenario(c echo.Context) (any, error) {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, err
	}
	sc, err := parseScenario(raw)
	if err != nil {
		return nil, err
	}
	if c.QueryParam("reset") == "true" {
		if err := s.State.Reset(ctx(c)); err != nil {
			return nil, err
		}
	}
	return sc, s.enter(c, sc)
}

// enter makes the situation, part after part.
func (s *Console) enter(c echo.Context, sc *Scenario) error {
	steps := []func() error{
		func() error { return s.enterSettings(sc) },
		func() error { return s.orderFaults(sc.Faults) },
		func() error { return s.enterClock(sc.Clock) },
		func() error {
			for i := range sc.Clients {
				if err := s.Clients.Put(ctx(c), &sc.Clients[i]); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			for _, g := range sc.Generate {
				if _, err := s.generated(c, g); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			for i := range sc.People {
				if err := s.enterPerson(ctx(c), &sc.People[i]); err != nil {
					return err
				}
			}
			return nil
		},
		func() error { return s.enterReader(ctx(c), sc.Reader) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Console) enterSettings(sc *Scenario) error {
	if len(sc.Settings) == 0 {
		return nil
	}
	return s.Settings.Patch(texts(sc.Settings, ""))
}

func (s *Console) enterClock(at *ScenarioClock) error {
	switch {
	case at == nil:
	case at.Now != nil:
		return s.Clock.Set(*at.Now, at.Frozen)
	default:
		return s.Clock.Restore(clock.State{Offset: at.Offset})
	}
	return nil
}

func (s *Console) enterPerson(ctx context.Context, p *ScenarioPerson) error {
	if p.FamilyName == "" && p.GivenName == "" { // somebody of before
		if _, err := s.People.Get(ctx, p.NationalID); err != nil {
			return err
		}
		if p.Behaviour.Action != "" {
			if err := s.People.SetBehaviour(ctx, p.NationalID, p.Behaviour); err != nil {
				return err
			}
		}
	} else {
		if p.Exercises == nil {
			p.Exercises = []identities.Exercise{}
		}
		if err := s.People.Put(ctx, &p.Identity); err != nil {
			return err
		}
	}
	if err := s.enterECPS(ctx, p); err != nil {
		return err
	}
	for _, card := range p.Cards {
		if err := s.enterCard(ctx, p.NationalID, card); err != nil {
			return err
		}
	}
	return nil
}

func (s *Console) enterECPS(ctx context.Context, p *ScenarioPerson) error {
	device, err := s.ECPS.Device(ctx, p.NationalID)
	there := err == nil
	switch {
	case p.ECPS == "" || there && device.Code == p.ECPS && !device.Blocked():
		return nil
	case p.ECPS == "none" && there:
		return s.ECPS.Remove(ctx, p.NationalID, "deleted")
	case p.ECPS == "none":
		return nil
	}
	_, err = s.ECPS.Activate(ctx, p.NationalID, p.ECPS)
	return err
}

// enterCard issues the card, unless the person has it already.
func (s *Console) enterCard(ctx context.Context, nationalID string, wanted ScenarioCard) error {
	if wanted.State == "" {
		wanted.State = cards.Active
	}
	all, err := s.Cards.List(ctx, nationalID, "", 100)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(c cards.Card) bool { return c.Type == wanted.Type && c.State == wanted.State }) {
		return nil
	}
	_, err = s.Cards.Issue(ctx, cards.Request{NationalID: nationalID, Type: wanted.Type, PIN: wanted.PIN, State: wanted.State})
	return err
}

func (s *Console) enterReader(ctx context.Context, nationalID string) error {
	if nationalID == "" {
		return nil
	}
	all, err := s.Cards.List(ctx, nationalID, "", 1)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problem.New(problem.Conflict, "card-none", "this person has no card").Got(nationalID).Do("give one in the scenario: cards: [{type: CPS}]")
	}
	_, err = s.Cards.Insert(ctx, all[0].Serial)
	return err
}

func (s *Console) saveScenario(c echo.Context) (any, error) {
	sc, err := s.present(ctx(c))
	if err != nil || c.QueryParam("format") == "json" {
		return sc, err
	}
	text, err := sc.yaml()
	return file{"scenario.yaml", "application/yaml", text}, err
}

func (sc *Scenario) yaml() ([]byte, error) {
	raw, err := json.Marshal(sc)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(raw)
}

// present is what differs from a fresh emulator.
func (s *Console) present(ctx context.Context) (*Scenario, error) {
	sc := &Scenario{Faults: s.Faults.List()}
	for i := range sc.Faults {
		sc.Faults[i].ID, sc.Faults[i].Struck = "", 0
	}
	for name, value := range s.Settings.Changed() {
		if sc.Settings == nil {
			sc.Settings = map[string]any{}
		}
		sc.Settings[name] = value
	}
	switch at := s.Clock.State(); {
	case at.Frozen:
		sc.Clock = &ScenarioClock{Now: &at.Now, Frozen: true}
	case at.Offset != "0s":
		sc.Clock = &ScenarioClock{Offset: at.Offset}
	}
	list, err := s.Clients.List(ctx, "", 1000)
	if err != nil {
		return nil, err
	}
	for _, client := range list {
		if s.Demo == nil || client.ID != s.Demo.ClientID {
			sc.Clients = append(sc.Clients, client)
		}
	}
	if inside, err := s.Cards.Inserted(ctx); err == nil && inside != nil {
		sc.Reader = inside.NationalID
	}
	seeded := identities.Seeded()
	return sc, s.People.Each(ctx, identities.Query{}, "", func(i *identities.Identity) error {
		if before, ok := seeded[i.NationalID]; ok && reflect.DeepEqual(before, *i) {
			return nil
		}
		p := ScenarioPerson{Identity: *i}
		if device, err := s.ECPS.Device(ctx, i.NationalID); err == nil {
			p.ECPS = device.Code
		}
		all, err := s.Cards.List(ctx, i.NationalID, "", 100)
		for _, card := range all {
			p.Cards = append(p.Cards, ScenarioCard{card.Type, card.PIN, card.State})
		}
		sc.People = append(sc.People, p)
		return err
	})
}

// scenarioPage shows a scenario of a link (?load=, base64url of the YAML), to
// be entered by a press of the button.
func (s *Console) scenarioPage(c echo.Context) error {
	now, err := s.present(ctx(c))
	if err != nil {
		return err
	}
	text, err := now.yaml()
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Scénarios", "Present": string(text), "Link": s.URL + "/scenario?load=" + base64.RawURLEncoding.EncodeToString(text), "Done": c.QueryParam("done") != ""}
	var refusal error
	if load := c.QueryParam("load"); load != "" {
		raw, err := base64.RawURLEncoding.DecodeString(load)
		if err == nil {
			_, err = parseScenario(raw)
		}
		if refusal = err; err == nil {
			data["Load"] = string(raw)
		}
	}
	return s.formPage(c, "console_scenario", data, refusal)
}

func (s *Console) enterScenario(c echo.Context) error {
	sc, err := parseScenario([]byte(c.FormValue("scenario")))
	if err == nil && c.FormValue("reset") != "" {
		err = s.State.Reset(ctx(c))
	}
	if err == nil {
		err = s.enter(c, sc)
	}
	if err != nil {
		return s.formPage(c, "console_scenario", map[string]any{"Title": "Scénarios", "Load": c.FormValue("scenario")}, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/scenario?done=1")
}
