package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Kind is one kind of record, as it is judged when it comes from outside: in a
// backup or a state.
type Kind struct {
	// Prefix is what the keys of these records begin with.
	Prefix string
	// Check refuses an entry that is no good record of this kind.
	Check func(Entry) error
	// Finish, unless nil, refuses what the records are together, once all were
	// checked.
	Finish func() error
}

// Kind describes the records of the collection. An entry of this kind decodes
// into T without a field left over, its key is the one that its id has, and it
// passes the checks.
func (c Collection[T]) Kind(checks ...func(id string, v *T) error) Kind {
	return Kind{Prefix: c.Prefix(), Check: func(e Entry) error { return c.judge(e, checks) }}
}

// PartKind describes the records of a collection that lie in the parts of
// their owners (Of).
func (c Collection[T]) PartKind(checks ...func(id string, v *T) error) Kind {
	return Kind{Prefix: c.Prefix(), Check: func(e Entry) error {
		escaped, _, _ := strings.Cut(strings.TrimPrefix(e.Key, c.Prefix()), "/")
		owner, err := url.PathUnescape(escaped)
		if err != nil {
			return err
		}
		return c.Of(owner).judge(e, checks)
	}}
}

func (c Collection[T]) judge(e Entry, checks []func(id string, v *T) error) error {
	id := c.ID(e.Key)
	if id == "" || c.Key(id) != e.Key {
		return errors.New("the id in the key is not written as this program writes it")
	}
	v, err := c.Decode(e.Value)
	if err != nil {
		return err
	}
	for _, check := range checks {
		if err := check(id, &v); err != nil {
			return err
		}
	}
	return nil
}

// Decode reads a record as it lies in the store, and refuses a field that this
// program does not know.
func (c Collection[T]) Decode(raw []byte) (v T, err error) {
	err = decodeStrictly(raw, &v)
	return v, err
}

func decodeStrictly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the record")
	}
	return nil
}

// Named makes a check of it that a record names itself by the id it lies under.
func Named[T any](name func(*T) string) func(string, *T) error {
	return func(id string, v *T) error {
		if name(v) != id {
			return errors.New("it lies under the id of another record: it names itself " + name(v))
		}
		return nil
	}
}

// Kinds are the kinds of record by their prefix.
type Kinds map[string]Kind

// KindsOf gathers kinds.
func KindsOf(lists ...[]Kind) Kinds {
	out := Kinds{}
	for _, list := range lists {
		for _, k := range list {
			out[k.Prefix] = k
		}
	}
	return out
}

// Check refuses an entry that is of no kind, or no good one of its kind.
func (all Kinds) Check(e Entry) error {
	name, _, _ := strings.Cut(e.Key, "/")
	k, ok := all[name+"/"]
	if !ok {
		return fmt.Errorf("the entry %q: this program keeps nothing by that name", e.Key)
	}
	if err := k.Check(e); err != nil {
		return fmt.Errorf("the entry %q: %w", e.Key, err)
	}
	return nil
}

// Finish refuses what all the entries checked are together.
func (all Kinds) Finish() error {
	for _, prefix := range slices.Sorted(maps.Keys(all)) {
		if k := all[prefix]; k.Finish != nil {
			if err := k.Finish(); err != nil {
				return fmt.Errorf("the entries %s…: %w", prefix, err)
			}
		}
	}
	return nil
}
