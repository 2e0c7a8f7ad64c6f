package pages

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

// choice is one option of a select.
type choice struct{ Code, Label string }

func choices(table string, keep func(code string) bool) []choice {
	t, _ := nomenclature.Lookup(table)
	out := []choice{}
	for _, c := range t.Codes {
		if c.End == "" && (keep == nil || keep(c.Code)) {
			out = append(out, choice{c.Code, c.Label})
		}
	}
	return out
}

func among(codes []string) func(string) bool {
	return func(code string) bool { return slices.Contains(codes, code) }
}

// exerciseForm is an exercise with what can be chosen for it.
type exerciseForm struct {
	identities.Exercise
	At, Label              string // e0, the profession's name
	Civilities, Types, How []choice
	Places                 []activityForm
}

// activityForm is an activity with what can be chosen for it.
type activityForm struct {
	identities.Activity
	At, Of        string // e0.a0, of e0
	Usual, Others []choice
	Structures    []choice
	Details       []detail
}

// detail is a field that is typed.
type detail struct{ Name, Label, Value string }

// chosen are the fields of an activity that the form shows as selects.
var chosen = []string{
	"codeModeExercice",
	"codeSecteurDactivite",
	"codeSectionPharmacien",
	"codeRole",
	"codeGenreActivite",
}

func exerciseForms(i *identities.Identity) (out []exerciseForm) {
	for n, e := range i.Exercises {
		f := exerciseForm{
			Exercise:   e,
			At:         fmt.Sprintf("e%d", n),
			Label:      nomenclature.ProfessionLabel(e.Profession),
			Civilities: choices("R11", among(identities.CivilitiesOf(e.Profession))),
			Types:      choices("R04", among(identities.KnowHowTypesOf(e.Profession))),
		}
		for _, c := range identities.KnowHowCodes(e.Profession, e.KnowHowType) {
			f.How = append(f.How, choice{c.Code, c.Label})
		}
		for m, a := range e.Activities {
			f.Places = append(f.Places, activityFormOf(a, e.Profession, f.At, m))
		}
		out = append(out, f)
	}
	return out
}

// activityFormOf is the form of an activity, which is the nth of its exercise.
func activityFormOf(a identities.Activity, profession, of string, n int) activityForm {
	fit := identities.SectorsOf(profession, a.Mode)
	p := activityForm{
		Activity: a,
		At:       fmt.Sprintf("%s.a%d", of, n),
		Of:       of,
		Usual:    choices("R02", among(fit)),
		Others:   choices("R02", func(code string) bool { return !slices.Contains(fit, code) }),
	}
	for k, s := range identities.Structures(a.Sector) {
		p.Structures = append(p.Structures, choice{strconv.Itoa(k), s.CorporateName})
	}
	p.Details = details(a, p.At)
	return p
}

// details are the fields of an activity that are typed, in PSC's order.
func details(a identities.Activity, at string) (out []detail) {
	raw, _ := json.Marshal(a) // strings alone
	d := json.NewDecoder(strings.NewReader(string(raw)))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		value, _ := d.Token()
		if field := fmt.Sprint(name); !slices.Contains(chosen, field) {
			out = append(out, detail{at + "." + field, identities.FieldLabel(field), fmt.Sprint(value)})
		}
	}
	return out
}

// professions are those that can be generated.
func professions() (out []choice) {
	for _, code := range identities.Professions() {
		out = append(out, choice{code, nomenclature.ProfessionLabel(code)})
	}
	return out
}

// examples are the personas, to begin from.
func examples() (out []choice) {
	for _, p := range identities.Personas() {
		out = append(out, choice{p.NationalID, p.Name() + " — " + p.Notes})
	}
	return out
}
