package identities

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
)

// Fault is something that goes wrong on purpose around one person. Faults are a
// test door: closed, they do nothing. In JSON they are called quirks.
type Fault string

// The faults of people.
const (
	FaultPhoneUnreachable Fault = "phone-unreachable"    // the request never reaches the phone
	FaultACRMissing       Fault = "acr-missing"          // the tokens hold no acr
	FaultRefProAbsent     Fault = "subjectrefpro-absent" // UserInfo lacks SubjectRefPro
	FaultWrongType        Fault = "claim-wrong-type"     // SubjectRole is a string, not an array
	FaultUserInfoFails    Fault = "userinfo-500"         // UserInfo answers with an error
	FaultUserInfoSlow     Fault = "userinfo-slow"        // eight seconds late
	FaultTokenFails       Fault = "token-503"            // the token endpoint answers with an error
)

var faultNames = []Fault{
	FaultPhoneUnreachable, FaultACRMissing, FaultRefProAbsent, FaultWrongType,
	FaultUserInfoFails, FaultUserInfoSlow, FaultTokenFails,
}

// Valid tells whether there is such a fault.
func (f Fault) Valid() bool { return slices.Contains(faultNames, f) }

// Has tells whether the person has this fault.
func (i *Identity) Has(f Fault) bool { return slices.Contains(i.Faults, f) }

func (i *Identity) checkFaults() error {
	for _, f := range i.Faults {
		if !f.Valid() {
			return problem.QuirkUnknown.With("accepted", faultNames).Got(string(f))
		}
	}
	return nil
}

// Faulty are the claims as the person's faults change them.
func (i *Identity) Faulty(u UserInfo) UserInfo {
	if i.Has(FaultRefProAbsent) {
		u.RefPro = nil
	}
	if i.Has(FaultWrongType) {
		u.Role = strings.Join(i.roles(), " ")
	}
	return u
}

// Magic is a ready-made person whose number decides the outcome.
type Magic struct {
	NationalID string            `json:"national_id"`
	Number     int               `json:"number"` // the last digits before the key
	Name       string            `json:"name"`
	Outcome    string            `json:"outcome"`
	Behaviour  Action            `json:"behaviour"`
	CardState  string            `json:"card_state,omitempty"` // active unless said
	Fault      Fault             `json:"quirk,omitempty"`
	Policies   map[string]string `json:"policies,omitempty"`
	Shape      string            `json:"shape,omitempty"` // no-activity, sixteen, two-professions, long-names
}

//go:embed magic.json
var magic []byte

// MagicPeople lists them: 8 997 00000 and the number, with its key.
func MagicPeople() []Magic {
	var all []Magic
	if err := json.Unmarshal(magic, &all); err != nil {
		panic(err) // embedded, checked by a test
	}
	for n := range all {
		number := fmt.Sprintf("997%07d", all[n].Number)
		all[n].NationalID = "8" + number + nomenclature.LuhnKey(number)
	}
	return all
}

// Identity makes the person.
func (m *Magic) Identity() *Identity {
	i := &Identity{
		NationalID: m.NationalID,
		Civility:   "MME",
		FamilyName: "MAGIQUE" + fmt.Sprintf("%07d", m.Number),
		GivenName:  "KIT",
		Notes:      m.Outcome,
		Tags:       []string{"magic"},
		Behaviour:  Behaviour{Action: m.Behaviour},
		Policies:   m.Policies,
	}
	if m.Fault != "" {
		i.Faults = []Fault{m.Fault}
	}
	if m.Shape == "long-names" {
		i.FamilyName, i.GivenName = strings.Repeat("MAGIQUE-", 9)+"LONGUE", strings.Repeat("Anne-", 15)+"Élise"
	}
	place := func(n int) Activity {
		return Activity{
			Mode:              "S",
			Sector:            "SA01",
			Kind:              "GENR01",
			Country:           "99000",
			CorporateName:     fmt.Sprintf("HOPITAL MAGIQUE %d", n),
			StructureID:       "F0B0172805",
			FormerStructureID: "10B0172805",
			FINESS:            "0B0172805",
		}
	}
	doctor := Exercise{
		Profession:  "10",
		Category:    "C",
		Civility:    "DR",
		FamilyName:  i.FamilyName,
		GivenName:   i.GivenName,
		KnowHowType: "S",
		KnowHow:     "SM26",
		Activities:  []Activity{place(1)},
	}
	i.Exercises = []Exercise{doctor}
	switch m.Shape {
	case "no-activity":
		i.Exercises[0].Activities = []Activity{}
	case "sixteen":
		for n := 2; n <= 16; n++ {
			i.Exercises[0].Activities = append(i.Exercises[0].Activities, place(n))
		}
	case "two-professions":
		i.Exercises = append(
			i.Exercises,
			Exercise{
				Profession: "21",
				Category:   "C",
				FamilyName: i.FamilyName,
				GivenName:  i.GivenName,
				Activities: []Activity{place(2)},
			},
		)
	}
	return i
}

// Seeded are the people of a fresh emulator, as they are then, by national id.
func Seeded() map[string]Identity {
	out := map[string]Identity{}
	for _, p := range Personas() {
		out[p.NationalID] = p.Identity
	}
	for _, m := range MagicPeople() {
		i := m.Identity()
		out[i.NationalID] = *i
	}
	return out
}
