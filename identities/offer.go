package identities

import (
	"slices"

	"pscemu.invalid/pscemu/identities/nomenclature"
)

// What goes with what, for forms whose choices follow one another: profession,
// then know-how, then mode, then sector, then structure.

// KnowHowTypesOf are the types of know-how (R04) that a profession may have.
func KnowHowTypesOf(profession string) []string {
	if p := professionOf(profession); p != nil {
		return p.KnowHowTypes
	}
	return nil
}

// KnowHowCodes are the codes in force of a type of know-how that a profession
// may have; "" is the profession's first type.
func KnowHowCodes(profession, kind string) (out []nomenclature.Concept) {
	types := KnowHowTypesOf(profession)
	if kind == "" && len(types) > 0 {
		kind = types[0]
	}
	if !slices.Contains(types, kind) {
		return nil
	}
	table, _ := nomenclature.Lookup(knowHowTables[kind])
	for _, c := range table.Codes {
		if of := SpecialtyOf(c.Code); c.End == "" && (of == "" || of == profession) {
			out = append(out, c)
		}
	}
	return out
}

// CivilitiesOf are the civilities of exercise (R11) that a profession may have.
func CivilitiesOf(profession string) []string {
	if p := professionOf(profession); p != nil {
		return p.Civilities
	}
	return nil
}

// OrdreOf is the order (R82) that registers a profession, "" when it has none.
func OrdreOf(profession string) string {
	if p := professionOf(profession); p != nil {
		return p.Order
	}
	return ""
}

// SectorsOf are the sectors (R02) where people of a profession usually work in
// this mode (R23).
func SectorsOf(profession, mode string) []string {
	if p := professionOf(profession); p != nil {
		return p.Sectors[mode]
	}
	return nil
}

// Structures are some places of a sector, the same ones each time.
func Structures(sector string) []Activity {
	out := make([]Activity, 8)
	for n := range out {
		out[n] = Activity{Sector: sector, Country: "99000"}
		(&Generator{}).structureNo(n, &out[n])
	}
	return out
}

// MoveTo puts the activity into another structure; mode, sector and role stay.
func (a *Activity) MoveTo(structure Activity) {
	structure.Mode, structure.Sector, structure.PharmacistSection = a.Mode, a.Sector, a.PharmacistSection
	structure.Role, structure.Kind, structure.RegistrationAuthority = a.Role, a.Kind, a.RegistrationAuthority
	*a = structure
}

// Settle takes away what no longer goes with the exercise's profession, and
// names the type of a know-how that was chosen without.
func (e *Exercise) Settle() {
	p := professionOf(e.Profession)
	if p == nil {
		return
	}
	if e.KnowHowType == "" && e.KnowHow != "" && len(p.KnowHowTypes) > 0 {
		e.KnowHowType = p.KnowHowTypes[0]
	}
	if !slices.Contains(p.KnowHowTypes, e.KnowHowType) {
		e.KnowHowType, e.KnowHow = "", ""
	}
	if table := knowHowTables[e.KnowHowType]; e.KnowHow != "" &&
		(nomenclature.Label(table, e.KnowHow) == "" || e.checkKnowHow("") != nil) {
		e.KnowHow = ""
	}
	if e.checkCivility("") != nil {
		e.Civility = p.Civility
	}
	for n := range e.Activities {
		a := &e.Activities[n]
		if a.checkSection("", e) != nil {
			a.PharmacistSection = ""
		}
		if a.checkRole("", e) != nil {
			a.Role = ""
		}
		if roles := p.Roles[a.Sector]; a.Role == "" && len(roles) > 0 {
			a.Role = roles[0]
		}
	}
}

// FieldLabel is the French name of a field of an exercise or activity, as the
// directory's extraction has it.
func FieldLabel(field string) string {
	for _, c := range annuaireColumns() {
		if c.field == field {
			return c.title
		}
	}
	return field
}
