package identities

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// People is the directory of identities.
type People struct {
	store store.Store
	memo  store.Memo[Identity]
}

// Collection is where identities lie in the store, by national id.
var Collection = store.Collection[Identity]("identities")

// New opens the directory.
func New(s store.Store) *People { return &People{store: s, memo: store.Memo[Identity]{Of: Collection}} }

// Read finds a person by national id, for a look: what it returns is shared
// and must not be changed.
func (p *People) Read(ctx context.Context, id string) (*Identity, error) {
	i, err := p.memo.Load(ctx, p.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(id)
	}
	return i, err
}

// Get finds a person by national id; it is the caller's own copy.
func (p *People) Get(ctx context.Context, id string) (*Identity, error) {
	i, err := Collection.Load(ctx, p.store, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(id)
	}
	return &i, err
}

// GetIn finds a person within a transaction; it is the caller's own copy.
func (p *People) GetIn(tx store.Tx, id string) (*Identity, error) {
	i, err := Collection.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(id)
	}
	return &i, err
}

// ReadIn finds a person within a transaction, for a look: what it returns is
// shared and must not be changed.
func (p *People) ReadIn(tx store.Tx, id string) (*Identity, error) {
	i, err := p.memo.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(id)
	}
	return i, err
}

// Put validates and keeps a person.
func (p *People) Put(ctx context.Context, i *Identity) error {
	return p.store.Update(ctx, func(tx store.Tx) error { return p.PutIn(tx, i) })
}

// PutIn validates and keeps a person.
func (p *People) PutIn(tx store.Tx, i *Identity) error {
	if err := i.Validate(); err != nil {
		return err
	}
	return replace(tx, *i)
}

// DeriveIn validates and keeps a person whom their card names. A configured
// authority vouches for the number, which may be a real one.
func (p *People) DeriveIn(tx store.Tx, i *Identity) error {
	if err := i.Validate(); err != nil {
		return err
	}
	return Collection.Put(tx, i.NationalID, *i, store.Forever)
}

// replace writes a person, unless a file holds them; who is new has a test
// number.
func replace(tx store.Tx, i Identity) error {
	if _, err := replaceable(tx, i.NationalID); err != nil {
		return err
	}
	i.Source = ""
	return Collection.Put(tx, i.NationalID, i, store.Forever)
}

// replaceable refuses to write a person whom a file holds, or who is new with a
// number that may be a real one. It returns what is stored of them.
func replaceable(tx store.Tx, id string) (there []byte, err error) {
	there, err = tx.Get(Collection.Key(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, CheckFictitious(id)
	case err != nil || !fromFile(there):
		return there, err
	}
	var i Identity
	if err := json.Unmarshal(there, &i); err != nil {
		return nil, err
	}
	return there, i.notFromFile()
}

// fromFile tells whether a person, as they are stored, may come from a file:
// within JSON these bytes are a key, and no text.
func fromFile(raw []byte) bool { return bytes.Contains(raw, []byte(`"source":"`)) }

func (i *Identity) notFromFile() error {
	if i.Source == "" {
		return nil
	}
	return problem.IdentityFromFile.Got(i.Source)
}

// Create keeps a new person, and refuses one who is there already.
func (p *People) Create(ctx context.Context, i *Identity) error {
	return p.store.Update(ctx, func(tx store.Tx) error { return p.CreateIn(tx, i) })
}

// CreateIn keeps a new person, and refuses one who is there already.
func (p *People) CreateIn(tx store.Tx, i *Identity) error {
	if err := i.Validate(); err != nil {
		return err
	}
	switch there, err := known(tx, i.NationalID); {
	case err != nil:
		return err
	case there:
		return problem.IdentityExists.Got(i.NationalID)
	}
	return replace(tx, *i)
}

// known tells whether somebody has this national id.
func known(tx store.Tx, id string) (bool, error) {
	_, err := tx.Get(Collection.Key(id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PutAll validates and keeps a few people in one transaction: all of them, or
// none. The error names the first that cannot be.
func (p *People) PutAll(ctx context.Context, people []Identity) error {
	return p.store.Update(ctx, func(tx store.Tx) error {
		for n := range people {
			if err := p.PutIn(tx, &people[n]); err != nil {
				return nth(n, people[n].NationalID, err)
			}
		}
		return nil
	})
}

// nth says which of many people an error is about.
func nth(n int, id string, err error) error {
	return problem.From(err).About(problem.NthPerson, n+1, id)
}

// AddIn keeps the people who are not there yet, and returns them.
func (p *People) AddIn(tx store.Tx, people []Identity) ([]Identity, error) {
	var added []Identity
	for _, i := range people {
		switch there, err := known(tx, i.NationalID); {
		case err != nil:
			return nil, err
		case there:
			continue
		}
		if err := Collection.Put(tx, i.NationalID, i, store.Forever); err != nil {
			return nil, err
		}
		added = append(added, i)
	}
	return added, nil
}

// Delete removes a person, who can be brought back for a while.
func (p *People) Delete(ctx context.Context, id string) error {
	return p.store.Update(ctx, func(tx store.Tx) error { return p.DeleteIn(tx, id) })
}

// DeleteIn removes a person, who can be brought back for a while.
func (p *People) DeleteIn(tx store.Tx, id string) error {
	i, err := p.GetIn(tx, id)
	if err == nil {
		err = i.notFromFile()
	}
	if err != nil {
		return err
	}
	return errors.Join(deleted.Put(tx, id, *i, Undo), Collection.Delete(tx, id))
}

// deleted holds people for a while, so that a delete can be undone.
var deleted = store.Collection[Identity]("identities-deleted")

// Undo is how long a deleted person can be brought back.
const Undo = 24 * time.Hour

// Restore brings a deleted person back; their means were never taken away.
func (p *People) Restore(ctx context.Context, id string) (i Identity, err error) {
	err = p.store.Update(ctx, func(tx store.Tx) error {
		i, err = p.RestoreIn(tx, id)
		return err
	})
	return i, err
}

// RestoreIn brings a deleted person back.
func (p *People) RestoreIn(tx store.Tx, id string) (Identity, error) {
	i, err := deleted.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return i, problem.IdentityNotDeleted.Got(id)
	}
	if err != nil {
		return i, err
	}
	switch there, err := known(tx, id); {
	case err != nil:
		return i, err
	case there:
		return i, problem.IdentityExists.Case("again").Got(id)
	}
	return i, errors.Join(Collection.Put(tx, id, i, store.Forever), deleted.Delete(tx, id))
}

// Deleted lists up to limit of those who can be brought back.
func (p *People) Deleted(ctx context.Context, limit int) ([]Identity, error) {
	return deleted.Page(ctx, p.store, "", limit)
}

// Count tells how many people there are, and counts no further than to most.
func (p *People) Count(ctx context.Context, most int) (int, error) {
	return Collection.Count(ctx, p.store, most)
}

// SetBehaviour changes how the person's phone answers.
func (p *People) SetBehaviour(ctx context.Context, id string, b Behaviour) error {
	return p.store.Update(ctx, func(tx store.Tx) error { return p.SetBehaviourIn(tx, id, b) })
}

// SetBehaviourIn changes how the person's phone answers.
func (p *People) SetBehaviourIn(tx store.Tx, id string, b Behaviour) error {
	return p.changeIn(tx, id, func(i *Identity) error { i.Behaviour = b; return nil })
}

// Tag adds a tag to a person, or takes it away.
func (p *People) Tag(ctx context.Context, id, tag string, there bool) error {
	return p.store.Update(ctx, func(tx store.Tx) error { return p.TagIn(tx, id, tag, there) })
}

// TagIn adds a tag to a person, or takes it away.
func (p *People) TagIn(tx store.Tx, id, tag string, there bool) error {
	if tag = strings.TrimSpace(tag); tag == "" || strings.ContainsAny(tag, " \t\n\r") {
		return problem.TagInvalid.Got(tag)
	}
	return p.changeIn(tx, id, func(i *Identity) error {
		if err := i.notFromFile(); err != nil {
			return err
		}
		i.Tags = slices.DeleteFunc(i.Tags, func(t string) bool { return t == tag })
		if there {
			i.Tags = append(i.Tags, tag)
		}
		return nil
	})
}

// changeIn reads, changes and writes a person.
func (p *People) changeIn(tx store.Tx, id string, fn func(*Identity) error) error {
	i, err := p.GetIn(tx, id)
	if err == nil {
		err = fn(i)
	}
	if err != nil {
		return err
	}
	return Collection.Put(tx, id, *i, store.Forever)
}

func unknown(id string) error {
	return problem.IdentityUnknown.Got(id)
}

// Query chooses people; its zero value chooses all.
type Query struct {
	Text       string // in the id, name, tags, profession or place of work; case and accents aside
	Profession string // code of one of their professions
	Tag        string
}

func (q *Query) matches(i *Identity) bool {
	return (q.Profession == "" || slices.ContainsFunc(
		i.Exercises,
		func(e Exercise) bool { return e.Profession == q.Profession },
	)) &&
		(q.Tag == "" || slices.Contains(i.Tags, q.Tag)) &&
		(q.Text == "" || strings.Contains(i.searched(), q.Text))
}

// List returns up to limit people of the query behind the id after; 0 is no
// limit.
func (p *People) List(ctx context.Context, q Query, after string, limit int) ([]Identity, error) {
	var out []Identity
	err := p.Each(ctx, q, after, func(i *Identity) error {
		if out = append(out, *i); len(out) == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return out, err
}

var errEnough = errors.New("enough")

// Each calls fn for the people of the query behind the id after, in order, a
// page at a time: however many they are, few are in memory.
func (p *People) Each(ctx context.Context, q Query, after string, fn func(*Identity) error) error {
	const size = 200
	q.Text = fold(q.Text)
	for {
		page, err := Collection.Page(ctx, p.store, after, size)
		if err != nil {
			return err
		}
		for n := range page {
			if !q.matches(&page[n]) {
				continue
			}
			if err := fn(&page[n]); err != nil {
				return err
			}
		}
		if len(page) < size {
			return ctx.Err()
		}
		after = page[size-1].NationalID
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// searched is what a search looks at, folded.
func (i *Identity) searched() string {
	out := []string{i.NationalID, i.Name(), strings.Join(i.Tags, " ")}
	for _, e := range i.Exercises {
		out = append(out, foldedProfession(e.Profession))
		for _, a := range e.Activities {
			out = append(out, a.CorporateName)
		}
	}
	return fold(strings.Join(out, " "))
}

// foldedProfession names a profession without accents, so that folding the
// rest of what a search looks at meets ASCII most of the time.
func foldedProfession(code string) string {
	if label, known := foldedProfessions.Load(code); known {
		return label.(string)
	}
	label := fold(nomenclature.ProfessionLabel(code))
	if label != "" {
		foldedProfessions.Store(code, label)
	}
	return label
}

var foldedProfessions sync.Map

// fold takes case, accents and the space around away.
func fold(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		t := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
		if out, _, err := transform.String(t, s); err == nil {
			s = out
		}
	}
	return strings.ToLower(strings.TrimSpace(s))
}

// Persona is a ready-made person with the means they are given.
type Persona struct {
	Identity
	Card string `json:"card"` // card type, "" for none
	ECPS bool   `json:"ecps"`
}

//go:embed personas.json
var personas []byte

// Personas are the people of a fresh data folder.
func Personas() []Persona {
	var all []Persona
	if err := json.Unmarshal(personas, &all); err != nil {
		panic(err) // embedded, checked by a test
	}
	return all
}
