// Package fhir writes people as the French health directory (Annuaire Santé)
// does: FHIR R4 Practitioner, PractitionerRole and Organization.
package fhir

import (
	"fmt"
	"net/url"
	"strings"

	"pscemu/identities"
	"pscemu/identities/nomenclature"
)

// Systems of the directory's identifiers.
const (
	SystemNationalID = "urn:oid:1.2.250.1.71.4.2.1" // IDNPS: type digit and number
	SystemRPPS       = "https://rpps.esante.gouv.fr"
	SystemStructure  = "urn:oid:1.2.250.1.71.4.2.2" // national id of a structure
	SystemFINESS     = "https://finess.esante.gouv.fr"
	SystemSIRET      = "https://sirene.fr"

	types    = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
	profiles = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-dp-"
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
	Use    string   `json:"use"`
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
	Line       []string `json:"line,omitempty"`
	City       string   `json:"city,omitempty"`
	PostalCode string   `json:"postalCode,omitempty"`
	Country    string   `json:"country,omitempty"`
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
	Identifier    []Identifier    `json:"identifier,omitempty"`
	Active        bool            `json:"active"`
	Name          any             `json:"name,omitempty"` // []HumanName or the structure's string
	Type          []Concept       `json:"type,omitempty"`
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
			return Coding{"https://mos.esante.gouv.fr/NOS/" + t.ID + "/FHIR/" + strings.Replace(t.ID, "_", "-", 1), code, label}, true
		}
	}
	return Coding{}, false
}

func concepts(codes ...[]string) (out []Concept) {
	for _, c := range codes {
		if found, ok := coding(c[0], c[1:]...); ok {
			out = append(out, Concept{[]Coding{found}})
		}
	}
	return out
}

func typed(code string) *Concept { return &Concept{[]Coding{{System: types, Code: code}}} }

// ID is the resource id of a person: FHIR allows letters, digits, - and . only.
func ID(nationalID string) string {
	return "pscemu-" + strings.NewReplacer("/", "-", "_", "-").Replace(nationalID)
}

// Practitioner is the person.
func Practitioner(i *identities.Identity) Resource {
	r := Resource{ResourceType: "Practitioner", ID: ID(i.NationalID), Meta: Meta{[]string{profiles + "practitioner"}}, Active: true,
		Identifier: []Identifier{{"official", typed("IDNPS"), SystemNationalID, i.NationalID}}}
	if rpps, ok := strings.CutPrefix(i.NationalID, "8"); ok {
		r.Identifier = append(r.Identifier, Identifier{"official", typed("RPPS"), SystemRPPS, rpps})
	}
	name := HumanName{Use: "official", Family: i.FamilyName, Given: []string{i.GivenName}}
	if i.Civility != "" {
		name.Prefix = []string{i.Civility}
	}
	r.Name = []HumanName{name}
	for _, e := range i.Exercises {
		for _, c := range concepts([]string{e.Profession, "G15", "R95", "R94", "R291"}, []string{e.KnowHow, "R38", "R39", "R40", "R42", "R43", "R44", "R45", "R97", "G13"}) {
			r.Qualification = append(r.Qualification, Qualification{c})
		}
	}
	return r
}

// Roles are the person's activities, and the structures they name.
func Roles(i *identities.Identity) (roles, structures []Resource) {
	for n, e := range i.Exercises {
		for m, a := range e.Activities {
			role := Resource{ResourceType: "PractitionerRole", ID: fmt.Sprintf("%s-%d-%d", ID(i.NationalID), n+1, m+1), Meta: Meta{[]string{profiles + "practitionerrole"}}, Active: true,
				Practitioner: &Reference{"Practitioner/" + ID(i.NationalID)},
				Code:         concepts([]string{e.Profession, "G15", "R95", "R94", "R291"}, []string{a.Mode, "R23"}, []string{a.Kind, "R22"}, []string{a.Role, "R21", "R85", "R96"})}
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
	r := Resource{ResourceType: "Organization", ID: "pscemu-" + id, Meta: Meta{[]string{profiles + "organization"}}, Active: true, Name: a.CorporateName, Type: concepts([]string{a.Sector, "R02"})}
	for _, n := range []Identifier{{"official", typed("IDNST"), SystemStructure, a.FormerStructureID}, {"official", typed("FINEG"), SystemFINESS, a.FINESS}, {"official", typed("SIRET"), SystemSIRET, a.SIRET}} {
		if n.Value != "" {
			r.Identifier = append(r.Identifier, n)
		}
	}
	if a.PostalCode != "" {
		line := strings.Join(strings.Fields(a.StreetNumber+" "+a.StreetType+" "+a.StreetName), " ")
		r.Address = []Address{{Line: []string{line}, City: strings.TrimSpace(strings.TrimPrefix(a.Cedex, a.PostalCode)), PostalCode: a.PostalCode, Country: "FR"}}
	}
	return r
}

// Search answers a search: the resources found, each at its address below base.
func Search(base string, found []Resource) Bundle {
	total := len(found)
	return Bundle{ResourceType: "Bundle", Type: "searchset", Total: &total, Entry: entries(base, found)}
}

// Export is everything about these people; a structure stands once.
func Export(base string, people []identities.Identity) Bundle {
	var all []Resource
	seen := map[string]bool{}
	for n := range people {
		roles, structures := Roles(&people[n])
		all = append(append(all, Practitioner(&people[n])), roles...)
		for _, s := range structures {
			if !seen[s.ID] {
				seen[s.ID] = true
				all = append(all, s)
			}
		}
	}
	return Bundle{ResourceType: "Bundle", Type: "collection", Entry: entries(base, all)}
}

func entries(base string, found []Resource) []Entry {
	out := make([]Entry, len(found))
	for n, r := range found {
		out[n] = Entry{base + "/" + r.ResourceType + "/" + url.PathEscape(r.ID), r}
	}
	return out
}
