package identities

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"pscemu/problem"
)

// Imported are people that were read, with what was left aside.
type Imported struct {
	People   []Identity
	Warnings []string
}

// MaxImport is the most people one import may hold.
const MaxImport = 200_000

// ParseImport reads people from JSON: our own form — one person, a list, or
// {"items": […]} as a listing gives it — or a UserInfo as Pro Santé Connect
// answers it; or from CSV as ExportCSV writes it.
func ParseImport(raw []byte) (*Imported, error) {
	raw = bytes.TrimPrefix(bytes.TrimSpace(raw), []byte("\ufeff"))
	if len(raw) == 0 {
		return nil, problem.New(problem.Invalid, "import-empty", "there is nothing to import").Want("people as JSON or CSV")
	}
	if raw[0] != '{' && raw[0] != '[' {
		return parseCSV(raw)
	}
	rows, err := jsonRows(raw)
	if err != nil {
		return nil, err
	}
	if len(rows) > MaxImport {
		return nil, problem.New(problem.Invalid, "import-too-many", "the import holds too many people").Got(fmt.Sprint(len(rows))).Want(fmt.Sprintf("%d at most", MaxImport)).Do("split it")
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
	if err := i.CheckCodes(); err != nil {
		warnings = append(warnings, i.NationalID+": kept as it is: "+err.Error())
		i.AllowInvalid = "imported: " + problem.From(err).Reason
	}
	return i, warnings, nil
}

func jsonKeys(t reflect.Type) (out []string) {
	for n := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(n).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// CSV columns: the person, the exercise, then the thirty activity fields; one
// row an activity, as the RPPS extractions are laid out.
var (
	personColumns   = []string{"national_id", "civility", "family_name", "given_name", "email", "mobile", "behaviour", "notes", "tags", "allow_invalid"}
	exerciseColumns = jsonKeys(reflect.TypeFor[Exercise]())[:7]
	activityColumns = jsonKeys(reflect.TypeFor[Activity]())
)

// ExportCSV writes people, one row an activity. A cell that a spreadsheet
// would take for a formula begins with an apostrophe.
func ExportCSV(w io.Writer, people []Identity) error {
	out := csv.NewWriter(w)
	_ = out.Write(slices.Concat(personColumns, []string{"exercice", "activite"}, exerciseColumns, activityColumns))
	for _, i := range people {
		for _, row := range i.rows() {
			for n, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@\t\r'", rune(cell[0])) {
					row[n] = "'" + cell
				}
			}
			_ = out.Write(row)
		}
	}
	out.Flush()
	return out.Error()
}

func (i *Identity) rows() [][]string {
	person := []string{i.NationalID, i.Civility, i.FamilyName, i.GivenName, i.Email, i.Mobile, i.Behaviour.String(), i.Notes, strings.Join(i.Tags, " "), i.AllowInvalid}
	var out [][]string
	for n, e := range i.Exercises {
		exercise := values(e)[:7]
		for m, a := range e.Activities {
			out = append(out, slices.Concat(person, []string{fmt.Sprint(n + 1), fmt.Sprint(m + 1)}, exercise, values(a)))
		}
		if len(e.Activities) == 0 {
			out = append(out, slices.Concat(person, []string{fmt.Sprint(n + 1), ""}, exercise, make([]string, len(activityColumns))))
		}
	}
	if len(i.Exercises) == 0 {
		out = append(out, slices.Concat(person, []string{"", ""}, make([]string, 7+len(activityColumns))))
	}
	return out
}

// values are a struct's strings, in order.
func values(v any) (out []string) {
	r := reflect.ValueOf(v)
	for n := range r.NumField() {
		if f := r.Field(n); f.Kind() == reflect.String {
			out = append(out, f.String())
		}
	}
	return out
}

func fill(to any, from []string) {
	r, n := reflect.ValueOf(to).Elem(), 0
	for f := range r.NumField() {
		if r.Field(f).Kind() == reflect.String && n < len(from) {
			r.Field(f).SetString(from[n])
			n++
		}
	}
}

func parseCSV(raw []byte) (*Imported, error) {
	in := csv.NewReader(bytes.NewReader(raw))
	want := slices.Concat(personColumns, []string{"exercice", "activite"}, exerciseColumns, activityColumns)
	header, err := in.Read()
	if err != nil || !slices.Equal(header, want) {
		return nil, problem.New(problem.Invalid, "import-columns", "the columns are not those of an export").Got(strings.Join(header, ",")).Want(strings.Join(want, ",")).Do("begin from `pscemu identities export --format csv`")
	}
	out, last := &Imported{}, -1
	for {
		row, err := in.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, problem.New(problem.Invalid, "import-invalid", "the CSV cannot be read").Got(err.Error())
		}
		for n, cell := range row {
			row[n] = strings.TrimPrefix(cell, "'")
		}
		if last < 0 || out.People[last].NationalID != row[0] {
			i, err := personOf(row)
			if err != nil {
				return nil, err
			}
			if out.People, last = append(out.People, *i), last+1; last >= MaxImport {
				return nil, problem.New(problem.Invalid, "import-too-many", "the import holds too many people").Want(fmt.Sprintf("%d at most", MaxImport))
			}
		}
		out.People[last].take(row)
	}
}

func personOf(row []string) (*Identity, error) {
	action, after, _ := strings.Cut(row[6], " ")
	if action == "" {
		action = string(Ask)
	}
	b, err := ParseBehaviour(action, after)
	return &Identity{NationalID: row[0], Civility: row[1], FamilyName: row[2], GivenName: row[3], Email: row[4], Mobile: row[5], Behaviour: b, Notes: row[7], Tags: strings.Fields(row[8]), AllowInvalid: row[9]}, err
}

// take adds a row's exercise and activity.
func (i *Identity) take(row []string) {
	at := len(personColumns)
	exercise, activity := row[at], row[at+1]
	if exercise == "" {
		return
	}
	if fmt.Sprint(len(i.Exercises)) != exercise {
		var e Exercise
		fill(&e, row[at+2:at+2+len(exerciseColumns)])
		i.Exercises = append(i.Exercises, e)
	}
	if activity == "" {
		return
	}
	var a Activity
	fill(&a, row[at+2+len(exerciseColumns):])
	e := &i.Exercises[len(i.Exercises)-1]
	e.Activities = append(e.Activities, a)
}
