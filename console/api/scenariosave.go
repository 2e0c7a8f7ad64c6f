package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/yamltext"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
)

// around is what differs from a fresh emulator, but people.
func (s *Scenarios) around(ctx context.Context) (*Scenario, error) {
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
	var err error
	if sc.Clients, err = s.ownClients(ctx); err != nil {
		return nil, err
	}
	if inside, err := s.Cards.Inserted(ctx); err == nil && inside != nil {
		sc.Reader = inside.NationalID
	}
	return sc, nil
}

// ownClients are all clients but the demo's.
func (s *Scenarios) ownClients(ctx context.Context) (out []clients.Client, err error) {
	const size = 200
	for after := ""; ; {
		page, err := s.Clients.List(ctx, after, size)
		if err != nil {
			return nil, err
		}
		for _, client := range page {
			if client.ID != s.Demo {
				out = append(out, client)
			}
		}
		if len(page) < size {
			return out, nil
		}
		after = page[size-1].ID
	}
}

// changedPeople calls fn for each person who is not as in a fresh emulator, as
// a scenario has them, a page in one transaction.
func (s *Scenarios) changedPeople(ctx context.Context, fn func(raw []byte) error) error {
	seeded := identities.Seeded()
	for after := ""; ; {
		var rows []json.RawMessage
		var next string
		err := s.Store.View(ctx, func(tx store.Tx) (err error) {
			rows, next, err = s.pageIn(tx, seeded, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, raw := range rows {
			if err := fn(raw); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return ctx.Err()
		}
	}
}

// pageIn reads a page of people behind the id after, and where to go on.
func (s *Scenarios) pageIn(tx store.Tx, seeded map[string]identities.Identity, after string) (
	rows []json.RawMessage, next string, err error) {
	people, err := identities.Collection.List(tx, after, identities.Batch)
	if err != nil {
		return nil, "", err
	}
	for _, i := range people {
		if len(people) == identities.Batch {
			next = i.NationalID
		}
		if before, ok := seeded[i.NationalID]; ok && reflect.DeepEqual(before, i) {
			continue
		}
		p := ScenarioPerson{Identity: i}
		if device, err := s.ECPS.DeviceIn(tx, i.NationalID); err == nil {
			p.ECPS = device.Code
		}
		all, err := s.Cards.OfIn(tx, i.NationalID, "", math.MaxInt)
		if err != nil {
			return nil, "", err
		}
		for _, card := range all {
			p.Cards = append(p.Cards, ScenarioCard{card.Type, card.PIN, card.State})
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, "", err
		}
		rows = append(rows, raw)
	}
	return rows, next, nil
}

// eachRow hands over people as JSON.
type eachRow func(fn func(raw []byte) error) error

func answerScenario(c echo.Context, status int, format string, sc *Scenario, people eachRow) error {
	kind, write := "application/yaml", sc.writeYAML
	if format == "json" {
		kind, write = echo.MIMEApplicationJSON, sc.writeJSON
	}
	return answerStream(c, status, kind, func(w *bufio.Writer) error { return write(w, people) })
}

// sides are the scenario's members before and behind its people.
func (sc *Scenario) sides() (before, behind []byte, err error) {
	head, tail := *sc, Scenario{Reader: sc.Reader, Faults: sc.Faults}
	head.People, head.Reader, head.Faults = nil, "", nil
	before, err = json.Marshal(head)
	if err == nil {
		behind, err = json.Marshal(tail)
	}
	return before, behind, err
}

// writeJSON writes the scenario with people as they come.
func (sc *Scenario) writeJSON(w io.Writer, people eachRow) error {
	before, behind, err := sc.sides()
	if err != nil {
		return err
	}
	out := separated{w: w}
	out.text("{")
	out.members(before)
	err = people(func(raw []byte) error {
		if out.list {
			out.text(",")
		} else {
			out.member()
			out.text(`"people":[`)
			out.list = true
		}
		out.text(string(raw))
		return out.err
	})
	if err != nil {
		return err
	}
	if out.list {
		out.text("]")
	}
	out.members(behind)
	out.text("}\n")
	return out.err
}

// separated writes the members of an object.
type separated struct {
	w          io.Writer
	some, list bool
	err        error
}

func (s *separated) text(t string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, t)
	}
}

func (s *separated) member() {
	if s.some {
		s.text(",")
	}
	s.some = true
}

func (s *separated) members(object []byte) {
	if inner := object[1 : len(object)-1]; len(inner) > 0 {
		s.member()
		s.text(string(inner))
	}
}

// writeYAML writes the scenario with people as they come.
func (sc *Scenario) writeYAML(w io.Writer, people eachRow) error {
	before, behind, err := sc.sides()
	if err != nil {
		return err
	}
	some, err := yamlMembers(w, before)
	if err != nil {
		return err
	}
	var text []byte
	list := false
	err = people(func(raw []byte) (err error) {
		text = text[:0]
		if !list {
			text, list, some = append(text, "people:\n"...), true, true
		}
		if text, err = yamltext.AppendItem(text, raw, 0); err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err != nil {
		return err
	}
	more, err := yamlMembers(w, behind)
	if err == nil && !some && !more {
		_, err = io.WriteString(w, "{}\n")
	}
	return err
}

// yamlMembers writes the members of an object, in its order.
func yamlMembers(w io.Writer, object []byte) (some bool, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return false, err
	}
	for ; d.More(); some = true {
		key, err := d.Token()
		if err != nil {
			return false, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return false, err
		}
		text, err := yamltext.AppendMember(nil, key.(string), value)
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			return false, err
		}
	}
	return some, nil
}

// Bounds of an excerpt: how many people it shows, and how many it counts.
const (
	ShownPeople   = 20
	CountedPeople = 10_000
)

var errCounted = errors.New("counted")

// Excerpt is the present situation with its first people, how many they are,
// and whether that is all of them.
func (s *Scenarios) Excerpt(ctx context.Context) (text string, count int, err error) {
	sc, err := s.around(ctx)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	err = sc.writeYAML(&b, func(fn func([]byte) error) error {
		err := s.changedPeople(ctx, func(raw []byte) error {
			switch count++; {
			case count > CountedPeople:
				return errCounted
			case count <= ShownPeople:
				return fn(raw)
			}
			return nil
		})
		if errors.Is(err, errCounted) {
			return nil
		}
		return err
	})
	return b.String(), count, err
}

// Linked is the scenario of a link.
func Linked(load string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(load)
	if err != nil {
		return "", scenarioUnreadable(err.Error())
	}
	sc, err := readScenario(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	sc.close()
	return string(raw), nil
}
