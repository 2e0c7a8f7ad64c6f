package identities

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// personColumn is a column of the CSV that tells of the person.
type personColumn struct {
	name string
	get  func(*Identity) string
	set  func(*Identity, string) error
}

func text(name string, of func(*Identity) *string) personColumn {
	return personColumn{
		name,
		func(i *Identity) string { return *of(i) },
		func(i *Identity, v string) error { *of(i) = v; return nil },
	}
}

// The columns: the person, the exercise, then the thirty activity fields; one
// row an activity, as the RPPS extractions are laid out.
var (
	personColumns = []personColumn{
		text("national_id", func(i *Identity) *string { return &i.NationalID }),
		text("civility", func(i *Identity) *string { return &i.Civility }),
		text("family_name", func(i *Identity) *string { return &i.FamilyName }),
		text("given_name", func(i *Identity) *string { return &i.GivenName }),
		text("email", func(i *Identity) *string { return &i.Email }),
		text("mobile", func(i *Identity) *string { return &i.Mobile }),
		{"behaviour", func(i *Identity) string { return i.Behaviour.String() }, setBehaviour},
		text("notes", func(i *Identity) *string { return &i.Notes }),
		{
			"tags",
			func(i *Identity) string { return strings.Join(i.Tags, " ") },
			func(i *Identity, v string) error { i.Tags = strings.Fields(v); return nil },
		},
		text("allow_invalid", func(i *Identity) *string { return &i.AllowInvalid }),
		{
			"quirks",
			func(i *Identity) string { return strings.Trim(fmt.Sprint(i.Faults), "[]") },
			func(i *Identity, v string) error {
				for _, q := range strings.Fields(v) {
					i.Faults = append(i.Faults, Fault(q))
				}
				return nil
			},
		},
		{"policies", policiesCell, func(i *Identity, v string) error { return json.Unmarshal([]byte(v), &i.Policies) }},
	}
	exerciseColumns = jsonKeys(reflect.TypeFor[Exercise]())[:7]
	activityColumns = jsonKeys(reflect.TypeFor[Activity]())
)

// exerciseNo and activityNo are the columns that number a person's exercises
// and activities from 1.
const (
	exerciseNo = "exercice"
	activityNo = "activite"
)

func setBehaviour(i *Identity, v string) (err error) {
	action, after, _ := strings.Cut(v, " ")
	i.Behaviour, err = ParseBehaviour(action, after)
	return err
}

func policiesCell(i *Identity) string {
	if len(i.Policies) == 0 {
		return ""
	}
	b, _ := json.Marshal(i.Policies) // a map of strings
	return string(b)
}

func csvColumns() (out []string) {
	for _, c := range personColumns {
		out = append(out, c.name)
	}
	return slices.Concat(out, []string{exerciseNo, activityNo}, exerciseColumns, activityColumns)
}

// formulas are the characters that make a spreadsheet take a cell for one.
const formulas = "=+-@\t\r"

// guard puts an apostrophe before a cell that begins like a formula, and
// before one that unguard would take for guarded.
func guard(cell, dangerous string) string {
	if cell != "" && (strings.IndexByte(dangerous, cell[0]) >= 0 || guarded(cell)) {
		return "'" + cell
	}
	return cell
}

func unguard(cell string) string {
	if guarded(cell) {
		return cell[1:]
	}
	return cell
}

func guarded(cell string) bool {
	return len(cell) > 1 && cell[0] == '\'' && strings.IndexByte(formulas+"'", cell[1]) >= 0
}

func writeCSV(w io.Writer, each Each) error {
	out := csv.NewWriter(w)
	_ = out.Write(csvColumns())
	err := each(func(i *Identity) error {
		for _, row := range i.rows() {
			for n, cell := range row {
				row[n] = guard(cell, formulas)
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		return nil
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

func (i *Identity) rows() (out [][]string) {
	var person []string
	for _, c := range personColumns {
		person = append(person, c.get(i))
	}
	i.eachActivity(func(n, m int, e Exercise, a Activity) {
		numbers := []string{"", ""}
		for k, number := range []int{n, m} {
			if number > 0 {
				numbers[k] = fmt.Sprint(number)
			}
		}
		out = append(out, slices.Concat(person, numbers, values(e)[:7], values(a)))
	})
	return out
}

// eachActivity calls fn for each activity with its exercise, numbered from 1;
// an exercise without activity comes with m = 0, a person without exercise
// with n = 0.
func (i *Identity) eachActivity(fn func(n, m int, e Exercise, a Activity)) {
	for n, e := range i.Exercises {
		for m, a := range e.Activities {
			fn(n+1, m+1, e, a)
		}
		if len(e.Activities) == 0 {
			fn(n+1, 0, e, Activity{})
		}
	}
	if len(i.Exercises) == 0 {
		fn(0, 0, Exercise{}, Activity{})
	}
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

// fill sets a struct's strings from cells that bear their JSON names.
func fill(to any, cells map[string]string) {
	r := reflect.ValueOf(to).Elem()
	for n, name := range jsonKeys(r.Type()) {
		if r.Field(n).Kind() == reflect.String {
			r.Field(n).SetString(cells[name])
		}
	}
}

// table gathers rows into people. Who is complete is handed over; where a
// person's rows are not together, nobody is complete before the last row.
type table struct {
	scattered bool
	emit      func(*Identity) error
	count     int
	people    []Identity
	at        map[string]int
}

// person finds who a row is about, or begins them.
func (t *table) person(id string, begin func(*Identity) error) (*Identity, error) {
	if n, there := t.at[id]; there {
		return &t.people[n], nil
	}
	if !t.scattered {
		if err := t.flush(); err != nil {
			return nil, err
		}
	}
	if t.count == MaxImport {
		return nil, tooMany()
	}
	t.count++
	i := Identity{NationalID: id, Behaviour: Behaviour{Action: Ask}}
	if err := begin(&i); err != nil {
		return nil, problem.ImportInvalid.Case("person-json").With("n", t.count).Got(id + ": " + err.Error())
	}
	if t.at == nil {
		t.at = map[string]int{}
	}
	t.at[id] = len(t.people)
	t.people = append(t.people, i)
	return &t.people[len(t.people)-1], nil
}

// flush hands over who is there.
func (t *table) flush() error {
	for n := range t.people {
		if err := t.emit(&t.people[n]); err != nil {
			return err
		}
	}
	t.people = t.people[:0]
	clear(t.at)
	return nil
}

// together tells whether the rows of each person stand one behind the other,
// from their ids in the rows' order.
type together struct {
	last string
	seen map[string]bool
	not  bool
}

func (t *together) row(id string) error {
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	if id == t.last && len(t.seen) > 0 {
		return nil
	}
	if t.not = t.not || t.seen[id]; len(t.seen) > MaxImport {
		return tooMany()
	}
	t.last = strings.Clone(id) // not the whole row
	t.seen[t.last] = true
	return nil
}

// join adds an activity to the exercise that has the same fields, or begins
// that exercise.
func (i *Identity) join(e Exercise, a Activity) {
	if reflect.DeepEqual(e, Exercise{}) && a == (Activity{}) {
		return
	}
	at := slices.IndexFunc(i.Exercises, func(other Exercise) bool { return slices.Equal(values(other), values(e)) })
	if at < 0 {
		at = len(i.Exercises)
		i.Exercises = append(i.Exercises, e)
	}
	if a != (Activity{}) {
		i.Exercises[at].Activities = append(i.Exercises[at].Activities, a)
	}
}

func readCSV(s *source, fn func(*Identity) error) error {
	var ids together
	at := -1
	err := eachRow(s, func(header, row []string) error {
		if at < 0 {
			at = slices.Index(header, "national_id")
		}
		return ids.row(unguard(row[at]))
	})
	if err != nil {
		return err
	}
	t := table{scattered: ids.not, emit: fn}
	ids = together{}
	cells := map[string]string{}
	err = eachRow(s, func(header, row []string) error {
		for n, name := range header {
			cells[name] = unguard(row[n])
		}
		return t.take(cells)
	})
	if err != nil {
		return err
	}
	return t.flush()
}

// eachRow calls fn for each row of the CSV, with the columns' names.
func eachRow(s *source, fn func(header, row []string) error) error {
	buffered, err := s.open()
	if err != nil {
		return err
	}
	line := firstLine(buffered)
	in := csv.NewReader(buffered)
	if bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) {
		in.Comma = ';'
	}
	header, err := in.Read()
	if err == nil {
		err = checkColumns(header)
	}
	if err != nil {
		return problem.ImportColumns.With("accepted", csvColumns()).Got(err.Error())
	}
	for in.ReuseRecord = true; ; {
		row, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return problem.ImportInvalid.Case("csv").Got(err.Error())
		}
		if err := fn(header, row); err != nil {
			return err
		}
	}
}

// checkColumns wants known columns, once each, and those that name a person.
func checkColumns(header []string) error {
	known, seen := csvColumns(), map[string]bool{}
	for _, name := range header {
		if !slices.Contains(known, name) || seen[name] {
			return fmt.Errorf("column %q, which is unknown or comes twice", name)
		}
		seen[name] = true
	}
	for _, name := range []string{"national_id", "family_name", "given_name"} {
		if !seen[name] {
			return fmt.Errorf("no column %s among %s", name, strings.Join(slices.Sorted(maps.Keys(seen)), ", "))
		}
	}
	return nil
}

// take adds a row to its person.
func (t *table) take(cells map[string]string) error {
	i, err := t.person(cells["national_id"], func(i *Identity) error {
		for _, c := range personColumns {
			if v := cells[c.name]; v != "" {
				if err := c.set(i, v); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var e Exercise
	var a Activity
	fill(&e, cells)
	fill(&a, cells)
	number, numbered := cells[exerciseNo]
	switch {
	case !numbered:
		i.join(e, a)
		return nil
	case number == "":
		return nil
	}
	if fmt.Sprint(len(i.Exercises)) != number {
		i.Exercises = append(i.Exercises, e)
	}
	if cells[activityNo] != "" {
		last := &i.Exercises[len(i.Exercises)-1]
		last.Activities = append(last.Activities, a)
	}
	return nil
}
