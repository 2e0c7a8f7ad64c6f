package identities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Batch is how many people one transaction of a command about many is about, so
// that no other write waits for long.
const Batch = 50

// viewed is how many people one look at the store is about.
const viewed = 500

// Equip gives people, who are kept in the same transaction, their means.
type Equip func(tx store.Tx, people []Identity) error

// Import is people who are to be kept, all of them or none. Each was looked at
// before anything is changed.
type Import struct {
	Spool
	Warnings []string
}

// OpenImport reads and judges an import; nothing is changed. With fictitious,
// people with real numbers become fictitious ones. The caller closes it.
func (p *People) OpenImport(ctx context.Context, r io.ReadSeeker, fictitious bool) (*Import, error) {
	in := &Import{}
	made := map[string]bool{}
	var warnings []string
	read, err := ReadImport(r, func(i *Identity) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if fictitious {
			if warning := disguise(i, func(id string) bool { return made[id] }); warning != "" {
				warnings = append(warnings, warning)
			}
			if made[i.NationalID] {
				return nth(in.Len(), i.NationalID, problem.IdentityTwice.Case("fictitious").Got(i.NationalID))
			}
			made[i.NationalID] = true
		}
		if err := i.Validate(); err != nil {
			return nth(in.Len(), i.NationalID, err)
		}
		i.Source = ""
		return in.Add(i)
	})
	if err == nil {
		err = p.judge(ctx, &in.Spool)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	in.Warnings = slices.Concat(read, warnings)
	return in, nil
}

// judge refuses people who cannot be written over those that are there.
func (p *People) judge(ctx context.Context, people *Spool) error {
	n := 0
	return people.Pages(viewed, func(page []Kept) error {
		return p.store.View(ctx, func(tx store.Tx) error {
			for k, who := range page {
				if _, err := replaceable(tx, who.ID); err != nil {
					return nth(n+k, who.ID, err)
				}
			}
			n += len(page)
			return nil
		})
	})
}

// Keep writes the people of an import by the transactions of a command, and
// tells how many are done.
func (p *People) Keep(in *Import, do store.Step, done func(int)) error {
	n := 0
	return in.Pages(Batch, func(page []Kept) error {
		err := do(func(tx store.Tx) error {
			for k, who := range page {
				if err := putKept(tx, who); err != nil {
					return nth(n+k, who.ID, err)
				}
			}
			return nil
		})
		n += len(page)
		done(n)
		return err
	})
}

// putKept writes a person, unless they are so already.
func putKept(tx store.Tx, who Kept) error {
	there, err := replaceable(tx, who.ID)
	if err != nil || bytes.Equal(there, who.Raw) {
		return err
	}
	return tx.Put(Collection.Key(who.ID), who.Raw, store.Forever)
}

// Files are the people of identity files, each of which has one file.
type Files struct {
	Spool
	source map[string]string // by national id
}

// Put adds a person of a file.
func (f *Files) Put(i *Identity, file string) error {
	if other, twice := f.source[i.NationalID]; twice {
		return problem.IdentityTwice.With("national_id", i.NationalID).With("other", other).With("file", file)
	}
	err := i.Validate()
	if err == nil {
		err = CheckFictitious(i.NationalID)
	}
	if err != nil {
		return nth(f.Len(), i.NationalID, err)
	}
	if f.source == nil {
		f.source = map[string]string{}
	}
	i.Source, f.source[strings.Clone(i.NationalID)] = file, file
	return f.Add(i)
}

// Follow makes the people of files what the files say, all of them or none:
// those who left them are removed, as long as they came from one. Only what
// changed is written. equip gives means to people who are new.
func (p *People) Follow(ctx context.Context, files *Files, equip Equip) error {
	gone, err := p.left(ctx, files)
	if err != nil {
		return err
	}
	var changed Spool
	defer changed.Close()
	if err := p.changed(ctx, files, &changed); err != nil {
		return err
	}
	return InBatches(ctx, p.store, "identity files", len(gone)+changed.Len(), func(do store.Step) error {
		for page := range slices.Chunk(gone, Batch) {
			if err := do(func(tx store.Tx) error { return p.removeIn(tx, page) }); err != nil {
				return err
			}
		}
		return changed.Pages(Batch, func(page []Kept) error {
			return do(func(tx store.Tx) error { return p.followIn(tx, page, equip) })
		})
	})
}

// left finds who came from a file and is in none any more.
func (p *People) left(ctx context.Context, files *Files) (gone []string, err error) {
	return gone, stored.Walk(ctx, p.store, "", func(id string, raw json.RawMessage) error {
		if fromFile(raw) && files.source[id] == "" {
			gone = append(gone, id)
		}
		return nil
	})
}

// stored is the collection of people as it is stored.
var stored = store.Collection[json.RawMessage](Collection)

// changed keeps aside who is not in the store as their file says.
func (p *People) changed(ctx context.Context, files *Files, out *Spool) error {
	return files.Pages(viewed, func(page []Kept) error {
		var differ []Kept
		err := p.store.View(ctx, func(tx store.Tx) error {
			differ = nil
			for _, who := range page {
				there, err := tx.Get(Collection.Key(who.ID))
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				if !bytes.Equal(there, who.Raw) {
					differ = append(differ, who)
				}
			}
			return nil
		})
		for _, who := range differ {
			if err := out.lines.Add(who.Raw); err != nil {
				return err
			}
		}
		return err
	})
}

func (p *People) removeIn(tx store.Tx, ids []string) error {
	for _, id := range ids {
		if there, err := tx.Get(Collection.Key(id)); err != nil || !fromFile(there) {
			if errors.Is(err, store.ErrNotFound) || err == nil {
				continue // somebody else's doing meanwhile
			}
			return err
		}
		if err := Collection.Delete(tx, id); err != nil {
			return err
		}
	}
	return nil
}

func (p *People) followIn(tx store.Tx, page []Kept, equip Equip) error {
	var added []Identity
	for _, who := range page {
		there, err := known(tx, who.ID)
		if err != nil {
			return err
		}
		if err := tx.Put(Collection.Key(who.ID), who.Raw, store.Forever); err != nil {
			return err
		}
		if there {
			continue
		}
		i, err := who.Identity()
		if err != nil {
			return err
		}
		added = append(added, i)
	}
	return equip(tx, added)
}

// InBatches runs a command about n people: in one transaction while they are
// few, else in several that are undone together when one fails. name says what
// it is to whom it disturbs. fn may run twice.
func InBatches(ctx context.Context, s store.Store, name string, n int, fn func(store.Step) error) error {
	switch {
	case n == 0:
		return nil
	case n > Batch:
		return store.LongAs(ctx, s, name, fn)
	}
	return s.Update(ctx, func(tx store.Tx) error {
		return fn(func(one func(store.Tx) error) error { return one(tx) })
	})
}

// taken is the refusal where somebody took a number after it was looked at.
const taken = "number-taken"

// Again tells whether a plan was overtaken by others, and is to be made again.
func Again(err error) bool { return problem.Is(err, taken) }

// Generated are people who were made, and the number in the seed to go on from.
type Generated struct {
	People []Identity
	Next   int
}

// Generate keeps the next people of a seed whose numbers are free, all of them
// or none, and gives them means in the same transactions.
func (p *People) Generate(ctx context.Context, g *Generator, from, count int, equip Equip) (*Generated, error) {
	for {
		out, err := p.Plan(ctx, g, from, count, nil)
		if err != nil {
			return nil, err
		}
		err = InBatches(ctx, p.store, "generate people", count, func(do store.Step) error {
			return p.Admit(do, out.People, equip)
		})
		if !Again(err) {
			return out, err
		}
	}
}

// Plan finds the next people of a seed whose numbers are free, without making
// them; but, unless nil, tells of further numbers that are not.
func (p *People) Plan(ctx context.Context, g *Generator, from, count int, but map[string]bool) (*Generated, error) {
	out := &Generated{Next: from}
	for len(out.People) < count {
		if out.Next >= MaxGenerated {
			return nil, exhausted(fmt.Sprintf("%d free from number %d on", len(out.People), from))
		}
		err := p.store.View(ctx, func(tx store.Tx) error {
			for end := out.Next + viewed; out.Next < min(end, MaxGenerated) && len(out.People) < count; {
				i, err := g.freeIn(tx, out.Next)
				if err != nil {
					return err
				}
				if out.Next++; i != nil && !but[i.NationalID] {
					out.People = append(out.People, *i)
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func exhausted(got string) error {
	return problem.NumbersExhausted.Got(got)
}

// freeIn is the n-th person of the seed, nil when somebody has their number.
func (g *Generator) freeIn(tx store.Tx, n int) (*Identity, error) {
	if id := g.quickID(n); id != "" {
		if there, err := known(tx, id); err != nil || there {
			return nil, err
		}
		return g.Person(n), nil
	}
	i := g.Person(n)
	if there, err := known(tx, i.NationalID); err != nil || there {
		return nil, err
	}
	return i, nil
}

// NextIn is the first person of the seed from the n-th on who fits and whose
// number is free, with the number behind theirs.
func (p *People) NextIn(tx store.Tx, g *Generator, n int, fits func(*Identity) bool) (*Identity, int, error) {
	for ; n < MaxGenerated; n++ {
		i, err := g.freeIn(tx, n)
		if err != nil || i != nil && fits(i) {
			return i, n + 1, err
		}
	}
	return nil, n, exhausted("nobody who fits")
}

// Admit keeps people whose numbers are free by the transactions of a command,
// and gives them means.
func (p *People) Admit(do store.Step, people []Identity, equip Equip) error {
	for page := range slices.Chunk(people, Batch) {
		err := do(func(tx store.Tx) error {
			added, err := p.AddIn(tx, page)
			switch {
			case err != nil:
				return err
			case len(added) < len(page):
				return problem.NumberTaken.Of()
			}
			return equip(tx, page)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
