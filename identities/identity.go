// Package identities holds the people who log in: who they are, what they do
// and where, how their test phone behaves, and the claims Pro Santé Connect
// makes of them.
package identities

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
)

// Identity is one person. A person with two professions is one identity with
// two exercises.
type Identity struct {
	// NationalID is the type digit and the number: 8+RPPS, 0+ADELI,
	// 3+FINESS/internal, 5+SIRET/internal …, or ANS+yyyymmddhhmmss (EDIT).
	NationalID string `json:"national_id"`
	// Civility of the person: M or MME.
	Civility   string     `json:"civility,omitempty"`
	FamilyName string     `json:"family_name"`
	GivenName  string     `json:"given_name"`
	Email      string     `json:"email,omitempty"`
	Mobile     string     `json:"mobile,omitempty"`
	Exercises  []Exercise `json:"exercices"`
	Behaviour  Behaviour  `json:"behaviour"`
	Notes      string     `json:"notes,omitempty"`
	Tags       []string   `json:"tags,omitempty"`
	// Source is the file the person comes from; they are changed there only.
	Source string `json:"source,omitempty"`
	// Faults are what goes wrong around this person, on purpose.
	Faults []Fault `json:"quirks,omitempty"`
	// AllowInvalid keeps a person who is wrong on purpose: it is the reason.
	AllowInvalid string `json:"allow_invalid,omitempty"`
	// Policies override the emulator's and the client's for this person.
	Policies config.Overrides `json:"policies,omitempty"`
}

// Exercise is one profession of a person. The JSON keys and their order are
// PSC's (SubjectRefPro.exercices).
type Exercise struct {
	Profession  string     `json:"codeProfession"`               // G15, R94, R95, R291
	Category    string     `json:"codeCategorieProfessionnelle"` // R09
	Civility    string     `json:"codeCiviliteDexercice"`        // R11
	FamilyName  string     `json:"nomDexercice"`
	GivenName   string     `json:"prenomDexercice"`
	KnowHowType string     `json:"codeTypeSavoirFaire"` // R04
	KnowHow     string     `json:"codeSavoirFaire"`     // R38 …
	Activities  []Activity `json:"activities"`
}

// Activity is one place of work: the thirty fields of the claim, in PSC's
// order. Unknown is "".
type Activity struct {
	Mode                  string `json:"codeModeExercice"`     // R23
	Sector                string `json:"codeSecteurDactivite"` // R02
	PharmacistSection     string `json:"codeSectionPharmacien"`
	Role                  string `json:"codeRole"`
	Kind                  string `json:"codeGenreActivite"` // R22
	SIRET                 string `json:"numeroSiretSite"`
	SIREN                 string `json:"numeroSirenSite"`
	FINESS                string `json:"numeroFinessSite"`
	FINESSLegal           string `json:"numeroFinessetablissementJuridique"`
	StructureID           string `json:"identifiantTechniqueDeLaStructure"`
	CorporateName         string `json:"raisonSocialeSite"`
	TradeName             string `json:"enseigneCommercialeSite"`
	AddressComplement     string `json:"complementDestinataire"`
	GeographicComplement  string `json:"complementPointGeographique"`
	StreetNumber          string `json:"numeroVoie"`
	StreetRepetition      string `json:"indiceRepetitionVoie"`
	StreetType            string `json:"codeTypeDeVoie"` // R35
	StreetName            string `json:"libelleVoie"`
	DistributionMention   string `json:"mentionDistribution"`
	Cedex                 string `json:"bureauCedex"`
	PostalCode            string `json:"codePostal"`
	Commune               string `json:"codeCommune"`
	Country               string `json:"codePays"`
	Phone                 string `json:"telephone"`
	Phone2                string `json:"telephone2"`
	Fax                   string `json:"telecopie"`
	Mail                  string `json:"adresseEMail"`
	Department            string `json:"codeDepartement"`
	FormerStructureID     string `json:"ancienIdentifiantDeLaStructure"`
	RegistrationAuthority string `json:"autoriteDenregistrement"`
}

// Action is what a person's test phone does with a request by itself.
type Action string

// The actions; Ask leaves it to whoever holds the phone page.
const (
	Approve     Action = "approve"
	Refuse      Action = "refuse"
	WrongNumber Action = "wrong-number" // picks another number than the page's
	Ignore      Action = "ignore"
	Late        Action = "late"        // approves when the request's time is over
	Unreachable Action = "unreachable" // the request never reaches the phone
	Ask         Action = "ask"
)

// Actions lists every action.
var Actions = []Action{Approve, Refuse, WrongNumber, Ignore, Late, Unreachable, Ask}

// Behaviour is how a person's test phone answers. In JSON it is the action,
// with its delay behind it when there is one: "approve", "refuse 3s".
type Behaviour struct {
	Action Action
	After  time.Duration // before it acts
}

// String is the JSON form.
func (b Behaviour) String() string {
	if b.After == 0 {
		return string(b.Action)
	}
	return string(b.Action) + " " + b.After.String()
}

// MarshalJSON writes the action and its delay as one string.
func (b Behaviour) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }

// UnmarshalJSON reads what MarshalJSON writes, and {"action","after"}.
func (b *Behaviour) UnmarshalJSON(raw []byte) (err error) {
	var text string
	var parts struct{ Action, After string }
	if err = json.Unmarshal(raw, &text); err == nil {
		parts.Action, parts.After, _ = strings.Cut(text, " ")
	} else if err = json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	if parts.Action == "" {
		return nil // Validate makes it ask
	}
	*b, err = ParseBehaviour(parts.Action, parts.After)
	return err
}

// ParseBehaviour checks an action and a delay ("3s", "" for none).
func ParseBehaviour(action, after string) (Behaviour, error) {
	b := Behaviour{Action: Action(action)}
	if !slices.Contains(Actions, b.Action) {
		return b, problem.BehaviourUnknown.With("accepted", Actions).Got(action)
	}
	if after == "" {
		return b, nil
	}
	d, err := time.ParseDuration(after)
	if err != nil || d < 0 || d > time.Hour {
		return b, problem.DelayInvalid.Got(after)
	}
	b.After = d
	return b, nil
}

// Name is the given and family name.
func (i *Identity) Name() string { return strings.TrimSpace(i.GivenName + " " + i.FamilyName) }

// IsEDIT tells an identity made by EDIT from a directory's.
func (i *Identity) IsEDIT() bool { return strings.HasPrefix(i.NationalID, "ANS") }

// main is the main exercise and its main activity; both empty when unknown.
func (i *Identity) main() (e Exercise, a Activity) {
	if len(i.Exercises) > 0 {
		e = i.Exercises[0]
	}
	if len(e.Activities) > 0 {
		a = e.Activities[0]
	}
	return e, a
}

// Profession is the code of the main profession, "" when there is none.
func (i *Identity) Profession() string { e, _ := i.main(); return e.Profession }

// Student tells whether the person still learns their main profession.
func (i *Identity) Student() bool { e, _ := i.main(); return e.Category == student }

// MainExercise is the first exercise.
func (i *Identity) MainExercise() Exercise { e, _ := i.main(); return e }

// MainActivity is the first activity of the first exercise.
func (i *Identity) MainActivity() Activity { _, a := i.main(); return a }

var nationalIDs = []*regexp.Regexp{
	regexp.MustCompile(`^8\d{11}$`),                           // RPPS
	regexp.MustCompile(`^0[0-9A-Z]{9}$`),                      // ADELI
	regexp.MustCompile(`^ANS\d{14}$`),                         // EDIT
	regexp.MustCompile(`^3[0-9A-Z]{9}/[0-9A-Za-z._-]{1,20}$`), // FINESS
	regexp.MustCompile(`^5\d{14}/[0-9A-Za-z._-]{1,20}$`),      // SIRET
	regexp.MustCompile(`^[1246]\d{9,14}/[0-9A-Za-z._-]{1,20}$`),
}

// CheckNationalID checks the form of a national id.
func CheckNationalID(id string) error {
	for _, form := range nationalIDs {
		if form.MatchString(id) {
			return nil
		}
	}
	return problem.NationalIDInvalid.Got(id)
}

// Validate names the first field that cannot be right.
func (i *Identity) Validate() error {
	if err := CheckNationalID(i.NationalID); err != nil {
		return err
	}
	if err := i.Policies.Check("identity"); err != nil {
		return err
	}
	if err := i.checkFaults(); err != nil {
		return err
	}
	if strings.TrimSpace(i.FamilyName) == "" || strings.TrimSpace(i.GivenName) == "" {
		return problem.NameMissing.Got(i.Name())
	}
	if err := i.checkContacts(); err != nil {
		return err
	}
	if i.Behaviour.Action == "" {
		i.Behaviour.Action = Ask
	}
	if _, err := ParseBehaviour(string(i.Behaviour.Action), ""); err != nil {
		return err
	}
	return i.CheckCodes()
}

var (
	mails   = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
	mobiles = regexp.MustCompile(`^\+?[0-9][0-9 .-]{5,18}$`)
)

// checkContacts checks where an e-CPS activation writes to.
func (i *Identity) checkContacts() error {
	if i.AllowInvalid != "" {
		return nil
	}
	if i.Email != "" && !mails.MatchString(i.Email) {
		return problem.EmailInvalid.Got(i.Email)
	}
	if i.Mobile != "" && !mobiles.MatchString(i.Mobile) {
		return problem.MobileInvalid.Got(i.Mobile)
	}
	return nil
}
