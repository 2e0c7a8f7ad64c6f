package identities

import (
	"fmt"
	"strings"

	"pscemu/identities/nomenclature"
	"pscemu/problem"
)

// knowHowTables tell, by type of know-how (R04), which table its codes are of.
var knowHowTables = map[string]string{"S": "R38", "C": "R39", "CEX": "R40", "DNQ": "R42", "CAPA": "R43", "PAC": "R44", "FQ": "R45", "DEC": "R97", "OP": "G13", "SST": "R359"}

// specialties tell, by the letters before a code's number, which profession a
// specialty (R38) is of.
var specialties = map[string]string{"SM": "10", "SCD": "40", "SI": "60", "SP": "21"}

// SpecialtyOf is the profession that may have this specialty (R38), "" when
// nothing is known.
func SpecialtyOf(code string) string { return specialties[strings.TrimRight(code, "0123456789")] }

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
	fields := []field{{"civility", i.Civility, []string{"R81"}}}
	for n, e := range i.Exercises {
		at := fmt.Sprintf("exercices[%d].", n)
		fields = append(fields, field{at + "codeProfession", e.Profession, []string{"G15", "R95", "R94", "R291"}}, field{at + "codeCategorieProfessionnelle", e.Category, []string{"R09"}},
			field{at + "codeCiviliteDexercice", e.Civility, []string{"R11", "R81"}}, field{at + "codeTypeSavoirFaire", e.KnowHowType, []string{"R04"}})
		if err := e.checkKnowHow(at); err != nil {
			return err
		}
		for m, a := range e.Activities {
			at := fmt.Sprintf("%sactivities[%d].", at, m)
			fields = append(fields, field{at + "codeModeExercice", a.Mode, []string{"R23"}}, field{at + "codeSecteurDactivite", a.Sector, []string{"R02"}},
				field{at + "codeSectionPharmacien", a.PharmacistSection, []string{"R06"}}, field{at + "codeRole", a.Role, []string{"R21", "R85", "R96"}},
				field{at + "codeGenreActivite", a.Kind, []string{"R22"}}, field{at + "codeTypeDeVoie", a.StreetType, []string{"R35"}})
			if a.PharmacistSection != "" && e.Profession != "21" {
				return problem.New(problem.Invalid, "section-not-pharmacist", at+"codeSectionPharmacien is a pharmacist's").Got("profession " + e.Profession).Want("profession 21, or no section")
			}
			if err := a.checkKeys(at); err != nil {
				return err
			}
		}
	}
	for _, f := range fields {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
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
	return problem.New(problem.Invalid, "code-unknown", f.name+" is not in its table").Got(f.value).Want(want).Do("correct it, or keep the person wrong on purpose with allow_invalid and the reason")
}

// checkKnowHow wants the code in the table its type names, and a specialty
// that its profession may have.
func (e *Exercise) checkKnowHow(at string) error {
	switch {
	case e.KnowHow == "":
		return nil
	case e.KnowHowType == "":
		return problem.New(problem.Invalid, "know-how-type-missing", at+"codeSavoirFaire came without its type").Got(e.KnowHow).Want("codeTypeSavoirFaire: S, C, CAPA …")
	}
	table := knowHowTables[e.KnowHowType]
	if table == "" {
		return nil // CM, SH: their tables are not published
	}
	if err := (field{at + "codeSavoirFaire", e.KnowHow, []string{table}}).check(); err != nil {
		return err
	}
	if of := SpecialtyOf(e.KnowHow); table == "R38" && of != "" && of != e.Profession {
		return problem.New(problem.Invalid, "know-how-of-other-profession", at+"codeSavoirFaire is a specialty of another profession").Got(e.KnowHow + " with profession " + e.Profession).Want("profession " + of + " (" + nomenclature.ProfessionLabel(of) + ")")
	}
	return nil
}

// checkKeys checks the identifiers of a structure.
func (a *Activity) checkKeys(at string) error {
	for _, id := range []struct {
		name, value string
		length      int
	}{{"numeroFinessSite", a.FINESS, 9}, {"numeroFinessetablissementJuridique", a.FINESSLegal, 9}, {"numeroSirenSite", a.SIREN, 9}, {"numeroSiretSite", a.SIRET, 14}} {
		if id.value != "" && (len(id.value) != id.length || !nomenclature.Luhn(id.value)) {
			want := fmt.Sprintf("%d characters", id.length)
			if len(id.value) == id.length {
				want = id.value[:id.length-1] + nomenclature.LuhnKey(id.value[:id.length-1])
			}
			return problem.New(problem.Invalid, "key-wrong", at+id.name+" has a wrong key or length").Got(id.value).Want(want)
		}
	}
	return nil
}
