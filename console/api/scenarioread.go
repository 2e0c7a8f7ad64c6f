package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/yamltext"
	"pscemu.invalid/pscemu/internal/problem"
)

// readingScenario is a scenario that was read: its people are kept aside, since
// they may be many.
type readingScenario struct {
	Scenario
	people identities.Lines
	head   map[string]json.RawMessage // the members but people
}

func (sc *readingScenario) close() { sc.people.Close() }

// readScenario reads YAML or JSON, and refuses what it does not know and what
// cannot be right, whatever is stored. The caller closes it.
func readScenario(r io.ReadSeeker) (*readingScenario, error) {
	sc := &readingScenario{head: map[string]json.RawMessage{}}
	err := sc.read(r)
	if err == nil {
		err = sc.settle()
	}
	if err != nil {
		sc.close()
		var p *problem.Error
		if !errors.As(err, &p) {
			err = scenarioUnreadable(err.Error())
		}
		return nil, err
	}
	return sc, nil
}

// read takes the members apart.
func (sc *readingScenario) read(r io.ReadSeeker) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	in := bufio.NewReader(r)
	if size > yamltext.MaxWhole {
		if begin, _ := in.Peek(1); len(begin) == 1 && begin[0] == '{' {
			return sc.readJSON(in)
		}
		return yamltext.Split(in, sc.part)
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if !json.Valid(raw) {
		if blank(raw) {
			return nil
		}
		if raw, err = yamltext.ToJSON(raw, yamltext.Reading{Typed: true, Aliases: true}); err != nil {
			return err
		}
	}
	return sc.readJSON(bytes.NewReader(raw))
}

// blank tells whether a text holds comments and space alone.
func blank(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// part takes a piece of a long YAML.
func (sc *readingScenario) part(p yamltext.Part) error {
	raw, err := yamltext.ToJSON(p.Text, yamltext.Reading{Typed: true, Line: p.Line})
	if err != nil {
		return err
	}
	if !p.Item {
		return sc.readJSON(bytes.NewReader(raw))
	}
	item := raw[1 : len(raw)-1] // of a list of one
	if p.Key == "people" {
		return sc.people.Add(item)
	}
	list := sc.head[p.Key]
	if len(list) == 0 {
		list = []byte("[")
	} else {
		list = append(list[:len(list)-1], ',')
	}
	sc.head[p.Key] = append(append(list, item...), ']')
	return nil
}

// readJSON takes an object apart, its people one by one.
func (sc *readingScenario) readJSON(r io.Reader) error {
	d := json.NewDecoder(r)
	begin, err := d.Token()
	if err != nil || begin == nil {
		return err
	}
	if begin != json.Delim('{') {
		return errors.New("no map")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if name := key.(string); name == "people" {
			err = sc.readPeople(d)
		} else {
			var value json.RawMessage
			err = d.Decode(&value)
			sc.head[name] = value
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something behind its end")
	}
	return nil
}

func (sc *readingScenario) readPeople(d *json.Decoder) error {
	begin, err := d.Token()
	if err != nil || begin == nil {
		return err
	}
	if begin != json.Delim('[') {
		return errors.New("people is no list")
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := sc.people.Add(raw); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// settle reads the members, and looks at each.
func (sc *readingScenario) settle() error {
	raw, err := json.Marshal(sc.head)
	if err != nil {
		return err
	}
	if err := strictly(raw, &sc.Scenario); err != nil {
		return err
	}
	return sc.check()
}

func strictly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// eachPerson calls fn for the people, up to this many at a time.
func (sc *readingScenario) eachPerson(size int, fn func([]ScenarioPerson) error) error {
	var page []ScenarioPerson
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := fn(page)
		page = nil
		return err
	}
	err := sc.people.Lines(func(raw []byte) error {
		var p ScenarioPerson
		if err := strictly(raw, &p); err != nil {
			return err
		}
		if page = append(page, p); len(page) == size {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return err
}
