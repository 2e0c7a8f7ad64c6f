package identities_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

func TestPersonasAreFictitiousAndTrueToTheDomain(t *testing.T) {
	all := identities.Personas()
	if len(all) < 12 {
		t.Fatalf("only %d personas", len(all))
	}
	seen := map[string]bool{}
	for _, p := range all {
		if err := p.Validate(); err != nil || seen[p.NationalID] {
			t.Errorf("%s: %v", p.NationalID, err)
		}
		seen[p.NationalID] = true
		if rpps, ok := strings.CutPrefix(
			p.NationalID,
			"8",
		); ok &&
			(!strings.HasPrefix(rpps, "997") || !nomenclature.Luhn(rpps)) {
			t.Errorf("%s is no test RPPS with a right key", p.NationalID)
		}
		for _, e := range p.Exercises {
			if e.Profession != "" && nomenclature.ProfessionLabel(e.Profession) == "" {
				t.Errorf("%s: profession %s", p.Name(), e.Profession)
			}
			for _, a := range e.Activities {
				for table, code := range map[string]string{
					"R02": a.Sector,
					"R22": a.Kind,
					"R23": a.Mode,
					"R06": a.PharmacistSection,
					"R35": a.StreetType,
				} {
					if code != "" && nomenclature.Label(table, code) == "" {
						t.Errorf("%s: code %s is not in %s", p.Name(), code, table)
					}
				}
				for what, number := range map[string]string{"FINESS": a.FINESS, "SIRET": a.SIRET, "SIREN": a.SIREN} {
					if number != "" && !nomenclature.Luhn(number) {
						t.Errorf("%s: %s %s has a wrong key", p.Name(), what, number)
					}
				}
			}
		}
	}
}

func TestUnknownIsEmptyNeverNullNorAbsent(t *testing.T) {
	i := identities.Identity{
		NationalID: "899790011177",
		FamilyName: "X",
		GivenName:  "Y",
		Exercises:  []identities.Exercise{{}},
	}
	raw, err := json.Marshal(i.UserInfo(identities.AuthModeCard))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"Secteur_Activite":""`,
		`"SubjectOrganization":""`,
		`"activities":[]`,
		`"SubjectRole":[]`,
		`"codeProfession":""`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing in %s", want, raw)
		}
	}
	if strings.Contains(string(raw), "null") {
		t.Errorf("null in %s", raw)
	}
}

func TestAnEDITIdentityHasItsCivilityAtTheTop(t *testing.T) {
	i := identities.Identity{NationalID: "ANS20250114103000", Civility: "M", FamilyName: "X", GivenName: "Y"}
	raw, _ := json.Marshal(i.UserInfo(""))
	if !strings.Contains(string(raw), `"preferred_username":"ANS20250114103000","codeCivilite":"M"`) ||
		!strings.Contains(string(raw), `"SubjectRefPro":{"exercices":[]}`) ||
		!strings.Contains(string(raw), `"origine":"EDIT"`) {
		t.Errorf("%s", raw)
	}
}

func FuzzNationalID(f *testing.F) {
	for _, seed := range []string{"899790011177", "500000000029751/CPET00001", "ANS20250114103000", "", "8", "8\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if identities.CheckNationalID(id) == nil && (len(id) < 10 || strings.ContainsAny(id, " \t\r\n\x00%")) {
			t.Errorf("%q was accepted", id)
		}
	})
}
