package orders

import (
	"context"
	"errors"
	"maps"
	"slices"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Structure is what the desk knows of a structure: by SIRET, else FINESS.
type Structure struct {
	ID             string                   `json:"id"`
	Name           string                   `json:"name"`
	Actor          string                   `json:"actor"`
	Contract       bool                     `json:"contract"`
	Billing        bool                     `json:"billing"` // bills without delivering care
	Representative string                   `json:"representative,omitempty"`
	Mandataires    []string                 `json:"mandataires"`
	Administrators map[string]Administrator `json:"administrators"`
	Cards          []string                 `json:"cards"` // serials of those ordered here
	Address        string                   `json:"address,omitempty"`
}

// Administrator may order software certificates for a structure.
type Administrator struct {
	Kinds     []pki.ProfileName `json:"kinds"`
	Perimeter string            `json:"perimeter,omitempty"`
}

var (
	structures = store.Collection[Structure]("structures")
	// structuresOf lists, by national id, the structures where somebody has a
	// role; structureOf names, by serial, the structure a card was ordered for.
	structuresOf = store.Collection[[]string]("structures-of")
	structureOf  = store.Collection[string]("structure-of-card")
)

// people are those who have a role in the structure.
func (s *Structure) people() map[string]bool {
	out := map[string]bool{}
	for _, id := range slices.Concat(s.Mandataires, slices.Collect(maps.Keys(s.Administrators)), []string{
		s.Representative,
	}) {
		if id != "" {
			out[id] = true
		}
	}
	return out
}

// actsFor tells whether somebody is the representative or a mandataire.
func (s *Structure) actsFor(id string) bool {
	return id != "" && (s.Representative == id || slices.Contains(s.Mandataires, id))
}

// keepStructure writes a structure with its place in the indexes.
func keepStructure(tx store.Tx, s *Structure) error {
	before, err := structures.Maybe(tx, s.ID)
	if err != nil {
		return err
	}
	if err := structures.Put(tx, s.ID, *s, store.Forever); err != nil {
		return err
	}
	return errors.Join(indexPeople(tx, s.ID, before.people(), s.people()), indexCards(tx, s.ID, before.Cards, s.Cards))
}

func indexPeople(tx store.Tx, id string, before, after map[string]bool) error {
	for person := range after {
		if !before[person] {
			if err := changeRoles(tx, person, func(ids []string) []string { return append(ids, id) }); err != nil {
				return err
			}
		}
	}
	for person := range before {
		if after[person] {
			continue
		}
		err := changeRoles(tx, person, func(ids []string) []string {
			return slices.DeleteFunc(ids, func(other string) bool { return other == id })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// changeRoles changes the list of structures where somebody has a role.
func changeRoles(tx store.Tx, person string, change func([]string) []string) error {
	ids, err := structuresOf.Maybe(tx, person)
	if err != nil {
		return err
	}
	ids = change(ids)
	if len(ids) == 0 {
		return structuresOf.Delete(tx, person)
	}
	slices.Sort(ids)
	return structuresOf.Put(tx, person, slices.Compact(ids), store.Forever)
}

// indexCards notes the cards that are new; none ever leaves a fleet.
func indexCards(tx store.Tx, id string, before, after []string) error {
	for _, serial := range after[min(len(before), len(after)):] {
		if err := structureOf.Put(tx, serial, id, store.Forever); err != nil {
			return err
		}
	}
	return nil
}

// Index notes people and cards with their structures: data folders from before
// the indexes need it once.
func (d *Desk) Index(ctx context.Context) error {
	return structures.Walk(ctx, d.store, "", func(id string, _ Structure) error {
		return d.store.Update(ctx, func(tx store.Tx) error {
			s, err := structures.Maybe(tx, id)
			if err != nil || s.ID == "" {
				return err
			}
			return errors.Join(indexPeople(tx, id, nil, s.people()), indexCards(tx, id, nil, s.Cards))
		})
	})
}

// StructureNamed finds what is known of a structure.
func (d *Desk) StructureNamed(ctx context.Context, id string) (s *Structure, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		s, err = structureNamed(tx, id)
		return err
	})
	return s, err
}

func structureNamed(tx store.Tx, id string) (*Structure, error) {
	s, err := structures.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.StructureUnknown.Got(id)
	}
	return &s, err
}

// structureFor is what is known of a structure, or a new one.
func structureFor(tx store.Tx, id, actor string) (*Structure, error) {
	s, err := structures.Maybe(tx, id)
	if s.ID == "" {
		s = Structure{
			ID:             id,
			Actor:          actor,
			Mandataires:    []string{},
			Administrators: map[string]Administrator{},
			Cards:          []string{},
		}
	}
	return &s, err
}

// structuresWhere lists those of the structures where somebody has a role that
// match.
func structuresWhere(tx store.Tx, id string, match func(*Structure) bool) ([]Structure, error) {
	ids, err := structuresOf.Maybe(tx, id)
	if err != nil {
		return nil, err
	}
	all, err := structures.Those(tx, ids)
	return append([]Structure{}, slices.DeleteFunc(all, func(s Structure) bool { return !match(&s) })...), err
}

// ActsFor lists the structures somebody represents, or is mandataire of.
func (d *Desk) ActsFor(ctx context.Context, id string) (out []Structure, err error) {
	err = d.store.View(ctx, func(tx store.Tx) error {
		out, err = actsFor(tx, id)
		return err
	})
	return out, err
}

func actsFor(tx store.Tx, id string) ([]Structure, error) {
	return structuresWhere(tx, id, func(s *Structure) bool { return s.actsFor(id) })
}

// managedBy tells whether a card was ordered for a structure somebody acts for.
func managedBy(tx store.Tx, serial, id string) (bool, error) {
	of, err := structureOf.Maybe(tx, serial)
	if err != nil || of == "" {
		return false, err
	}
	s, err := structures.Maybe(tx, of)
	return s.actsFor(id), err
}
