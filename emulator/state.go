package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/faults"
)

// State is what a world is at one moment, beside its entries: what was set
// while it ran. As a document it holds the entries too, as its last member.
type State struct {
	Format   int               `json:"format"`
	Clock    clock.State       `json:"clock"`
	Settings map[string]string `json:"settings,omitempty"` // changed while it ran
	Faults   []faults.Fault    `json:"faults,omitempty"`
}

// Stored is one entry of the store.
type Stored struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Expires *time.Time      `json:"expires,omitempty"`
}

const stateFormat = 1

// setting is what is set beside the entries, as of now.
func (e *Emulator) setting() State {
	return State{Format: stateFormat, Clock: e.clock.State(), Settings: e.live.Changed(), Faults: e.faults.List()}
}

// check refuses what set would.
func (e *Emulator) check(s State) error {
	return errors.Join(s.Clock.Check(), e.live.Check(s.Settings), faults.Check(s.Faults))
}

// set takes these settings, this clock and these faults.
func (e *Emulator) set(s State) error {
	return errors.Join(e.live.Replace(s.Settings), e.faults.Replace(s.Faults), e.clock.Restore(s.Clock))
}

// Dump is the whole state, entries and all, as one document. It is put aside as
// of one moment, and read from there.
func (e *Emulator) Dump(ctx context.Context) (*api.Whole, error) {
	return e.aside(func(w io.Writer) error {
		head := e.setting()
		return e.store.View(ctx, func(tx store.Tx) error { return writeState(w, head, tx) })
	})
}

func writeState(w io.Writer, head State, tx store.Tx) error {
	raw, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, `%s,"entries":[`, raw[:len(raw)-1]); err != nil {
		return err
	}
	comma := ""
	err = store.Everything(tx, func(entry store.Entry) error {
		key, err := json.Marshal(entry.Key)
		if err != nil {
			return err
		}
		until := ""
		if !entry.Expires.IsZero() {
			until = `,"expires":"` + entry.Expires.Format(time.RFC3339Nano) + `"`
		}
		// The value is JSON as it is: it was written, or judged, as such.
		_, err = fmt.Fprintf(w, `%s{"key":%s,"value":%s%s}`, comma, key, entry.Value, until)
		comma = ",\n"
		return err
	})
	if err == nil {
		_, err = io.WriteString(w, "]}\n")
	}
	return err
}

// aside puts what fn writes into a file, to be read by a peer however slow.
func (e *Emulator) aside(fn func(io.Writer) error) (*api.Whole, error) {
	out, err := e.spool()
	if err != nil {
		return nil, err
	}
	if err := out.fill(fn); err != nil {
		_ = out.Close()
		return nil, err
	}
	return &api.Whole{Reader: out.reader(), Closer: out, Size: out.size}, nil
}

// Restore makes the world what it was when this state was taken: all of it, or
// nothing is changed.
func (e *Emulator) Restore(ctx context.Context, by string, in io.Reader) error {
	file, err := e.spool()
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.take(in); err != nil {
		return err
	}
	judge := &review{}
	doc, err := readState(file, judge)
	if err == nil {
		err = e.check(doc.State)
	}
	if err != nil {
		return err
	}
	_, err = e.alone(ctx, becoming{what: "state", by: by, size: file.size,
		each: doc.each, judge: judge, bad: stateUnreadable,
		set: func() error { return e.set(doc.State) }})
	return err
}

func stateUnreadable(err error) error {
	return problem.StateUnreadable.Got(err.Error())
}

// document is a state in a file.
type document struct {
	State
	in     *spool
	sorted bool // its keys ascend
}

// readState reads what is set, looks at every entry's form, and has the judge
// note the entries.
func readState(in *spool, judge *review) (*document, error) {
	d := &document{in: in, sorted: true}
	last, some := "", false
	head, err := scanState(in.reader(), func(s Stored) error {
		d.sorted = d.sorted && (!some || s.Key > last)
		last, some = s.Key, true
		if s.Expires != nil && s.Expires.IsZero() {
			return fmt.Errorf("%q ends at no time; one that stays has no expires", s.Key)
		}
		judge.note(s.entry())
		return nil
	})
	switch {
	case err != nil:
	case head.Format != stateFormat:
		err = fmt.Errorf("format %d", head.Format)
	case !some:
		err = errors.New("no entries")
	}
	if err != nil {
		return nil, stateUnreadable(err)
	}
	d.State = *head
	return d, nil
}

// entry is the store's.
func (s *Stored) entry() store.Entry {
	out := store.Entry{Key: s.Key, Value: s.Value}
	if s.Expires != nil {
		out.Expires = s.Expires.UTC()
	}
	return out
}

// each calls fn for each entry. Where keys do not ascend, it remembers all of
// them, to tell one that comes twice.
func (d *document) each(fn func(store.Entry) error) error {
	seen, seed := map[uint64]bool{}, maphash.MakeSeed()
	_, err := scanState(d.in.reader(), func(s Stored) error {
		if !d.sorted {
			id := maphash.String(seed, s.Key)
			if seen[id] {
				return stateUnreadable(fmt.Errorf("the entry %q comes twice", s.Key))
			}
			seen[id] = true
		}
		return fn(s.entry())
	})
	return err
}

// scanState reads a state member by member, and its entries one by one.
func scanState(r io.Reader, fn func(Stored) error) (*State, error) {
	m := &meter{Reader: r, left: maxMember}
	d := json.NewDecoder(m)
	d.DisallowUnknownFields()
	if err := delim(d, '{'); err != nil {
		return nil, err
	}
	out, seen := &State{}, map[string]bool{}
	members := map[string]any{
		"format":   &out.Format,
		"clock":    &out.Clock,
		"settings": &out.Settings,
		"faults":   &out.Faults,
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		into, known := members[name]
		switch {
		case seen[name]:
			return nil, fmt.Errorf("the member %q comes twice", name)
		case name == "entries":
			err = scanEntries(d, m, fn)
		case known:
			err = d.Decode(into)
		default:
			return nil, fmt.Errorf("the member %q is none of a state", name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		seen[name] = true
	}
	if err := delim(d, '}'); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the state")
	}
	return out, nil
}

func scanEntries(d *json.Decoder, m *meter, fn func(Stored) error) error {
	if err := delim(d, '['); err != nil {
		return err
	}
	for d.More() {
		m.left = maxMember
		var s Stored
		if err := d.Decode(&s); err != nil {
			return err
		}
		if err := fn(s); err != nil {
			return err
		}
	}
	return delim(d, ']')
}

func delim(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("%v where %q is expected", got, want.String())
	}
	return err
}

// maxMember bounds what one entry, or what is set, takes of memory.
const maxMember = 64 << 20

// meter reads so much and no more, until it may read more.
type meter struct {
	io.Reader
	left int
}

func (m *meter) Read(b []byte) (int, error) {
	if m.left <= 0 {
		return 0, fmt.Errorf("it is larger than %d MiB", maxMember>>20)
	}
	n, err := m.Reader.Read(b[:min(len(b), m.left)])
	m.left -= n
	return n, err
}
