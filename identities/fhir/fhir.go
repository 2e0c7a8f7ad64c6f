// Package fhir writes people as the French health directory (Annuaire Santé)
// does: FHIR R4 Practitioner, PractitionerRole and Organization.
package fhir

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"net/url"
	"strings"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
)

// Systems of the directory's identifiers.
const (
	SystemNationalID = "urn:oid:1.2.250.1.71.4.2.1" // IDNPS: type digit and number
	SystemRPPS       = "https://rpps.esante.gouv.fr"
	SystemStructure  = "urn:oid:1.2.250.1.71.4.2.2" // national id of a structure
	SystemFINESS     = "https://finess.esante.gouv.fr"
	SystemSIRET      = "https://sirene.fr"
	SystemTechnical  = "https://rppsrang.esante.gouv.fr" // technical id of a structure

	types    = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
	profiles = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-"
	core     = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
	communes = "https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune"
	insee    = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
)

// Coding is a code with the table it is of.
type Coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

// Concept holds the codings of one meaning.
type Concept struct {
	Coding []Coding `json:"coding"`
}

// Identifier is a number with the system it is of.
type Identifier struct {
	Use    string   `json:"use,omitempty"`
	Type   *Concept `json:"type,omitempty"`
	System string   `json:"system"`
	Value  string   `json:"value"`
}

// Meta names the profile a resource keeps to.
type Meta struct {
	Profile []string `json:"profile"`
}

// Reference leads to another resource.
type Reference struct {
	Reference string `json:"reference"`
}

// HumanName is a name in its parts.
type HumanName struct {
	Use    string   `json:"use"`
	Family string   `json:"family"`
	Given  []string `json:"given"`
	Prefix []string `json:"prefix,omitempty"`
}

// Address is where a structure is.
type Address struct {
	Extension  []Extension `json:"extension,omitempty"`
	Line       []string    `json:"line,omitempty"`
	City       string      `json:"city,omitempty"`
	PostalCode string      `json:"postalCode,omitempty"`
	Country    string      `json:"country,omitempty"`
}

// Extension is a coding that the base resource has no place for.
type Extension struct {
	URL    string `json:"url"`
	Coding Coding `json:"valueCoding"`
}

// Telecom is a way to reach a structure.
type Telecom struct {
	System string `json:"system"` // phone, fax, email
	Value  string `json:"value"`
}

// Qualification is a profession, or a know-how within it.
type Qualification struct {
	Code Concept `json:"code"`
}

// Resource is a Practitioner, PractitionerRole or Organization.
type Resource struct {
	ResourceType  string          `json:"resourceType"`
	ID            string          `json:"id"`
	Meta          Meta            `json:"meta"`
	Language      string          `json:"language"`
	Identifier    []Identifier    `json:"identifier,omitempty"`
	Active        bool            `json:"active"`
	Name          any             `json:"name,omitempty"` // []HumanName or the structure's string
	Type          []Concept       `json:"type,omitempty"`
	Telecom       []Telecom       `json:"telecom,omitempty"`
	Address       []Address       `json:"address,omitempty"`
	Qualification []Qualification `json:"qualification,omitempty"`
	Practitioner  *Reference      `json:"practitioner,omitempty"`
	Organization  *Reference      `json:"organization,omitempty"`
	Code          []Concept       `json:"code,omitempty"`
}

// Entry is one resource of a bundle.
type Entry struct {
	FullURL  string   `json:"fullUrl"`
	Resource Resource `json:"resource"`
}

// Bundle is a set of resources.
type Bundle struct {
	ResourceType string  `json:"resourceType"`
	Type         string  `json:"type"` // searchset or collection
	Total        *int    `json:"total,omitempty"`
	Entry        []Entry `json:"entry"`
}

// coding finds a code's table and label.
func coding(code string, tables ...string) (Coding, bool) {
	for _, name := range tables {
		if label := nomenclature.Label(name, code); label != "" {
			t, _ := nomenclature.Lookup(name)
			return Coding{
				"https://mos.esante.gouv.fr/NOS/" + t.ID + "/FHIR/" + strings.Replace(t.ID, "_", "-", 1),
				code,
				label,
			}, true
		}
	}
	return Coding{}, false
}

// code is a code with the tables it may be of.
type code struct {
	value  string
	tables []string
}

func in(value string, tables []string) code { return code{value, tables} }

func concepts(codes ...code) (out []Concept) {
	for _, c := range codes {
		if found, ok := coding(c.value, c.tables...); ok {
			out = append(out, Concept{[]Coding{found}})
		}
	}
	return out
}

// together are the codings of one meaning, nil when none is known.
func together(codes ...code) []Concept {
	var one Concept
	for _, c := range concepts(codes...) {
		one.Coding = append(one.Coding, c.Coding...)
	}
	if one.Coding == nil {
		return nil
	}
	return []Concept{one}
}

// resource begins one of a kind: both its profiles, French and the directory's.
func resource(kind, coreName, id string) Resource {
	return Resource{
		ResourceType: kind,
		ID:           id,
		Meta:         Meta{[]string{core + coreName, profiles + strings.ToLower(kind)}},
		Language:     "fr",
		Active:       true,
	}
}

func typed(code string) *Concept { return &Concept{[]Coding{{System: types, Code: code}}} }

// ID is the resource id of a person: FHIR allows letters, digits, - and . only.
func ID(nationalID string) string {
	return "pscemu-" + strings.NewReplacer("/", "-", "_", "-").Replace(nationalID)
}

// Practitioner is the person.
func Practitioner(i *identities.Identity) Resource {
	r := resource("Practitioner", "practitioner", ID(i.NationalID))
	r.Identifier = []Identifier{{"official", typed("IDNPS"), SystemNationalID, i.NationalID}}
	if rpps, ok := strings.CutPrefix(i.NationalID, "8"); ok {
		r.Identifier = append(r.Identifier, Identifier{"official", typed("RPPS"), SystemRPPS, rpps})
	}
	name := HumanName{Use: "official", Family: i.FamilyName, Given: []string{i.GivenName}}
	if i.Civility != "" {
		name.Prefix = []string{i.Civility}
	}
	r.Name = []HumanName{name}
	for _, e := range i.Exercises {
		exercise := together(
			in(e.Profession, nomenclature.ProfessionTables),
			in(e.Category, []string{"R09"}),
			in(e.Civility, []string{"R11"}),
		)
		knowHow := together(in(e.KnowHowType, []string{"R04"}), in(e.KnowHow, identities.KnowHowTables()))
		for _, c := range append(exercise, knowHow...) {
			r.Qualification = append(r.Qualification, Qualification{c})
		}
	}
	return r
}

// Roles are the person's activities, and the structures they name.
func Roles(i *identities.Identity) (roles, structures []Resource) {
	for n, e := range i.Exercises {
		for m, a := range e.Activities {
			id := fmt.Sprintf("%s-%d-%d", ID(i.NationalID), n+1, m+1)
			role := resource("PractitionerRole", "practitioner-role", id)
			role.Identifier = []Identifier{{System: SystemRPPS, Value: strings.TrimPrefix(id, "pscemu-")}}
			role.Practitioner = &Reference{"Practitioner/" + ID(i.NationalID)}
			role.Code = concepts(
				in(e.Profession, nomenclature.ProfessionTables),
				in(a.Mode, []string{"R23"}),
				in(a.Kind, []string{"R22"}),
				in(a.Role, []string{"R21", "R85", "R96"}),
				in(a.PharmacistSection, []string{"R06"}),
			)
			if a.StructureID != "" || a.CorporateName != "" {
				s := structure(&a)
				role.Organization = &Reference{"Organization/" + s.ID}
				structures = append(structures, s)
			}
			roles = append(roles, role)
		}
	}
	return roles, structures
}

func structure(a *identities.Activity) Resource {
	id := strings.Trim(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, a.StructureID+a.CorporateName), "-")
	if a.StructureID != "" {
		id = a.StructureID
	}
	if len(id) > 50 {
		id = id[:50]
	}
	r := resource("Organization", "organization", "pscemu-"+id)
	r.Name, r.Type = a.CorporateName, concepts(in(a.Sector, []string{"R02"}))
	for _, t := range []Telecom{{"phone", a.Phone}, {"phone", a.Phone2}, {"fax", a.Fax}, {"email", a.Mail}} {
		if t.Value != "" {
			r.Telecom = append(r.Telecom, t)
		}
	}
	for _, n := range []Identifier{
		{"official", typed("IDNST"), SystemStructure, a.FormerStructureID},
		{"official", typed("FINEG"), SystemFINESS, a.FINESS},
		{"official", typed("SIRET"), SystemSIRET, a.SIRET},
		{"official", typed("INTRN"), SystemTechnical, a.StructureID},
	} {
		if n.Value != "" {
			r.Identifier = append(r.Identifier, n)
		}
	}
	if a.PostalCode != "" {
		line := strings.Join(strings.Fields(a.StreetNumber+" "+a.StreetType+" "+a.StreetName), " ")
		r.Address = []Address{
			{
				Line:       []string{line},
				City:       strings.TrimSpace(strings.TrimPrefix(a.Cedex, a.PostalCode)),
				PostalCode: a.PostalCode,
				Country:    "FR",
			},
		}
		if a.Commune != "" {
			r.Address[0].Extension = []Extension{{insee, Coding{System: communes, Code: a.Commune}}}
		}
	}
	return r
}

// Search answers a search: the resources found, each at its address below base.
func Search(base string, found []Resource) Bundle {
	total := len(found)
	return Bundle{ResourceType: "Bundle", Type: "searchset", Total: &total, Entry: entries(base, found)}
}

// Write writes everything about people, as one bundle, as they are handed over;
// a structure stands once.
func Write(w io.Writer, base string, each identities.Each) error {
	if _, err := io.WriteString(w, `{"resourceType":"Bundle","type":"collection","entry":[`); err != nil {
		return err
	}
	separator, seed := "", maphash.MakeSeed()
	seen := map[uint64]struct{}{} // of the structures' ids: there may be a million
	put := func(r Resource) error {
		raw, err := json.Marshal(entry(base, r))
		if err == nil {
			_, err = io.WriteString(w, separator+string(raw))
		}
		separator = ","
		return err
	}
	err := each(func(i *identities.Identity) error {
		roles, structures := Roles(i)
		all := append([]Resource{Practitioner(i)}, roles...)
		for _, s := range structures {
			id := maphash.String(seed, s.ID)
			if _, there := seen[id]; !there {
				seen[id] = struct{}{}
				all = append(all, s)
			}
		}
		for _, r := range all {
			if err := put(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "]}\n")
	return err
}

func entry(base string, r Resource) Entry {
	return Entry{base + "/" + r.ResourceType + "/" + url.PathEscape(r.ID), r}
}

func entries(base string, found []Resource) []Entry {
	out := make([]Entry, len(found))
	for n, r := range found {
		out[n] = entry(base, r)
	}
	return out
}
