package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// Reference is the document as a page shows it.
type Reference struct {
	Sections []Section
	Types    []TypeEntry
}

// Section are the operations of a resource.
type Section struct {
	Name, Description string
	Operations        []Entry
}

// Entry is an operation.
type Entry struct {
	Method, Path, ID, Summary, Description string
	Parameters                             []Member
	Body, Answers                          []Form
	Optional                               bool // the body may be left out
	Refusals                               []problem.Why
}

// Reads tells whether the operation changes nothing.
func (e Entry) Reads() bool { return e.Method == "GET" }

// Sent is the first form of the body, nil for none.
func (e Entry) Sent() *Form {
	if len(e.Body) == 0 {
		return nil
	}
	for n := range e.Body { // the one with an example says more
		if e.Body[n].Example != "" {
			return &e.Body[n]
		}
	}
	return &e.Body[0]
}

// Form is a body: of a request, or of an answer with a status.
type Form struct {
	Status, Kind, What, Example string
	Type                        TypeName
}

// TypeEntry is a type with its members.
type TypeEntry struct {
	Name, Description string
	Values            []string
	Members           []Member
}

// Member is a parameter or a member of an object.
type Member struct {
	Name, In, Description, Example string
	Type                           TypeName
	Required                       bool
}

// TypeName is what a type is called, and which entry explains it, "" for none.
type TypeName struct{ Text, Entry string }

// Reference is the whole reference, by resource.
func (a *API) Reference() *Reference {
	d := a.describe()
	out := &Reference{}
	for _, t := range tags {
		out.Sections = append(out.Sections, Section{Name: t.Name, Description: t.Description})
	}
	for _, o := range a.Operations() {
		n := slices.IndexFunc(out.Sections, func(s Section) bool { return s.Name == o.Tag })
		entry := entryOf(&o, d.Paths[o.documentedPath()][strings.ToLower(o.Method)])
		out.Sections[n].Operations = append(out.Sections[n].Operations, entry)
	}
	for name, s := range d.Components.Schemas {
		out.Types = append(out.Types, TypeEntry{name, s.Description, s.Enum, membersOf(s)})
	}
	slices.SortFunc(out.Types, func(x, y TypeEntry) int { return strings.Compare(x.Name, y.Name) })
	return out
}

func entryOf(o *Operation, d *documented) Entry {
	e := Entry{Method: o.Method, Path: Base + o.documentedPath(), ID: o.ID, Summary: o.Summary, Description: o.Description}
	for _, p := range d.Parameters {
		m := Member{Name: p.Name, In: p.In, Description: p.Description, Type: typeOf(p.Schema), Required: p.Required}
		if p.Example != nil {
			m.Example = fmt.Sprint(p.Example)
		}
		e.Parameters = append(e.Parameters, m)
	}
	if b := d.RequestBody; b != nil {
		e.Optional = !b.Required
		e.Body = forms("", b.Content, "")
	}
	for status, r := range d.Responses {
		switch {
		case r.Ref != "", status[0] > '3': // the refusals are listed by themselves
		case len(r.Content) == 0:
			e.Answers = append(e.Answers, Form{Status: status, What: r.Description})
		default:
			e.Answers = append(e.Answers, forms(status, r.Content, r.Description)...)
		}
	}
	slices.SortFunc(e.Answers, func(x, y Form) int { return strings.Compare(x.Status+x.Kind, y.Status+y.Kind) })
	for _, code := range o.codes {
		w, _ := problem.WhyOf(string(code), problem.English)
		e.Refusals = append(e.Refusals, w)
	}
	return e
}

func forms(status string, contents map[string]mediaType, what string) (out []Form) {
	for kind, m := range contents {
		f := Form{Status: status, Kind: kind, What: what, Type: typeOf(m.Schema)}
		switch example := m.Example.(type) {
		case nil:
		case string:
			f.Example = example
		default:
			raw, err := json.MarshalIndent(example, "", "  ")
			if err == nil {
				f.Example = string(raw)
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(x, y Form) int { // JSON before the other kinds
		if (x.Kind == echo.MIMEApplicationJSON) != (y.Kind == echo.MIMEApplicationJSON) {
			return strings.Compare(y.Kind, x.Kind)
		}
		return strings.Compare(x.Kind, y.Kind)
	})
	return out
}

func membersOf(s *Schema) (out []Member) {
	for _, p := range s.Properties {
		out = append(out, Member{Name: p.Name, Description: p.Schema.Description, Type: typeOf(p.Schema),
			Required: slices.Contains(s.Required, p.Name)})
	}
	return out
}

// typeOf names the type of a schema.
func typeOf(s *Schema) TypeName {
	if name, ref := strings.CutPrefix(s.Ref, "#/components/schemas/"); ref {
		return TypeName{name, name}
	}
	if len(s.AnyOf) > 0 {
		var all []string
		entry := ""
		for _, one := range s.AnyOf {
			t := typeOf(one)
			all = append(all, t.Text)
			if entry == "" {
				entry = t.Entry
			}
		}
		return TypeName{strings.Join(all, " | "), entry}
	}
	switch {
	case s.Items != nil:
		t := typeOf(s.Items)
		return TypeName{t.Text + "[]", t.Entry}
	case s.Type == nil:
		return TypeName{Text: "any"}
	case s.Format != "":
		return TypeName{Text: fmt.Sprintf("%v (%s)", s.Type, s.Format)}
	case s.ContentEncoding != "":
		return TypeName{Text: s.ContentEncoding}
	}
	if of, mapped := s.AdditionalProperties.(*Schema); mapped && !reflect.ValueOf(of).IsNil() {
		t := typeOf(of)
		return TypeName{"{string: " + t.Text + "}", t.Entry}
	}
	return TypeName{Text: fmt.Sprint(s.Type)}
}
