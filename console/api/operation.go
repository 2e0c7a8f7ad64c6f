package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/problem"
)

// Operation is one operation of the control API. Its input and output are Go
// types: what a request may hold is bound from them, and the OpenAPI document is
// made of them.
type Operation struct {
	Method, Path string // a segment that begins with a colon is a parameter
	ID           string // operationId
	Tag          string // the resource
	Summary      string
	Description  string

	in, out  reflect.Type
	status   int            // of the answer
	content  []Content      // answers that are no JSON of out
	codes    []problem.Code // of the refusals that are its own
	examples []Example      // requests that a test sends
	binding  *binding       // how a request becomes a value of in
	open     bool           // needs no token
	serve    echo.HandlerFunc
}

// Content is an answer of an operation beside its usual one.
type Content struct {
	Status int
	Kind   string       // media type
	Type   reflect.Type // nil for bytes
	What   string       // what it is
}

// Example is a request that the document shows and a test sends.
type Example struct {
	Name  string // "" for the only one
	Path  map[string]string
	Query map[string]string
	Body  any    // JSON, or text for another kind
	Kind  string // media type of the body, JSON when ""
}

// Nothing is the answer of an operation that has none: 204.
type Nothing struct{}

// None is the input of an operation that takes none.
type None struct{}

// answerer is an output that writes itself.
type answerer interface{ answer(c echo.Context) error }

// defaulter is an input with values that a request may leave out.
type defaulter interface{ defaults() }

// anything is the type of JSON of any form.
var anything = reflect.TypeFor[any]()

// File is an answer to be kept as a file.
type File struct {
	Name, Kind string
	Data       []byte
}

func (f File) answer(c echo.Context) error {
	attachment(c, f.Name, f.Kind)
	return c.Blob(http.StatusOK, f.Kind, f.Data)
}

// Stream is an answer that is written as it comes.
type Stream func(c echo.Context) error

func (s Stream) answer(c echo.Context) error { return s(c) }

// detail adds something to an operation.
type detail func(*Operation)

// says describes the operation at more length.
func says(text string) detail { return func(o *Operation) { o.Description = text } }

// refuses names the codes of refusals that the operation may answer with.
func refuses(codes ...problem.Code) detail {
	return func(o *Operation) {
		for _, code := range codes {
			if !slices.Contains(o.codes, code) {
				o.codes = append(o.codes, code)
			}
		}
	}
}

// status sets the status of the usual answer.
func status(code int) detail { return func(o *Operation) { o.status = code } }

// answers adds an answer of another kind or status.
func answers(kind, what string) detail {
	return func(o *Operation) { o.content = append(o.content, Content{http.StatusOK, kind, nil, what}) }
}

// answersA is answers with JSON of a type.
func answersA[T any](status int, what string) detail {
	return answersIn[T](status, echo.MIMEApplicationJSON, what)
}

// answersIn is answersA in another media type.
func answersIn[T any](status int, kind, what string) detail {
	return func(o *Operation) { o.content = append(o.content, Content{status, kind, reflect.TypeFor[T](), what}) }
}

// example adds a request that a test sends.
func example(e Example) detail { return func(o *Operation) { o.examples = append(o.examples, e) } }

// operation declares an operation of the control API.
func operation[In, Out any](method, path, id, summary string, do func(context.Context, *In) (Out, error),
	details ...detail) Operation {
	o := Operation{Method: method, Path: path, ID: id, Summary: summary, in: reflect.TypeFor[In](),
		out: reflect.TypeFor[Out](), status: http.StatusOK}
	switch {
	case o.out == reflect.TypeFor[Nothing]():
		o.status = http.StatusNoContent
	case method == http.MethodPost:
		o.status = http.StatusCreated
	}
	o.binding = bindingOf(o.in)
	for _, d := range details {
		d(&o)
	}
	binding, success := o.binding, o.status
	o.serve = func(c echo.Context) error {
		var in In
		if d, ok := any(&in).(defaulter); ok {
			d.defaults()
		}
		if err := binding.bind(c, reflect.ValueOf(&in).Elem()); err != nil {
			return err
		}
		out, err := do(c.Request().Context(), &in)
		if err != nil {
			return err
		}
		return answer(c, success, out)
	}
	return o
}

// answer writes what an operation came to.
func answer(c echo.Context, status int, out any) error {
	switch v := out.(type) {
	case Nothing:
		return c.NoContent(status)
	case answerer:
		return v.answer(c)
	}
	return c.JSON(status, out)
}

// of are the operations of a resource.
func of(tag string, operations ...Operation) []Operation {
	for n := range operations {
		operations[n].Tag = tag
	}
	return operations
}
