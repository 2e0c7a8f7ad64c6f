package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Schema is a JSON schema (2020-12) as far as our types need it.
type Schema struct {
	Ref                  string     `json:"$ref,omitempty"`
	Type                 any        `json:"type,omitempty"` // a name, or names
	Format               string     `json:"format,omitempty"`
	ContentEncoding      string     `json:"contentEncoding,omitempty"`
	Description          string     `json:"description,omitempty"`
	Enum                 []string   `json:"enum,omitempty"`
	Default              any        `json:"default,omitempty"`
	Minimum              *int       `json:"minimum,omitempty"`
	Maximum              *int       `json:"maximum,omitempty"`
	Items                *Schema    `json:"items,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // a schema, or false
	AnyOf                []*Schema  `json:"anyOf,omitempty"`
	// Absent is false for a member whose zero value differs from none: the
	// generated client then has a pointer.
	Absent *bool `json:"x-go-type-skip-optional-pointer,omitempty"`
}

// property is a member of an object.
type property struct {
	Name   string
	Schema *Schema
}

// properties keep the order of the fields.
type properties []property

// MarshalJSON writes an object in the order of the fields.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for n, one := range p {
		if n > 0 {
			b.WriteByte(',')
		}
		raw, err := json.Marshal(one.Schema)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", one.Name, raw)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// described is a type that says its own schema.
type described interface{ schema() *Schema }

// schemas makes the schemas of types, and keeps those that have a name.
type schemas struct {
	named map[string]*Schema
	types map[string]reflect.Type // by name
	// input is set while the schemas are those of what comes in: nothing is
	// required that is not tagged so, and nothing may be beside what is known.
	input   bool
	outputs map[reflect.Type]bool
}

func newSchemas() *schemas {
	return &schemas{named: map[string]*Schema{}, types: map[string]reflect.Type{}, outputs: map[reflect.Type]bool{}}
}

var (
	isTime    = reflect.TypeFor[time.Time]()
	isBytes   = reflect.TypeFor[[]byte]()
	isRaw     = reflect.TypeFor[json.RawMessage]()
	isReader  = reflect.TypeFor[io.Reader]()
	isText    = reflect.TypeFor[encoding.TextMarshaler]()
	isOurs    = reflect.TypeFor[described]()
	isMarshal = reflect.TypeFor[json.Marshaler]()
)

// of is the schema of a type.
func (s *schemas) of(t reflect.Type) *Schema {
	if known, ok := shapes[t]; ok {
		return s.of(known)
	}
	switch {
	case t == isTime:
		return &Schema{Type: "string", Format: "date-time"}
	case t == isBytes:
		return &Schema{Type: "string", ContentEncoding: "base64"}
	case t == isRaw, t.Kind() == reflect.Interface:
		return &Schema{}
	case t.Implements(isOurs):
		return reflect.Zero(t).Interface().(described).schema()
	case t.Implements(isText):
		return &Schema{Type: "string"}
	case t.Implements(isMarshal):
		panic("api: no schema says how " + t.String() + " is written as JSON")
	}
	return s.byKind(t)
}

func (s *schemas) byKind(t reflect.Type) *Schema {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return s.word(t)
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int64, reflect.Uint64:
		return &Schema{Type: "integer", Format: "int64"}
	case reflect.Int, reflect.Int32, reflect.Uint16:
		return &Schema{Type: "integer"}
	case reflect.Float64:
		return &Schema{Type: "number"}
	case reflect.Slice, reflect.Array:
		return &Schema{Type: "array", Items: s.of(t.Elem())}
	case reflect.Map:
		return &Schema{Type: "object", AdditionalProperties: s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	}
	panic("api: no schema for " + t.String())
}

// word is a string; one of a type whose values are known has a schema by name.
func (s *schemas) word(t reflect.Type) *Schema {
	values, known := words[t]
	if !known {
		return &Schema{Type: "string"}
	}
	name := nameOf(t)
	s.keep(name, t, func() *Schema {
		return &Schema{Type: "string", Description: said(t, ""), Enum: values()}
	})
	return &Schema{Ref: "#/components/schemas/" + name}
}

// keep makes the schema of a name once.
func (s *schemas) keep(name string, t reflect.Type, describe func() *Schema) {
	if other, there := s.types[name]; there {
		if other != t {
			panic(fmt.Sprintf("api: %s and %s are both named %s", other, t, name))
		}
		return
	}
	s.types[name] = t
	s.named[name] = &Schema{} // of a type within itself
	*s.named[name] = *describe()
}

// object is a struct: with a name, unless it has none in Go.
func (s *schemas) object(t reflect.Type) *Schema {
	if t.Name() == "" {
		return s.members(t)
	}
	name := nameOf(t)
	if s.input && s.outputs[t] {
		name += "Input"
	}
	if !s.input {
		s.outputs[t] = true
	}
	s.keep(name, t, func() *Schema {
		out := s.members(t)
		out.Description = said(t, "")
		return out
	})
	return &Schema{Ref: "#/components/schemas/" + name}
}

func (s *schemas) members(t reflect.Type) *Schema {
	out := &Schema{Type: "object"}
	if s.input {
		out.AdditionalProperties = false
	}
	s.fields(t, out)
	return out
}

// fields adds a struct's fields to an object, those of embedded structs too.
func (s *schemas) fields(t reflect.Type, to *Schema) {
	for n := range t.NumField() {
		f := t.Field(n)
		tag := strings.Split(f.Tag.Get("json"), ",")
		switch {
		case tag[0] == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && tag[0] == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			s.fields(inner, to)
			continue
		}
		to.add(property{tag[0], s.field(t, f, tag[1:])}, s.required(f, tag[1:]))
	}
}

// field is the schema of a member, with what its comment says.
func (s *schemas) field(of reflect.Type, f reflect.StructField, options []string) *Schema {
	out := s.of(f.Type)
	text := said(of, f.Name)
	if kind := f.Type.Kind(); s.input && kind == reflect.Pointer && f.Type.Elem().Kind() != reflect.Struct {
		never := false
		whole := *out
		whole.Absent = &never
		out = &whole
	}
	if out.Type == "array" && slices.Contains(absent, keyOf(of, f.Name)) {
		out.Type = []string{"array", "null"}
	}
	canBeNull := f.Type.Kind() == reflect.Pointer && !slices.Contains(options, "omitempty")
	if canBeNull {
		out = &Schema{AnyOf: []*Schema{out, {Type: "null"}}}
	}
	if text == "" {
		return out
	}
	said := *out
	said.Description = text
	return &said
}

func (s *schemas) required(f reflect.StructField, options []string) bool {
	if s.input {
		return f.Tag.Get("required") == "true"
	}
	return !slices.Contains(options, "omitempty") && !slices.Contains(options, "omitzero")
}

// add adds a member, or puts it in the place of an embedded struct's.
func (s *Schema) add(p property, required bool) {
	at := slices.IndexFunc(s.Properties, func(other property) bool { return other.Name == p.Name })
	if at >= 0 {
		s.Properties[at] = p
	} else {
		s.Properties = append(s.Properties, p)
	}
	if required && !slices.Contains(s.Required, p.Name) {
		s.Required = append(s.Required, p.Name)
	}
}

// nameOf is the name of a type in the document.
func nameOf(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if name, ok := names[t]; ok {
		return name
	}
	if list, ok := reflect.Zero(t).Interface().(lists); ok {
		element, kind := list.of()
		return nameOf(element) + kind
	}
	return strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
}

// lists is a type of a list: it tells of what, and what kind of list it is.
type lists interface{ of() (reflect.Type, string) }

//go:embed comments.json
var commentsFile []byte

// comments are what the code says of types and fields, by "package.Type" and
// "package.Type.Field": go generate writes them down.
var comments = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	if err := json.Unmarshal(commentsFile, &out); err != nil {
		panic(err) // embedded
	}
	return out
})

const module = "pscemu.invalid/pscemu/"

// said is the comment of a type, or of a field of it.
func said(t reflect.Type, field string) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	key := keyOf(t, field)
	if spoken != nil {
		spoken(key)
	}
	return plain(comments()[key], cmp.Or(field, name))
}

// keyOf names a type, or a field of it, as the comments are kept.
func keyOf(t reflect.Type, field string) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	key := strings.TrimPrefix(t.PkgPath(), module) + "." + name
	if field != "" {
		key += "." + field
	}
	return key
}

// plain is a comment without the name that it begins with.
func plain(text, name string) string {
	rest, named := strings.CutPrefix(text, name+" ")
	if !named {
		return text
	}
	for _, verb := range []string{"is ", "are "} {
		rest = strings.TrimPrefix(rest, verb)
	}
	return rest
}

// spoken, unless nil, hears which comments the document asks for.
var spoken func(key string)
