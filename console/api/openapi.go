package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// The OpenAPI document (3.1) is made of the operations and their types. Its
// objects are in the order of the specification.

type document struct {
	OpenAPI    string                `json:"openapi"`
	Info       info                  `json:"info"`
	Servers    []server              `json:"servers"`
	Security   []map[string][]string `json:"security"`
	Tags       []tag                 `json:"tags"`
	Paths      paths                 `json:"paths"`
	Components components            `json:"components"`
}

type info struct {
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Contact     map[string]string `json:"contact"`
	License     map[string]string `json:"license"`
	Version     string            `json:"version"`
}

type server struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// paths are operations by path and method.
type paths map[string]map[string]*documented

type components struct {
	Schemas         map[string]*Schema           `json:"schemas"`
	Responses       map[string]*response         `json:"responses"`
	SecuritySchemes map[string]map[string]string `json:"securitySchemes"`
}

// documented is an operation as the document has it.
type documented struct {
	Tags        []string               `json:"tags"`
	Summary     string                 `json:"summary"`
	Description string                 `json:"description"`
	OperationID string                 `json:"operationId"`
	Parameters  []documentedParameter  `json:"parameters,omitempty"`
	RequestBody *requestBody           `json:"requestBody,omitempty"`
	Responses   responses              `json:"responses"`
	Security    *[]map[string][]string `json:"security,omitempty"`
	Codes       []problem.Code         `json:"x-problem-codes,omitempty"`
}

type documentedParameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema"`
	Example     any     `json:"example,omitempty"`
}

type requestBody struct {
	Description string               `json:"description,omitempty"`
	Required    bool                 `json:"required,omitempty"`
	Content     map[string]mediaType `json:"content"`
}

type response struct {
	Ref         string               `json:"$ref,omitempty"`
	Description string               `json:"description,omitempty"`
	Content     map[string]mediaType `json:"content,omitempty"`
}

type mediaType struct {
	Schema   *Schema                 `json:"schema,omitempty"`
	Example  any                     `json:"example,omitempty"`
	Examples map[string]namedExample `json:"examples,omitempty"`
}

type namedExample struct {
	Value any `json:"value"`
}

var pathParam = regexp.MustCompile(`:(\w+)`)

// OpenAPI is the document as JSON.
func (a *API) OpenAPI() []byte {
	a.document.once.Do(func() {
		raw, err := json.Marshal(a.describe())
		if err != nil {
			panic(err) // of our own types
		}
		a.document.json = raw
	})
	return a.document.json
}

func (a *API) describe() *document {
	d := &document{
		OpenAPI: "3.1.0",
		Info: info{
			Title: "pscemu control API",
			Description: "Drives an emulator of Pro Santé Connect: people, cards, phones, certificates, clients, " +
				"logins, faults, clock. Refusals are problem details (RFC 9457) with a stable code. A segment of " +
				"a path is percent-encoded, since ids may hold a slash.",
			Contact: map[string]string{"name": "pscemu", "url": a.URL},
			License: map[string]string{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			Version: a.Version,
		},
		Servers:  []server{{a.URL + Base, "this emulator"}},
		Security: []map[string][]string{{"token": {}}},
		Tags:     tags,
		Paths:    paths{},
	}
	s := newSchemas()
	operations := a.Operations()
	for _, o := range operations {
		d.add(s, &o, a.answers(s, &o))
	}
	problems := s.of(reflect.TypeFor[Problem]())
	s.input = true
	for _, o := range operations {
		d.ask(s, &o)
	}
	d.Components = components{
		Schemas: s.named,
		Responses: map[string]*response{"Problem": {Description: "a refusal: problem details (RFC 9457)",
			Content: map[string]mediaType{problemKind: {Schema: problems}}}},
		SecuritySchemes: map[string]map[string]string{"token": {"type": "http", "scheme": "bearer",
			"description": "api_token of DATA/ready.json"}},
	}
	return d
}

// Problem is a refusal, as problem details (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	problem.Error
}

// documentedPath is a path with its parameters in braces.
func (o *Operation) documentedPath() string { return pathParam.ReplaceAllString(o.Path, "{$1}") }

// add adds an operation with its answers.
func (d *document) add(_ *schemas, o *Operation, answers responses) {
	path := o.documentedPath()
	if d.Paths[path] == nil {
		d.Paths[path] = map[string]*documented{}
	}
	out := &documented{Tags: []string{o.Tag}, Summary: o.Summary, Description: o.describe(), OperationID: o.ID,
		Responses: answers, Codes: o.codes}
	if o.open {
		out.Security = &[]map[string][]string{}
	}
	d.Paths[path][strings.ToLower(o.Method)] = out
}

// describe is the description with the refusals that are the operation's own.
func (o *Operation) describe() string {
	text := o.Description
	if text == "" {
		text = o.Summary + "."
	}
	if len(o.codes) == 0 {
		return text
	}
	text += "\n\nRefusals of its own:"
	for _, code := range o.codes {
		text += "\n- `" + string(code) + "`"
		if w, ok := problem.WhyOf(string(code), problem.English); ok {
			text += ": " + w.Means
		}
	}
	return text
}

// answers are the responses of an operation.
func (a *API) answers(s *schemas, o *Operation) responses {
	out := responses{"default": {Ref: "#/components/responses/Problem"}}
	for _, code := range o.codes {
		out.refuses(code)
	}
	given := o.content
	if len(given) == 0 && o.out != reflect.TypeFor[Nothing]() {
		given = []Content{{o.status, echo.MIMEApplicationJSON, o.out, http.StatusText(o.status)}}
	}
	if len(given) == 0 {
		out[strconv.Itoa(o.status)] = &response{Description: "done"}
	}
	for _, c := range given {
		status := strconv.Itoa(c.Status)
		if out[status] == nil {
			out[status] = &response{Description: c.What, Content: map[string]mediaType{}}
		} else if !strings.Contains(out[status].Description, c.What) {
			out[status].Description += "; or " + c.What
		}
		schema := &Schema{Type: "string", Format: "binary"}
		if c.Type != nil {
			schema = s.of(c.Type)
		}
		if other, there := out[status].Content[c.Kind]; there {
			schema = &Schema{AnyOf: []*Schema{other.Schema, schema}}
		}
		out[status].Content[c.Kind] = mediaType{Schema: schema}
	}
	return out
}

// responses are the answers of an operation, by status.
type responses map[string]*response

// refuses adds a refusal to those of its status.
func (r responses) refuses(code problem.Code) {
	status := strconv.Itoa(code.Of().Kind.Status())
	if r[status] == nil {
		schema := &Schema{Ref: "#/components/schemas/Problem"}
		r[status] = &response{Description: "refused: ", Content: map[string]mediaType{problemKind: {Schema: schema}}}
	} else {
		r[status].Description += ", "
	}
	r[status].Description += string(code)
}

// problemKind is the media type of refusals.
const problemKind = "application/problem+json"

// ask adds what an operation takes.
func (d *document) ask(s *schemas, o *Operation) {
	to := d.Paths[o.documentedPath()][strings.ToLower(o.Method)]
	for _, p := range o.binding.parameters {
		out := documentedParameter{
			Name:        p.name,
			In:          "query",
			Schema:      s.of(p.field.Type),
			Description: said(p.of, p.field.Name),
		}
		if p.path {
			out.In, out.Required = "path", true
		}
		for _, e := range o.examples {
			if value, ok := e.Query[p.name]; ok && !p.path {
				out.Example = exampleOf(out.Schema, value)
			} else if value, ok := e.Path[p.name]; ok && p.path {
				out.Example = value
			}
		}
		to.Parameters = append(to.Parameters, out)
	}
	if b := o.binding.body; b != nil {
		to.RequestBody = b.documented(s, o)
	}
}

// exampleOf is the value of a parameter as its schema has it.
func exampleOf(s *Schema, text string) any {
	switch s.Type {
	case "integer":
		n, err := strconv.Atoi(text)
		if err == nil {
			return n
		}
	case "boolean":
		return text == "true"
	}
	return text
}

func (b *content) documented(s *schemas, o *Operation) *requestBody {
	out := &requestBody{Required: !b.optional, Content: map[string]mediaType{}}
	for _, kind := range b.kinds {
		m := mediaType{}
		switch {
		case b.field.Type != isReader:
			m.Schema = s.of(b.field.Type)
		case strings.HasSuffix(kind, "json"), strings.HasSuffix(kind, "yaml"):
			m.Schema = &Schema{}
		case strings.HasPrefix(kind, "text/"):
			m.Schema = &Schema{Type: "string"}
		default:
			m.Schema = &Schema{Type: "string", Format: "binary"}
		}
		for _, e := range o.examples {
			if e.Body != nil && (e.Kind == kind || e.Kind == "" && kind == echo.MIMEApplicationJSON) {
				m.Example = e.value()
			}
		}
		out.Content[kind] = m
	}
	return out
}

// value is the example's body as JSON shows it.
func (e *Example) value() any {
	text, isText := e.Body.(string)
	if isText && strings.HasSuffix(e.Kind, "json") {
		return json.RawMessage(text)
	}
	return e.Body
}
