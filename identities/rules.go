package identities

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// knowHowTables tell, by type of know-how (R04), which table its codes are of.
var knowHowTables = map[string]string{
	"S":    "R38",
	"C":    "R39",
	"CEX":  "R40",
	"DNQ":  "R42",
	"CAPA": "R43",
	"PAC":  "R44",
	"FQ":   "R45",
	"DEC":  "R97",
	"OP":   "G13",
	"SST":  "R359",
}

// KnowHowTables lists the tables of know-how.
func KnowHowTables() []string { return slices.Sorted(maps.Values(knowHowTables)) }

// specialties tell, by the letters before a code's number, which profession a
// specialty (R38) is of.
var specialties = map[string]string{"SM": "10", "SCD": "40", "SI": "60", "SP": "21"}

// SpecialtyOf is the profession that may have this specialty (R38), "" when
// nothing is known.
func SpecialtyOf(code string) string { return specialties[strings.TrimRight(code, "0123456789")] }

// student is the professional category (R09) of those who still learn.
const student = "E"

// studentRoles are the functions (R21) that only students have: étudiant
// remplaçant, interne, étudiant militaire, docteur junior.
var studentRoles = []string{"FON-47", "FON-48", "FON-52", "FON-57"}

// field is a value of a person with the tables it may be of.
type field struct {
	name, value string
	tables      []string
}

// CheckCodes checks every code against its table and its neighbours, and every
// identifier against its key. A person with allow_invalid is left as they are.
func (i *Identity) CheckCodes() error {
	if i.AllowInvalid != "" {
		return nil
	}
	if err := (field{"civility", i.Civility, []string{"R81"}}).check(); err != nil {
		return err
	}
	for n := range i.Exercises {
		e, at := &i.Exercises[n], fmt.Sprintf("exercices[%d].", n)
		if err := e.check(at); err != nil {
			return err
		}
		for m := range e.Activities {
			if err := e.Activities[m].check(fmt.Sprintf("%sactivities[%d].", at, m), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// first returns the first error of these checks.
func first(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (e *Exercise) check(at string) error {
	return first(
		func() error { return e.checkKnowHow(at) },
		field{at + "codeProfession", e.Profession, nomenclature.ProfessionTables}.check,
		field{at + "codeCategorieProfessionnelle", e.Category, []string{"R09"}}.check,
		field{at + "codeCiviliteDexercice", e.Civility, []string{"R11", "R81"}}.check,
		field{at + "codeTypeSavoirFaire", e.KnowHowType, []string{"R04"}}.check,
		func() error { return e.checkCivility(at) },
		func() error { return e.checkStudent(at) },
	)
}

func (a *Activity) check(at string, e *Exercise) error {
	return first(
		func() error { return a.checkKeys(at) },
		field{at + "codeModeExercice", a.Mode, []string{"R23"}}.check,
		field{at + "codeSecteurDactivite", a.Sector, []string{"R02"}}.check,
		field{at + "codeSectionPharmacien", a.PharmacistSection, []string{"R06"}}.check,
		field{at + "codeRole", a.Role, []string{"R21", "R85", "R96"}}.check,
		field{at + "codeGenreActivite", a.Kind, []string{"R22"}}.check,
		field{at + "codeTypeDeVoie", a.StreetType, []string{"R35"}}.check,
		func() error { return a.checkSection(at, e) },
		func() error { return a.checkRole(at, e) },
	)
}

// check finds the value in its tables; the error names the nearest code.
func (f field) check() error {
	if f.value == "" {
		return nil
	}
	var codes []string
	for _, t := range f.tables {
		if nomenclature.Label(t, f.value) != "" {
			return nil
		}
		table, _ := nomenclature.Lookup(t)
		for _, c := range table.Codes {
			codes = append(codes, c.Code)
		}
	}
	p := problem.CodeUnknown.Case("table")
	if near := problem.Nearest(f.value, codes); near != "" {
		p = problem.CodeUnknown.Case("table-near").With("nearest", near)
	} else if len(codes) <= 12 {
		p = problem.CodeUnknown.Case("table-list").With("accepted", codes)
	}
	return p.With("field", f.name).With("tables", problem.Or(f.tables)).With("table", f.tables[0]).Got(f.value)
}

// checkKnowHow wants a type that the profession may have, the code in the
// table its type names, and a specialty of this profession.
func (e *Exercise) checkKnowHow(at string) error {
	if e.KnowHow != "" && e.KnowHowType == "" {
		return problem.KnowHowTypeMissing.With("at", at).Got(e.KnowHow)
	}
	if table := knowHowTables[e.KnowHowType]; table != "" && e.KnowHow != "" { // CM, SH: their tables are not published
		if err := (field{at + "codeSavoirFaire", e.KnowHow, []string{table}}).check(); err != nil {
			return err
		}
		if of := SpecialtyOf(e.KnowHow); table == "R38" && of != "" && of != e.Profession {
			return problem.KnowHowOfOtherProfession.With("at", at).With("know_how", e.KnowHow).With(
				"profession",
				e.Profession,
			).With(
				"owner",
				of,
			).With(
				"profession_label",
				nomenclature.ProfessionLabel(of),
			)
		}
	}
	if p := professionOf(
		e.Profession,
	); p != nil && e.KnowHowType != "" && nomenclature.Label("R04", e.KnowHowType) != "" &&
		!slices.Contains(p.KnowHowTypes, e.KnowHowType) {
		return problem.KnowHowTypeOfOtherProfession.With("at", at).With("know_how_type", e.KnowHowType).With(
			"profession",
			e.Profession,
		).With(
			"accepted",
			p.KnowHowTypes,
		)
	}
	return nil
}

// checkCivility wants a civility of exercise (Docteur, Médecin chef …) that
// goes with the profession; R81 (M, MME) goes with any.
func (e *Exercise) checkCivility(at string) error {
	p := professionOf(e.Profession)
	if p == nil || e.Civility == "" || nomenclature.Label("R81", e.Civility) != "" ||
		slices.Contains(p.Civilities, e.Civility) {
		return nil
	}
	return problem.CivilityOfOtherProfession.With("at", at).With("civility", e.Civility).With(
		"profession",
		e.Profession,
	).With(
		"accepted",
		append(slices.Clone(p.Civilities), "M", "MME"),
	)
}

// checkStudent: only the professions with an order register their students;
// the others' hold a CPE and no exercise (pki-and-cards, "Which card for whom").
func (e *Exercise) checkStudent(at string) error {
	if p := professionOf(e.Profession); e.Category == student && p != nil && p.Order == "" {
		return problem.StudentWithoutOrder.With("at", at).With("profession", e.Profession)
	}
	return nil
}

// checkSection: the sections of the order's table are the pharmacists', and
// some of them go with their own sectors only.
func (a *Activity) checkSection(at string, e *Exercise) error {
	switch fit := data().SectionSectors[a.PharmacistSection]; {
	case a.PharmacistSection == "":
		return nil
	case e.Profession != "21":
		return problem.SectionNotPharmacist.With("at", at).With("profession", e.Profession)
	case fit != nil && a.Sector != "" && !slices.Contains(fit, a.Sector):
		return problem.SectionOfOtherSector.With("at", at).With("pharmacist_section", a.PharmacistSection).With(
			"sector",
			a.Sector,
		).With(
			"accepted",
			fit,
		)
	}
	return nil
}

// checkRole: who is known by a role alone (profession 99) has one of R85 or
// R96, a health profession one of R21, and some are students' alone.
func (a *Activity) checkRole(at string, e *Exercise) error {
	function := nomenclature.Label("R21", a.Role) != ""
	switch {
	case e.Profession == "99" && (a.Role == "" || function):
		return problem.RoleMissing.With("at", at).Got(a.Role)
	case a.Role != "" && !function && nomenclature.Label("G15", e.Profession) != "":
		return problem.RoleOfOtherProfession.With("at", at).With("role", a.Role).With("profession", e.Profession)
	case slices.Contains(studentRoles, a.Role) && e.Category != student:
		return problem.RoleOfStudent.With("at", at).With("role", a.Role).With("category", e.Category)
	}
	return nil
}

// structureKeys tell, by the letter or digit in front of a structure's id, how
// long the number behind it is: F+FINESS and C+SIRET (technical id), 1+FINESS,
// 3+SIRET and 4+RPPS-rang (former id). Numbers of other lengths have no key.
var structureKeys = map[byte]int{'F': 9, 'C': 14, '1': 9, '3': 14, '4': 14}

// checkKeys checks the identifiers of a structure.
func (a *Activity) checkKeys(at string) error {
	for _, id := range []struct {
		name, value string
		length      int
	}{
		{"numeroFinessSite", a.FINESS, 9},
		{"numeroFinessetablissementJuridique", a.FINESSLegal, 9},
		{"numeroSirenSite", a.SIREN, 9},
		{"numeroSiretSite", a.SIRET, 14},
	} {
		if id.value != "" && len(id.value) != id.length {
			return problem.KeyWrong.With("at", at).With("name", id.name).With("length", id.length).Got(id.value)
		}
		if id.value != "" && !nomenclature.Luhn(id.value) {
			return wrongKey(at+id.name, "", id.value)
		}
	}
	for name, id := range map[string]string{
		"identifiantTechniqueDeLaStructure": a.StructureID,
		"ancienIdentifiantDeLaStructure":    a.FormerStructureID,
	} {
		if id != "" && len(id)-1 == structureKeys[id[0]] && !nomenclature.Luhn(id[1:]) {
			return wrongKey(at+name, id[:1], id[1:])
		}
	}
	if a.SIREN != "" && a.SIRET != "" && !strings.HasPrefix(a.SIRET, a.SIREN) {
		return problem.SIRETOfOtherSIREN.With("at", at).With("siret", a.SIRET).With("siren", a.SIREN)
	}
	return nil
}

func wrongKey(name, prefix, number string) error {
	return problem.KeyWrong.Case("digit").With("name", name).With("prefix", prefix).With(
		"number",
		number[:len(number)-1],
	).With(
		"luhn_key",
		nomenclature.LuhnKey(number[:len(number)-1]),
	).Got(prefix + number)
}

// reserved tells, by the type digit of a national id, how the numbers begin
// that are kept for tests, and whether the type's numbers end with a key.
var reserved = map[byte]struct {
	prefix string
	keyed  bool
}{
	'8': {"997", true}, '6': {"997", true}, // RPPS, RPPS-rang
	'0': {"0B", false}, '1': {"0B", false}, // ADELI, ADELI-rang
	'3': {"0B", true},                    // FINESS
	'4': {"00", true}, '5': {"00", true}, // SIREN, SIRET
}

// CheckFictitious refuses a national id that a real person could have: one
// outside the ranges of test numbers whose key, if it has one, is right.
func CheckFictitious(id string) error {
	if id == "" {
		return nil
	}
	number, _, _ := strings.Cut(id[1:], "/")
	kind, known := reserved[id[0]]
	if !known || strings.HasPrefix(number, kind.prefix) || kind.keyed && !nomenclature.Luhn(number) {
		return nil
	}
	return problem.NationalIDReal.With("id", id[:1]).With("prefix", kind.prefix).Got(id)
}
