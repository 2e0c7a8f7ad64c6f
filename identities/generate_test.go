package identities_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

func TestAHundredThousandGeneratedPeopleAreValidAndDifferent(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	g := &identities.Generator{Seed: 42}
	seen, professions, students := make(map[string]bool, n), map[string]int{}, 0
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
		if p.Student() {
			students++
		}
		for _, e := range p.Exercises {
			for _, a := range e.Activities {
				if former := a.FormerStructureID; former[0] == '4' && !nomenclature.Luhn(former[1:]) {
					t.Fatalf("RPPS-rang %s", former)
				}
			}
		}
	}
	if share := float64(students) / float64(n); share < 0.02 || share > 0.06 {
		t.Errorf("%.3f of them are students", share)
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
	for _, card := range []string{"CPE", "CDE", "CPA", "CDA"} {
		g := &identities.Generator{Seed: 1, Profession: card}
		if err := g.Check(); err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for k := range 500 {
			p := g.Person(k)
			if err := p.Validate(); err != nil || identities.CheckFictitious(p.NationalID) != nil ||
				seen[p.NationalID] ||
				!strings.Contains(p.NationalID, "/"+card) {
				t.Errorf("%s: %s %v", card, p.NationalID, err)
			}
			seen[p.NationalID] = true
		}
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
		"good": {func(*identities.Identity, *identities.Exercise, *identities.Activity) {}, "", ""},
		"unknown sector": {
			func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.Sector = "SA7" },
			"code-unknown",
			"SA0",
		},
		"unknown profession": {
			func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.Profession = "11" },
			"know-how-of-other-profession",
			"profession 10",
		},
		"a midwife's surgery": {
			func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.Profession = "50" },
			"know-how-of-other-profession",
			"Médecin",
		},
		"know-how without type": {
			func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.KnowHowType = "" },
			"know-how-type-missing",
			"S, C, CAPA",
		},
		"know-how of other type": {
			func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.KnowHowType = "CAPA" },
			"code-unknown",
			"R43",
		},
		"a doctor's section": {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.PharmacistSection = "A"
		}, "section-not-pharmacist", "profession 21"},
		"a FINESS key": {
			func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.FINESS = "750712185" },
			"key-wrong",
			"750712184",
		},
		"a SIRET too short": {
			func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.SIRET = "123" },
			"key-wrong",
			"14 characters",
		},
		"a civility": {
			func(i *identities.Identity, _ *identities.Exercise, _ *identities.Activity) { i.Civility = "MRS" },
			"code-unknown",
			"R81",
		},
		"a doctor's chief pharmacist": {
			func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.Civility = "PC" },
			"civility-of-other-profession",
			"DR",
		},
		"a doctor's civil title": {
			func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) { e.Civility = "MME" },
			"",
			"",
		},
		"a nurse's capacity": {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) {
			e.Profession, e.KnowHowType, e.KnowHow = "60", "CAPA", "CAPA05"
		}, "know-how-type-of-other-profession", "S, CM"},
		"a student optician": {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) {
			*e = identities.Exercise{Profession: "28", Category: "E"}
		}, "student-without-order", "profession with an order"},
		"a student midwife": {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) {
			*e = identities.Exercise{Profession: "50", Category: "E"}
		}, "", ""},
		"an intern of age": {
			func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) { a.Role = "FON-48" },
			"role-of-student",
			"E",
		},
		"a driver's function": {
			func(_ *identities.Identity, e *identities.Exercise, a *identities.Activity) { a.Role = "314" },
			"role-of-other-profession",
			"R21",
		},
		"99 without role": {func(_ *identities.Identity, e *identities.Exercise, _ *identities.Activity) {
			*e = identities.Exercise{Profession: "99", Category: "C"}
		}, "role-missing", "R85"},
		"a section's sector": {func(_ *identities.Identity, e *identities.Exercise, a *identities.Activity) {
			*e = identities.Exercise{Profession: "21"}
			a.PharmacistSection, a.Sector = "H", "SA33"
		}, "section-of-other-sector", "SA01"},
		"a technical id": {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.StructureID = "F0B0172806"
		}, "key-wrong", "F0B0172805"},
		"a former id": {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.FormerStructureID = "499700366240008"
		}, "key-wrong", "499700366240007"},
		"a foreign SIREN": {func(_ *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.SIREN, a.SIRET = "784359549", "18003502400041"
		}, "siret-of-other-siren", "784359549"},
		"a mail address": {func(i *identities.Identity, _ *identities.Exercise, _ *identities.Activity) {
			i.Email = "a\r\nBcc: b@c"
		}, "email-invalid", "name@host"},
		"a mobile number": {
			func(i *identities.Identity, _ *identities.Exercise, _ *identities.Activity) { i.Mobile = "call me" },
			"mobile-invalid",
			"+33",
		},
		"wrong on purpose": {func(i *identities.Identity, _ *identities.Exercise, a *identities.Activity) {
			a.Sector, i.AllowInvalid = "XX", "tests our error page"
		}, "", ""},
	} {
		err := person(c.change).Validate()
		if c.code == "" && err != nil ||
			c.code != "" && (!problem.Is(err, c.code) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %s naming %q", name, err, c.code, c.says)
		}
	}
}

// everybody is personas, magic and generated people, with what else a person
// may hold.
func everybody() []identities.Identity {
	var people []identities.Identity
	for _, p := range identities.Personas() {
		people = append(people, p.Identity)
	}
	for _, m := range identities.MagicPeople() {
		people = append(people, *m.Identity())
	}
	for _, theme := range []string{"", "hospital", "vendor"} {
		g := &identities.Generator{Seed: uint64(3 + len(theme)), Theme: theme, Traps: theme == ""}
		for k := range 100 {
			people = append(people, *g.Person(k))
		}
	}
	people[0].Notes = "=HYPERLINK(\"evil\")"
	people[1].Notes = "'quoted"
	people[2].Notes = "'=both\nand a line"
	people[3].Policies = map[string]string{"acr": "eidas2"}
	people[4].Faults = []identities.Fault{identities.FaultACRMissing, identities.FaultWrongType}
	people[5].Behaviour = identities.Behaviour{Action: identities.Refuse, After: 3 * time.Second}
	people[6].AllowInvalid, people[6].Exercises[0].Profession = "wrong on purpose", "XX"
	for n := range people {
		if err := people[n].Validate(); err != nil {
			panic(err)
		}
	}
	return people
}

func export(t *testing.T, format string, people []identities.Identity) []byte {
	t.Helper()
	f, ok := identities.FormatNamed(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	var b bytes.Buffer
	err := f.Write(&b, func(fn func(*identities.Identity) error) error {
		for n := range people {
			if err := fn(&people[n]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// same compares what two people keep; nil and empty lists are the same.
func same(a, b *identities.Identity) (string, string, bool) {
	text := func(i *identities.Identity) string {
		c := *i
		c.Exercises = slices.Clone(i.Exercises)
		for n := range c.Exercises {
			if len(c.Exercises[n].Activities) == 0 {
				c.Exercises[n].Activities = nil
			}
		}
		if len(c.Exercises) == 0 {
			c.Exercises = nil
		}
		raw, _ := json.Marshal(c)
		return string(raw)
	}
	x, y := text(a), text(b)
	return x, y, x == y
}

func TestExportAndImportLoseNothing(t *testing.T) {
	people := everybody()
	asJSON := export(t, "json", people)
	for name, raw := range map[string][]byte{
		"json":    asJSON,
		"yaml":    export(t, "yaml", people),
		"csv":     export(t, "csv", people),
		"listing": []byte(`{"items":` + string(asJSON) + `,"next":""}`),
	} {
		got, err := identities.ParseImport(raw)
		if err != nil || len(got.People) != len(people) {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range people {
			if a, b, ok := same(&people[n], &got.People[n]); !ok {
				t.Fatalf("%s, person %d:\n%s\n%s", name, n, a, b)
			}
		}
	}
}

// The extraction and a UserInfo hold less than we do; what they hold comes back.
func TestWhatTheDirectoryAndAUserInfoHoldComesBack(t *testing.T) {
	people := everybody()
	for _, format := range []string{"annuaire", "userinfo"} {
		raw := export(t, format, people)
		got, err := identities.ParseImport(raw)
		if err != nil || len(got.People) != len(people) {
			t.Fatalf("%s: %v", format, err)
		}
		if again := export(t, format, got.People); !bytes.Equal(raw, again) {
			t.Errorf("%s: the second export differs from the first", format)
		}
	}
}

func TestACSVMakesNoFormulas(t *testing.T) {
	for line := range bytes.Lines(export(t, "csv", everybody())) {
		for _, cell := range strings.Split(string(line), ",") {
			if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Fatalf("attack 25: the cell %q", cell)
			}
		}
	}
}

// The columns as the ANS publishes them, a row of each kind.
func TestAnExtractionOfTheAnnuaireIsRead(t *testing.T) {
	header := "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Code civilité d'exercice|Libellé " +
		"civilité d'exercice|Code civilité|Libellé civilité|Nom d'exercice|Prénom d'exercice|Code " +
		"profession|Libellé profession|Code catégorie professionnelle|Libellé catégorie professionnelle|Code type " +
		"savoir-faire|Libellé type savoir-faire|Code savoir-faire|Libellé savoir-faire|Code mode exercice|Libellé mode " +
		"exercice|Numéro SIRET site|Identifiant technique de la structure|Raison sociale site|Code secteur " +
		"d'activité|Libellé secteur d'activité|Colonne de demain|\n"
	rows := "8|99700366240|899700366240|DR|Docteur|M|Monsieur|DOC0036624|KIT|10|Médecin|C|Civil|S|Spécialité " +
		"ordinale|SM26|Qualifié en Médecine générale (SM)|L|Libéral, indépendant, artisan, " +
		"commerçant||R102671|CABINET DU DR DOC|SA07|Cabinet individuel|x|\n" +
		"8|99700366240|899700366240|DR|Docteur|M|Monsieur|DOC0036624|KIT|10|Médecin|C|Civil|S|Spécialité " +
		"ordinale|SM26|Qualifié en Médecine générale (SM)|S|Salarié||F0B0172805|HOPITAL GENERIQUE|SA01|Etablissement " +
		"public de santé|x|\n" +
		"8|99700366240|899700366240|DR|Docteur|M|Monsieur|DOC0036624|KIT|10|Médecin|C|Civil|CAPA|Capacité|CAPA05|" +
		"Capacité|S|Salarié||F0B0172805|HOPITAL GENERIQUE|SA01|Etablissement public de santé|x|\n" +
		"0|0B7010446|00B7010446|||MME|Madame|'T HOOFT|HONORE|70|Masseur-Kinésithérapeute|C|Civil|||||||||||x|\n"
	got, err := identities.ParseImport([]byte("\ufeff" + header + rows))
	if err != nil || len(got.People) != 2 {
		t.Fatalf("%v %+v", err, got)
	}
	doctor, kine := got.People[0], got.People[1]
	if len(doctor.Exercises) != 2 || len(doctor.Exercises[0].Activities) != 2 ||
		doctor.Exercises[1].KnowHow != "CAPA05" ||
		doctor.MainActivity().Sector != "SA07" ||
		doctor.Civility != "M" {
		t.Errorf("the doctor: %+v", doctor)
	}
	if kine.FamilyName != "'T HOOFT" || len(kine.Exercises) != 1 || len(kine.Exercises[0].Activities) != 0 {
		t.Errorf("the physiotherapist: %+v", kine)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "Colonne de demain") {
		t.Errorf("warnings: %v", got.Warnings)
	}
	if _, err := identities.ParseImport([]byte("Nom|Prénom|\nA|B|\n")); !problem.Is(err, "import-columns") {
		t.Error(err)
	}
	if _, err := identities.ParseImport([]byte(header + "8|99700366240|\n")); !problem.Is(err, "import-invalid") {
		t.Error(err)
	}
}

func TestCodesInYAMLNeedNoQuotes(t *testing.T) {
	got, err := identities.ParseImport(
		[]byte(
			"# one person\n- national_id: 899700366240\n  family_name: DOC\n  given_name: KIT\n  behaviour: refuse 3s\n  " +
				"exercices:\n    - codeProfession: 10\n      activities:\n        - {codeSecteurDactivite: SA07, numeroVoie: " +
				"007}\n",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	p := got.People[0]
	if p.NationalID != "899700366240" || p.Profession() != "10" || p.MainActivity().StreetNumber != "007" ||
		p.Behaviour.Action != identities.Refuse {
		t.Errorf("%+v", p)
	}
}

func TestAHandMadeCSVNeedsFewColumnsInAnyOrder(t *testing.T) {
	got, err := identities.ParseImport(
		[]byte(
			"family_name;given_name;national_id;codeProfession;codeSecteurDactivite\nA;B;899700366240;60;SA01\nC;D;" +
				"899700237045;;\nA;B;899700366240;60;SA07\n",
		),
	)
	if err != nil || len(got.People) != 2 {
		t.Fatalf("%v %+v", err, got)
	}
	if e := got.People[0].Exercises; len(e) != 1 || len(e[0].Activities) != 2 || len(got.People[1].Exercises) != 0 {
		t.Errorf("%+v", got.People)
	}
}

func TestANumberThatCouldBeARealPersonsIsRefused(t *testing.T) {
	actual := "81000000000"
	actual += nomenclature.LuhnKey(actual[1:])
	for id, refused := range map[string]bool{
		actual: true, "899700366240": false, "810102727017": false, // its key is wrong: nobody's
		"0752612345":                true,
		"00B7010446":                false,
		"3750712184/12":             true,
		"30B0172805/12":             false,
		"500000001815646/CPAT00045": false,
		"518003502400041/1":         true, "ANS20250114103000": false,
	} {
		if err := identities.CheckFictitious(id); refused != problem.Is(err, "national-id-real") {
			t.Errorf("%s: %v", id, err)
		}
	}
	i := identities.Identity{
		NationalID: actual,
		FamilyName: "DUPONT",
		GivenName:  "JEANNE",
		Email:      "j@d.fr",
		Notes:      "x",
		Exercises: []identities.Exercise{
			{
				Profession: "10",
				FamilyName: "DUPONT",
				GivenName:  "JEANNE",
				Activities: []identities.Activity{
					{
						Sector:            "SA07",
						CorporateName:     "CABINET DU DR DUPONT",
						Phone:             "0102030405",
						FormerStructureID: "4" + actual[1:] + "000",
					},
				},
			},
		},
	}
	again := i
	if identities.MakeFictitious(&i) == "" || identities.CheckFictitious(i.NationalID) != nil || i.Validate() != nil {
		t.Errorf("%+v %v", i, i.Validate())
	}
	if raw, _ := json.Marshal(
		i,
	); strings.Contains(
		string(raw),
		"DUPONT",
	) || strings.Contains(string(raw), "0102030405") || strings.Contains(string(raw), actual[1:]) ||
		i.MainActivity().Sector != "SA07" {
		t.Errorf("something of the actual person is left, or their work is lost: %s", raw)
	}
	if identities.MakeFictitious(&again); again.NationalID != i.NationalID {
		t.Error("the same person becomes two")
	}
}

func TestAUserInfoBecomesAPersonWithTheSameClaims(t *testing.T) {
	for _, p := range identities.Personas() {
		want, _ := json.Marshal(p.UserInfo(identities.AuthModeCard))
		raw := []byte(strings.TrimSuffix(string(want), "}") + `,"new_claim":{"a":1}}`)
		got, err := identities.ParseImport(raw)
		if err != nil {
			t.Fatal(err)
		}
		back, _ := json.Marshal(got.People[0].UserInfo(identities.AuthModeCard))
		if string(back) != string(want) {
			t.Errorf("%s\n%s", want, back)
		}
		if len(got.Warnings) == 0 || !strings.Contains(got.Warnings[0], "new_claim") ||
			!strings.Contains(got.People[0].Notes, `new_claim = {"a":1}`) {
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
		"deep YAML":     {"a: " + strings.Repeat("[", 100_000), "import-too-deep"},
		"deep block":    {strings.Repeat("- ", 100_000) + "a", "import-too-deep"},
		"alias bomb": {
			"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n",
			"import-invalid",
		},
		"YAML tag":   {"national_id: !!python/object:os.system x\n", "import-invalid"},
		"YAML twice": {"national_id: a\nnational_id: b\n", "import-invalid"},
		"huge YAML":  {"a: " + strings.Repeat("x", 9<<20), "import-too-large"},
		"no YAML":    {"a: [\n", "import-invalid"},
		"one twice": {
			`[{"national_id":"899700366240","family_name":"A","given_name":"B"},{"national_id":"899700366240",` +
				`"family_name":"A","given_name":"B"}]`,
			"identity-twice",
		},
		"a million":    {"national_id,family_name,given_name\n" + million(), "import-too-many"},
		"a wrong cell": {"national_id,family_name,given_name,policies\n899700366240,A,B,{\n", "import-invalid"},
	} {
		if _, err := identities.ParseImport([]byte(c.raw)); !problem.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func million() string {
	var b strings.Builder
	for n := range 1_000_000 {
		fmt.Fprintf(&b, "8997%08d,A,B\n", n)
	}
	return b.String()
}

func FuzzParseImport(f *testing.F) {
	for _, seed := range []string{
		`[{"national_id":"899700366240"}]`,
		`{"SubjectNameID":"x"}`,
		"a,b\n",
		"\ufeff[",
		"'",
		"- a: [b, &c 1]\n",
		"national_id;family_name;given_name\n1;2;3",
		"Identification nationale PP|Nom d'exercice|Prénom d'exercice|\n8|a|b|",
	} {
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
	for _, want := range []string{
		"D'ARTAGNAN-L'HERMITTE",
		"O",
		strings.Repeat("ABCDEFGH", 10),
		"LE\u0301GER",
		"<b>GRAS</b>",
	} {
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
