package identities

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"pscemu/problem"
)

// Imported are people that were read, with what was left aside.
type Imported struct {
	People   []Identity
	Warnings []string
}

// MaxImport is the most people one import may hold.
const MaxImport = 200_000

// ParseImport reads people, all of them or none, in the format it finds: JSON
// or YAML in our own form (one person, a list, or {"items": […]} as a listing
// gives it), a UserInfo as Pro Santé Connect answers it, CSV as an export has
// it, or the Annuaire Santé's extraction.
func ParseImport(raw []byte) (*Imported, error) {
	raw = bytes.TrimPrefix(bytes.TrimSpace(raw), []byte("\ufeff"))
	in, err := parserFor(raw)(raw)
	if err != nil {
		return nil, err
	}
	if len(in.People) > MaxImport {
		return nil, tooMany(len(in.People))
	}
	seen := make(map[string]int, len(in.People))
	for n, i := range in.People {
		if before, twice := seen[i.NationalID]; twice {
			return nil, problem.New(problem.Invalid, "identity-twice", fmt.Sprintf("persons %d and %d have the same national id", before+1, n+1)).Got(i.NationalID).Do("keep one of them")
		}
		seen[i.NationalID] = n
	}
	return in, nil
}

// parserFor judges by the first line.
func parserFor(raw []byte) func([]byte) (*Imported, error) {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	switch {
	case len(raw) == 0:
		return func([]byte) (*Imported, error) {
			return nil, problem.New(problem.Invalid, "import-empty", "there is nothing to import").Want("people as JSON, YAML, CSV or an extraction of the Annuaire Santé")
		}
	case raw[0] == '{' || raw[0] == '[':
		return parseJSON
	case bytes.Contains(line, []byte("|")):
		return parseAnnuaire
	case raw[0] == '-' || raw[0] == '#' || bytes.ContainsRune(line, ':'):
		return parseYAML
	}
	return parseCSV
}

func tooMany(n int) error {
	return problem.New(problem.Invalid, "import-too-many", "the import holds too many people").Got(fmt.Sprint(n)).Want(fmt.Sprintf("%d at most", MaxImport)).Do("split it")
}

func parseJSON(raw []byte) (*Imported, error) {
	rows, err := jsonRows(raw)
	if err != nil {
		return nil, err
	}
	out := &Imported{}
	for n, row := range rows {
		i, warnings, err := parsePerson(row)
		if err != nil {
			return nil, problem.New(problem.Invalid, "import-invalid", fmt.Sprintf("person %d cannot be read", n+1)).Got(err.Error()).Want("the JSON that `pscemu identities export` writes, or a UserInfo")
		}
		out.People, out.Warnings = append(out.People, *i), append(out.Warnings, warnings...)
	}
	return out, nil
}

func jsonRows(raw []byte) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	var listing struct{ Items []json.RawMessage }
	bad := func(err error) error {
		return problem.New(problem.Invalid, "import-invalid", "the import is no JSON").Got(err.Error()).Want("one person, a list of people, or a UserInfo")
	}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &rows); err != nil {
			return nil, bad(err)
		}
		return rows, nil
	}
	if err := json.Unmarshal(raw, &listing); err != nil {
		return nil, bad(err)
	}
	if listing.Items != nil {
		return listing.Items, nil
	}
	return []json.RawMessage{raw}, nil
}

// parsePerson reads one person; unknown keys are an error in our own form and
// a warning in a UserInfo, which comes from elsewhere.
func parsePerson(raw []byte) (*Identity, []string, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, nil, err
	}
	if keys["national_id"] == nil && (keys["SubjectNameID"] != nil || keys["preferred_username"] != nil) {
		return parseUserInfo(raw, keys)
	}
	i := &Identity{}
	// What a listing adds is derived: it may come back.
	delete(keys, "name")
	delete(keys, "means")
	own, err := json.Marshal(keys)
	if err != nil {
		return nil, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(own))
	d.DisallowUnknownFields()
	return i, nil, d.Decode(i)
}

func parseUserInfo(raw []byte, keys map[string]json.RawMessage) (*Identity, []string, error) {
	var u UserInfo
	if err := json.Unmarshal(raw, &u); err != nil {
		return nil, nil, err
	}
	i := &Identity{NationalID: u.NameID, FamilyName: u.FamilyName, GivenName: u.GivenName, Behaviour: Behaviour{Action: Ask}, Tags: []string{"userinfo"}}
	if i.NationalID == "" {
		i.NationalID = u.PreferredUsername
	}
	if u.Civility != nil {
		i.Civility = *u.Civility
	}
	if u.RefPro != nil {
		if i.Exercises = u.RefPro.Exercises; u.RefPro.Civility != nil {
			i.Civility = *u.RefPro.Civility
		}
	}
	var warnings []string
	known := jsonKeys(reflect.TypeFor[UserInfo]())
	for name, value := range keys {
		if !slices.Contains(known, name) {
			warnings = append(warnings, fmt.Sprintf("%s: the claim %s is not one of PSC's; kept in the notes", i.NationalID, name))
			i.Notes = strings.TrimSpace(i.Notes + "\n" + name + " = " + string(value))
		}
	}
	slices.Sort(warnings)
	return i, append(warnings, i.tolerate()...), nil
}

// tolerate keeps a person from elsewhere as they are, with the reason when a
// rule is against them.
func (i *Identity) tolerate() (warnings []string) {
	if err := i.CheckCodes(); err != nil {
		i.AllowInvalid = "imported: " + problem.From(err).Reason
		return []string{i.NationalID + ": kept as it is: " + err.Error()}
	}
	return nil
}

func jsonKeys(t reflect.Type) (out []string) {
	for n := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(n).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// Each hands over people one by one.
type Each func(func(*Identity) error) error

// Format is a way to write people.
type Format struct {
	Name, MediaType, File string
	Write                 func(io.Writer, Each) error
}

// Formats lists the ways to write people; package fhir has a further one.
var Formats = []Format{
	{"json", "application/json", "identites.json", func(w io.Writer, each Each) error {
		return writeJSON(w, each, func(i *Identity) any { return i })
	}},
	{"yaml", "application/yaml", "identites.yaml", writeYAML},
	{"csv", "text/csv; charset=utf-8", "identites.csv", writeCSV},
	{"annuaire", "text/plain; charset=utf-8", "PS_LibreAcces_Personne_activite.txt", writeAnnuaire},
	{"userinfo", "application/json", "userinfo.json", func(w io.Writer, each Each) error {
		return writeJSON(w, each, func(i *Identity) any { return i.UserInfo("") })
	}},
}

// FormatNamed finds a format.
func FormatNamed(name string) (*Format, bool) {
	n := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if n < 0 {
		return nil, false
	}
	return &Formats[n], true
}

func writeJSON(w io.Writer, each Each, form func(*Identity) any) error {
	separator := "[\n "
	err := each(func(i *Identity) error {
		b, err := json.MarshalIndent(form(i), " ", " ")
		if err == nil {
			_, err = io.WriteString(w, separator+string(b))
		}
		separator = ",\n "
		return err
	})
	if err != nil {
		return err
	}
	if separator[0] == '[' {
		_, err = io.WriteString(w, "[]\n")
	} else {
		_, err = io.WriteString(w, "\n]\n")
	}
	return err
}

func writeYAML(w io.Writer, each Each) error {
	return each(func(i *Identity) error {
		raw, err := json.Marshal([]*Identity{i})
		if err == nil {
			raw, err = yaml.JSONToYAML(raw)
		}
		if err == nil {
			_, err = w.Write(raw)
		}
		return err
	})
}
