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

// Quirk is something that goes wrong on purpose around one person. Quirks are
// a test door: closed, they do nothing.
type Quirk string

// The quirks.
const (
	PhoneUnreachable Quirk = "phone-unreachable"    // the request never reaches the phone
	ACRMissing       Quirk = "acr-missing"          // the tokens hold no acr
	RefProAbsent     Quirk = "subjectrefpro-absent" // UserInfo lacks SubjectRefPro
	WrongType        Quirk = "claim-wrong-type"     // SubjectRole is a string, not an array
	UserInfoFails    Quirk = "userinfo-500"
	UserInfoSlow     Quirk = "userinfo-slow" // eight seconds late
	TokenFails       Quirk = "token-503"
)

var quirks = []Quirk{PhoneUnreachable, ACRMissing, RefProAbsent, WrongType, UserInfoFails, UserInfoSlow, TokenFails}

// Has tells whether the person has this quirk.
func (i *Identity) Has(q Quirk) bool { return slices.Contains(i.Quirks, q) }

func (i *Identity) checkQuirks() error {
	for _, q := range i.Quirks {
		if !slices.Contains(quirks, q) {
			return problem.QuirkUnknown.With("accepted", quirks).Got(string(q))
		}
	}
	return nil
}

// Quirked are the claims as the person's quirks spoil them.
func (i *Identity) Quirked(u UserInfo) UserInfo {
	if i.Has(RefProAbsent) {
		u.RefPro = nil
	}
	if i.Has(WrongType) {
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
	Quirk      Quirk             `json:"quirk,omitempty"`
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
	if m.Quirk != "" {
		i.Quirks = []Quirk{m.Quirk}
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
