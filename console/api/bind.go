package api

import (
	"encoding"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// An input is a struct. Its fields come from the request as their tags say:
//
//	ID    string    `path:"id"`
//	Limit rows      `query:"limit"`
//	Body  T         `body:"application/json"`            // strict JSON
//	Body  T         `body:"application/json,optional"`   // which may be left out
//	Body  io.Reader `body:"application/octet-stream"`    // as it comes
//	Call  echo.Context                                   // the request itself
//
// Embedded structs add theirs. What a request holds beside them is refused.

// parameter is a field that comes from the path or the query.
type parameter struct {
	name  string
	index []int
	field reflect.StructField
	path  bool
	of    reflect.Type // the struct it is a field of
}

// content is the field that comes from the body.
type content struct {
	kinds    []string
	index    []int
	field    reflect.StructField
	optional bool
}

// binding is how a request becomes an input.
type binding struct {
	parameters []parameter
	body       *content
	call       []int // of the field that is the request itself
	query      []string
}

func bindingOf(t reflect.Type) *binding {
	b := &binding{}
	b.read(t, nil)
	for _, p := range b.parameters {
		if !p.path {
			b.query = append(b.query, p.name)
		}
	}
	return b
}

func (b *binding) read(t reflect.Type, at []int) {
	for n := range t.NumField() {
		f := t.Field(n)
		index := append(slices.Clone(at), n)
		if f.Type == reflect.TypeFor[echo.Context]() {
			b.call = index
		} else if name, ok := f.Tag.Lookup("path"); ok {
			b.parameters = append(b.parameters, parameter{name, index, f, true, t})
		} else if name, ok := f.Tag.Lookup("query"); ok {
			b.parameters = append(b.parameters, parameter{name, index, f, false, t})
		} else if kinds, ok := f.Tag.Lookup("body"); ok {
			kinds, optional := strings.CutSuffix(kinds, ",optional")
			b.body = &content{strings.Split(kinds, ","), index, f, optional}
		} else if f.Anonymous {
			b.read(f.Type, index)
		}
	}
}

// bind reads a request into an input.
func (b *binding) bind(c echo.Context, in reflect.Value) error {
	if err := b.known(c); err != nil {
		return err
	}
	for _, p := range b.parameters {
		text := c.QueryParam(p.name)
		if p.path {
			text = web.Param(c, p.name)
		}
		if err := p.set(in.FieldByIndex(p.index), text); err != nil {
			return err
		}
	}
	if b.call != nil {
		in.FieldByIndex(b.call).Set(reflect.ValueOf(c))
	}
	if b.body != nil {
		return b.body.read(c, in.FieldByIndex(b.body.index).Addr().Interface())
	}
	return nil
}

// known refuses parameters of the query that the operation has not.
func (b *binding) known(c echo.Context) error {
	for name := range c.QueryParams() {
		if slices.Contains(b.query, name) {
			continue
		}
		if len(b.query) == 0 {
			return problem.ParameterUnknown.Case("none").Got(name)
		}
		return problem.ParameterUnknown.With("accepted", problem.NearestOf(name, b.query)).Got(name)
	}
	return nil
}

// set reads the text of a parameter; "" is one that was left out.
func (p *parameter) set(to reflect.Value, text string) error {
	if u, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
	case reflect.Bool:
		if text != "" && text != "true" && text != "false" {
			return problem.ParameterInvalid.Got(p.name + "=" + text)
		}
		to.SetBool(text == "true")
	default:
		panic("no parameter can be a " + to.Type().String())
	}
	return nil
}

// read reads the body: JSON strictly, anything else as it comes.
func (b *content) read(c echo.Context, into any) error {
	if reader, raw := into.(*io.Reader); raw {
		*reader = c.Request().Body
		return nil
	}
	if b.optional && c.Request().ContentLength == 0 {
		return nil
	}
	return body(c.Request(), into)
}

// body reads a JSON body and refuses unknown keys.
func body(r *http.Request, into any) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), echo.MIMEApplicationJSON) {
		return problem.ContentTypeWrong.Got(r.Header.Get("Content-Type"))
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bodyProblem(err, into)
	}
	return nil
}
