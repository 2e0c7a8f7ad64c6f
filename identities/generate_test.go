package identities_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pscemu/identities"
	"pscemu/identities/nomenclature"
	"pscemu/problem"
)

func TestAHundredThousandGeneratedPeopleAreValidAndDifferent(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	g := &identities.Generator{Seed: 42}
	seen, professions := make(map[string]bool, n), map[string]int{}
	for k := range n {
		p := g.Person(k)
		if err := p.Validate(); err != nil {
			t.Fatalf("%s: %v", p.NationalID, err)
		}
		if seen[p.NationalID] || !strings.HasPrefix(p.NationalID, "8997") || !nomenclature.Luhn(p.NationalID[1:]) {
			t.Fatalf("%s comes twice, or is no test RPPS", p.NationalID)
		}
		seen[p.NationalID] = true
		professions[p.Profession()]++
		for _, e := range p.Exercises {
			for _, a := range e.Activities {
				if former := a.FormerStructureID; former[0] == '4' && !nomenclature.Luhn(former[1:]) {
					t.Fatalf("RPPS-rang %s", former)
				}
			}
		}
	}
	if professions["60"] < professions["10"] || professions["10"] < professions["21"] {
		t.Errorf("the mix is not the population's: %v", professions)
	}
}

func TestTheSameSeedGivesTheSamePeopleByteForByte(t *testing.T) {
	people := func(seed uint64) string {
		g := &identities.Generator{Seed: seed, Theme: "hospital"}
		var all []*identities.Identity
		for k := range 50 {
			all = append(all, g.Person(k))
		}
		b, _ := json.Marshal(all)
		return string(b)
	}
	if first, again := people(7), people(7); first != again {
		t.Error("they differ")
	}
	if people(7) == people(8) {
		t.Error("another seed gives the same")
	}
}

func TestEachOfTheProfessionsCanBeGenerated(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range []string{"G15", "R95", "R94", "R291"} {
		all, _ := nomenclature.Lookup(table)
		for _, c := range all.Codes {
			g := &identities.Generator{Seed: 1, Profession: c.Code}
			if g.Check() != nil {
				continue
			}
			seen[c.Code] = true
			for k := range 20 {
				if p := g.Person(k); p.Profession() != c.Code || p.Validate() != nil {
					t.Errorf("%s: %+v %v", c.Code, p, p.Validate())
				}
			}
		}
	}
	if len(seen) != 29 {
		t.Errorf("%d professions", len(seen))
	}
	if err := (&identities.Generator{Profession: "999"}).Check(); !problem.Is(err, "profession-unknown") {
		t.Error(err)
	}
	if err := (&identities.Generator{Profession: "21", Theme: "ambulance"}).Check(); !problem.Is(err, "theme-empty") {
		t.Error(err)
	}
}

func TestACodeIsCheckedAgainstItsTableAndItsNeighbours(t *testing.T) {
	person := func(change func(*identities.Identity, *identities.Exercise, *identities.Activity)) *identities.Identity {
		i := &identities.Identity{NationalID: "899700366240", FamilyName: "A", GivenName: "B", Civility: "M"}
		e := identities.Exercise{Profession: "10", Category: "C", KnowHowType: "S", KnowHow: "SM26"}
		a := identities.Activity{Mode: "L", Sector: "SA07", Kind: "GENR01"}
		change(i, &e, &a)
		e.Activities = []identities.Activity{a}
		i.Exercises = []identities.Exercise{e}
		return i
	}
	for name, c := range map[string]struct {
		change     func(*identities.Identity, *identities.Exercise, *identities.Activity)
		code, says string
	}{
		"good":                   {func(*identities.Identity, *identities.Exercise, *identities.Activity) {}, "", ""},
		"unknown sector":         {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.Sector = "SA7" }, "code-unknown", "SA0"},
		"unknown profession":     {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.Profession = "11" }, "know-how-of-other-profession", "profession 10"},
		"a midwife's surgery":    {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.Profession = "50" }, "know-how-of-other-profession", "Médecin"},
		"know-how without type":  {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.KnowHowType = "" }, "know-how-type-missing", "S, C, CAPA"},
		"know-how of other type": {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.KnowHowType = "CAPA" }, "code-unknown", "R43"},
		"a doctor's section": {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.PharmacistSection = "A"
		}, "section-not-pharmacist", "profession 21"},
		"a FINESS key":      {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.FINESS = "750712185" }, "key-wrong", "750712184"},
		"a SIRET too short": {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.SIRET = "123" }, "key-wrong", "14 characters"},
		"a civility":        {func(i *identities.Identity, _ *identities.Exercise, _ *identities.Activity) { i.Civility = "MRS" }, "code-unknown", "R81"},
		"wrong on purpose": {func(i *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.Sector, i.AllowInvalid = "XX", "tests our error page"
		}, "", ""},
	} {
		err := person(c.change).Validate()
		if c.code == "" && err != nil || c.code != "" && (!problem.Is(err, c.code) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %s naming %q", name, err, c.code, c.says)
		}
	}
}

func TestExportAndImportLoseNothing(t *testing.T) {
	var people []identities.Identity
	for _, p := range identities.Personas() {
		people = append(people, p.Identity)
	}
	g := &identities.Generator{Seed: 3}
	for k := range 200 {
		people = append(people, *g.Person(k))
	}
	people[0].Notes = "=HYPERLINK(\"evil\")"
	people[1].Notes = "'quoted"
	var asCSV bytes.Buffer
	if err := identities.ExportCSV(&asCSV, people); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(asCSV.String(), ",\"=HYPER") || strings.Contains(asCSV.String(), ",=HYPER") {
		t.Error("a formula stands in the CSV (attack 25)")
	}
	asJSON, err := json.Marshal(people)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"json": asJSON, "csv": asCSV.Bytes(), "listing": []byte(`{"items":` + string(asJSON) + `,"next":""}`)} {
		got, err := identities.ParseImport(raw)
		if err != nil || len(got.People) != len(people) {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range people {
			a, _ := json.Marshal(people[n].UserInfo("CARD"))
			b, _ := json.Marshal(got.People[n].UserInfo("CARD"))
			if string(a) != string(b) || people[n].Notes != got.People[n].Notes || people[n].Email != got.People[n].Email || !reflect.DeepEqual(people[n].Behaviour, got.People[n].Behaviour) {
				t.Fatalf("%s, person %d:\n%+v\n%+v", name, n, people[n], got.People[n])
			}
		}
	}
}

func TestAUserInfoBecomesAPersonWithTheSameClaims(t *testing.T) {
	for _, p := range identities.Personas() {
		want, _ := json.Marshal(p.UserInfo("CARD"))
		raw := append(want[:len(want)-1:len(want)-1], `,"new_claim":{"a":1}}`...)
		got, err := identities.ParseImport(raw)
		if err != nil {
			t.Fatal(err)
		}
		back, _ := json.Marshal(got.People[0].UserInfo("CARD"))
		if string(back) != string(want) {
			t.Errorf("%s\n%s", want, back)
		}
		if len(got.Warnings) == 0 || !strings.Contains(got.Warnings[0], "new_claim") || !strings.Contains(got.People[0].Notes, `new_claim = {"a":1}`) {
			t.Errorf("the unknown claim is lost: %v %q", got.Warnings, got.People[0].Notes)
		}
	}
}

func TestAttack32ImportsThatAreRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ raw, code string }{
		"nothing":       {"", "import-empty"},
		"BOM alone":     {"\ufeff", "import-empty"},
		"truncated":     {`[{"national_id":"8997`, "import-invalid"},
		"unknown key":   {`[{"national_id":"899700366240","familyname":"A"}]`, "import-invalid"},
		"other columns": {"a,b\n1,2\n", "import-columns"},
		"a number":      {"42", "import-columns"},
		"deep nesting":  {strings.Repeat("[", 100_000), "import-invalid"},
	} {
		if _, err := identities.ParseImport([]byte(c.raw)); !problem.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func FuzzParseImport(f *testing.F) {
	for _, seed := range []string{`[{"national_id":"899700366240"}]`, `{"SubjectNameID":"x"}`, "a,b\n", "\ufeff[", "'"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := identities.ParseImport(raw); err == nil && got == nil {
			t.Error("nothing, and no error")
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	g := &identities.Generator{Seed: 1}
	for n := range b.N {
		g.Person(n)
	}
}

func TestAMixWeighsAndTrapsBreakCarelessSoftware(t *testing.T) {
	g := &identities.Generator{Seed: 9, Mix: map[string]int{"10": 1, "60": 3}, Traps: true}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	count, names := map[string]int{}, map[string]bool{}
	for k := range 2000 {
		p := g.Person(k)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		count[p.Profession()]++
		names[p.FamilyName] = true
	}
	if len(count) != 2 || count["60"] < 2*count["10"] {
		t.Errorf("the mix: %v", count)
	}
	for _, want := range []string{"D'ARTAGNAN-L'HERMITTE", "O", strings.Repeat("ABCDEFGH", 10), "LE\u0301GER", "<b>GRAS</b>"} {
		if !names[want] {
			t.Errorf("no %q", want)
		}
	}
	for _, mix := range []map[string]int{{"11": 1}, {"10": 0}, {"10": -1}} {
		if err := (&identities.Generator{Mix: mix}).Check(); !problem.Is(err, "mix-invalid") {
			t.Errorf("%v: %v", mix, err)
		}
	}
}
