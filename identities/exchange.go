package identities

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"pscemu.invalid/pscemu/identities/yamltext"
	"pscemu.invalid/pscemu/internal/problem"
)

// Imported are people that were read, with what was left aside.
type Imported struct {
	People   []Identity
	Warnings []string
}

// MaxImport is the most people one import may hold.
const MaxImport = 200_000

// ParseImport reads people as ReadImport does, and keeps them in memory.
func ParseImport(raw []byte) (*Imported, error) {
	out := &Imported{}
	warnings, err := ReadImport(bytes.NewReader(raw), func(i *Identity) error {
		out.People = append(out.People, *i)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Warnings = warnings
	return out, nil
}

// ReadImport reads people one by one, in the format it finds: JSON or YAML in
// our own form (one person, a list, or {"items": […]} as a listing gives it), a
// UserInfo as Pro Santé Connect answers it, CSV as an export has it, or the
// Annuaire Santé's extraction. It returns what was left aside. fn is called for
// people of an import that may yet turn out to be wrong.
func ReadImport(r io.ReadSeeker, fn func(*Identity) error) (warnings []string, err error) {
	seen := map[string]int{}
	return read(&source{r}, func(i *Identity) error {
		if len(seen) == MaxImport {
			return tooMany()
		}
		if before, twice := seen[i.NationalID]; twice {
			return problem.IdentityTwice.Case("read-import").With("before", before+1).With(
				"count",
				len(seen)+1,
			).Got(i.NationalID)
		}
		seen[strings.Clone(i.NationalID)] = len(seen) // not the row it was cut from
		return fn(i)
	})
}

// source is a text that can be read again.
type source struct{ io.ReadSeeker }

// open begins to read, behind the space and the mark of byte order in front.
func (s *source) open() (*bufio.Reader, error) {
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(s, 64<<10)
	for {
		c, _, err := in.ReadRune()
		if err != nil {
			return in, nil // nothing more, which is found again
		}
		if c != '\ufeff' && !unicode.IsSpace(c) {
			return in, in.UnreadRune()
		}
	}
}

// firstLine is the beginning of the first line.
func firstLine(in *bufio.Reader) []byte {
	line, _ := in.Peek(in.Size()) // what there is
	line, _, _ = bytes.Cut(line, []byte("\n"))
	return line
}

// read judges the format by the first line.
func read(s *source, fn func(*Identity) error) ([]string, error) {
	in, err := s.open()
	if err != nil {
		return nil, err
	}
	line := firstLine(in)
	switch {
	case len(line) == 0:
		return nil, problem.ImportEmpty.Of()
	case line[0] == '{' || line[0] == '[':
		return readJSON(s, fn)
	case bytes.Contains(line, []byte("|")):
		return readAnnuaire(s, fn)
	case line[0] == '-' || line[0] == '#' || bytes.ContainsRune(line, ':'):
		return readYAML(s, fn)
	}
	return nil, readCSV(s, fn)
}

func tooMany() error {
	return problem.ImportTooMany.With("most", MaxImport)
}

func readJSON(s *source, fn func(*Identity) error) (warnings []string, err error) {
	n := 0
	err = jsonRows(s, func(row json.RawMessage) error {
		n++
		i, more, err := parsePerson(row)
		if err != nil {
			return problem.ImportInvalid.Case("person-json").With("n", n).Got(err.Error())
		}
		warnings = append(warnings, more...)
		return fn(i)
	})
	return warnings, err
}

// errRow marks an error of who takes the rows, which is told as it is.
type errRow struct{ error }

// jsonRows calls fn for each person of a list or a listing, or for the only one.
func jsonRows(s *source, fn func(json.RawMessage) error) error {
	in, err := s.open()
	if err != nil {
		return err
	}
	d := json.NewDecoder(in)
	begin, err := d.Token()
	listed := begin == json.Delim('[')
	switch {
	case err != nil:
	case listed:
		err = rows(d, fn)
	default:
		listed, err = items(d, fn)
	}
	if err == nil {
		_, err = d.Token()
	}
	var row errRow
	switch {
	case errors.As(err, &row):
		return row.error
	case err == nil:
		err = errors.New("something behind its end")
	case errors.Is(err, io.EOF) && listed:
		return nil
	case errors.Is(err, io.EOF) && begin == json.Delim('{'):
		return onlyRow(s, fn)
	}
	return problem.ImportInvalid.Case("json").Got(err.Error())
}

// rows reads the members of a list to its end.
func rows(d *json.Decoder, fn func(json.RawMessage) error) error {
	for d.More() {
		var row json.RawMessage
		if err := d.Decode(&row); err != nil {
			return cut(err)
		}
		if err := fn(row); err != nil {
			return errRow{err}
		}
	}
	_, err := d.Token()
	return cut(err)
}

// items reads an object to its end: the list of a listing, if there is one.
func items(d *json.Decoder, fn func(json.RawMessage) error) (listed bool, err error) {
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return listed, cut(err)
		}
		if name, _ := key.(string); !listed && strings.EqualFold(name, "items") {
			if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
				return false, cmp.Or(cut(err), errors.New("items is no list"))
			}
			listed = true
			if err := rows(d, fn); err != nil {
				return listed, err
			}
			continue
		}
		var other json.RawMessage
		if err := d.Decode(&other); err != nil {
			return listed, cut(err)
		}
	}
	_, err = d.Token()
	return listed, cut(err)
}

// cut tells the end of a text within a value from the end behind it.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// onlyRow reads an object that is one person.
func onlyRow(s *source, fn func(json.RawMessage) error) error {
	in, err := s.open()
	if err != nil {
		return err
	}
	var row json.RawMessage
	if err := json.NewDecoder(in).Decode(&row); err != nil {
		return err
	}
	return fn(row)
}

// parsePerson reads one person; unknown keys are an error in our own form and
// a warning in a UserInfo, which comes from elsewhere.
func parsePerson(raw []byte) (*Identity, []string, error) {
	own := struct {
		*Identity
		// What a listing adds is derived: it may come back.
		Name  json.RawMessage `json:"name"`
		Means json.RawMessage `json:"means"`
	}{Identity: &Identity{}}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&own)
	if err == nil && own.NationalID != "" {
		return own.Identity, nil, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, nil, err
	}
	if keys["national_id"] == nil && (keys["SubjectNameID"] != nil || keys["preferred_username"] != nil) {
		return parseUserInfo(raw, keys)
	}
	return own.Identity, nil, err
}

func parseUserInfo(raw []byte, keys map[string]json.RawMessage) (*Identity, []string, error) {
	var u UserInfo
	if err := json.Unmarshal(raw, &u); err != nil {
		return nil, nil, err
	}
	i := &Identity{
		NationalID: u.NameID,
		FamilyName: u.FamilyName,
		GivenName:  u.GivenName,
		Behaviour:  Behaviour{Action: Ask},
		Tags:       []string{"userinfo"},
	}
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
			warnings = append(
				warnings,
				fmt.Sprintf("%s: the claim %s is not one of PSC's; kept in the notes", i.NationalID, name),
			)
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
	var text []byte
	return each(func(i *Identity) error {
		raw, err := json.Marshal(i)
		if err == nil {
			text, err = yamltext.AppendItem(text[:0], raw, 0)
		}
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}
