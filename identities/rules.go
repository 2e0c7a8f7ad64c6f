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
	want := "a code of " + strings.Join(f.tables, " or ") + " (pscemu codes " + f.tables[0] + ")"
	if near := problem.Nearest(f.value, codes); near != "" {
		want = near + ", or another code of " + strings.Join(f.tables, " or ")
	} else if len(codes) <= 12 {
		want = strings.Join(codes, ", ")
	}
	return refused("code-unknown", f.name+" is not in its table", f.value, want)
}

// refused is how every rule says no: there is always the way to keep the
// person wrong on purpose.
func refused(code, reason, got, want string) error {
	return problem.New(problem.Invalid, code, reason).
		Got(got).
		Want(want).
		Do("correct it, or keep the person wrong on purpose with allow_invalid and the reason")
}

// checkKnowHow wants a type that the profession may have, the code in the
// table its type names, and a specialty of this profession.
func (e *Exercise) checkKnowHow(at string) error {
	if e.KnowHow != "" && e.KnowHowType == "" {
		return refused(
			"know-how-type-missing",
			at+"codeSavoirFaire came without its type",
			e.KnowHow,
			"codeTypeSavoirFaire: S, C, CAPA …",
		)
	}
	if table := knowHowTables[e.KnowHowType]; table != "" && e.KnowHow != "" { // CM, SH: their tables are not published
		if err := (field{at + "codeSavoirFaire", e.KnowHow, []string{table}}).check(); err != nil {
			return err
		}
		if of := SpecialtyOf(e.KnowHow); table == "R38" && of != "" && of != e.Profession {
			return refused(
				"know-how-of-other-profession",
				at+"codeSavoirFaire is a specialty of another profession",
				e.KnowHow+" with profession "+e.Profession,
				"profession "+of+" ("+nomenclature.ProfessionLabel(of)+")",
			)
		}
	}
	if p := professionOf(
		e.Profession,
	); p != nil && e.KnowHowType != "" && nomenclature.Label("R04", e.KnowHowType) != "" &&
		!slices.Contains(p.KnowHowTypes, e.KnowHowType) {
		return refused(
			"know-how-type-of-other-profession",
			at+"codeTypeSavoirFaire is not one this profession has",
			e.KnowHowType+" with profession "+e.Profession,
			"one of "+strings.Join(p.KnowHowTypes, ", ")+", or none",
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
	return refused(
		"civility-of-other-profession",
		at+"codeCiviliteDexercice is not one this profession has",
		e.Civility+" with profession "+e.Profession,
		"one of "+strings.Join(append(slices.Clone(p.Civilities), "M", "MME"), ", ")+", or none",
	)
}

// checkStudent: only the professions with an order register their students;
// the others' hold a CPE and no exercise (pki-and-cards, "Which card for whom").
func (e *Exercise) checkStudent(at string) error {
	if p := professionOf(e.Profession); e.Category == student && p != nil && p.Order == "" {
		return refused(
			"student-without-order",
			at+"codeCategorieProfessionnelle is a student's, but this profession has no order that registers students",
			"E with profession "+e.Profession,
			"C; or a profession with an order: 10, 21, 40, 50, 60, 70, 80",
		)
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
		return refused(
			"section-not-pharmacist",
			at+"codeSectionPharmacien is a pharmacist's",
			"profession "+e.Profession,
			"profession 21, or no section",
		)
	case fit != nil && a.Sector != "" && !slices.Contains(fit, a.Sector):
		return refused(
			"section-of-other-sector",
			at+"codeSectionPharmacien does not go with the sector",
			a.PharmacistSection+" in "+a.Sector,
			"a sector of "+strings.Join(fit, ", "),
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
		return refused(
			"role-missing",
			at+"codeRole: profession 99 is known by its role",
			a.Role,
			"a code of R85, such as 314 (Ambulancier)",
		)
	case a.Role != "" && !function && nomenclature.Label("G15", e.Profession) != "":
		return refused(
			"role-of-other-profession",
			at+"codeRole is not a health professional's",
			a.Role+" with profession "+e.Profession,
			"a function of R21, such as FON-01; or profession 99",
		)
	case slices.Contains(studentRoles, a.Role) && e.Category != student:
		return refused(
			"role-of-student",
			at+"codeRole is a student's",
			a.Role+" with category "+e.Category,
			"codeCategorieProfessionnelle E, or another role",
		)
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
	}{{"numeroFinessSite", a.FINESS, 9}, {"numeroFinessetablissementJuridique", a.FINESSLegal, 9}, {"numeroSirenSite", a.SIREN, 9}, {"numeroSiretSite", a.SIRET, 14}} {
		if id.value != "" && len(id.value) != id.length {
			return refused(
				"key-wrong",
				at+id.name+" has a wrong length",
				id.value,
				fmt.Sprintf("%d characters", id.length),
			)
		}
		if id.value != "" && !nomenclature.Luhn(id.value) {
			return wrongKey(at+id.name, "", id.value)
		}
	}
	for name, id := range map[string]string{"identifiantTechniqueDeLaStructure": a.StructureID, "ancienIdentifiantDeLaStructure": a.FormerStructureID} {
		if id != "" && len(id)-1 == structureKeys[id[0]] && !nomenclature.Luhn(id[1:]) {
			return wrongKey(at+name, id[:1], id[1:])
		}
	}
	if a.SIREN != "" && a.SIRET != "" && !strings.HasPrefix(a.SIRET, a.SIREN) {
		return refused(
			"siret-of-other-siren",
			at+"numeroSiretSite is not one of the SIREN",
			a.SIRET+" with SIREN "+a.SIREN,
			a.SIREN+" and five digits",
		)
	}
	return nil
}

func wrongKey(name, prefix, number string) error {
	return refused(
		"key-wrong",
		name+" has a wrong key",
		prefix+number,
		prefix+number[:len(number)-1]+nomenclature.LuhnKey(number[:len(number)-1]),
	)
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
	return problem.New(problem.Invalid, "national-id-real", "this national id could belong to a real person").Got(id).
		Want(id[:1] + kind.prefix + "… (a test number), or ANS + 14 digits").
		Do("take a test number (pscemu identities generate), or import with fictitious=true, which gives the person one")
}
