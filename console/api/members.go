package api

import (
	"reflect"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// bodyProblem explains why a JSON body cannot be read into a value: of a member
// that does not exist it names the nearest that does.
func bodyProblem(err error, into any) error {
	p := problem.BodyInvalid.Got(err.Error())
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	if !unknown {
		return p
	}
	known := members(reflect.TypeOf(into), 0)
	if len(known) == 0 {
		return p
	}
	return p.Case("member").With("accepted", problem.NearestOf(strings.Trim(name, `"`), known))
}

// members are the names that a type has as JSON, with those of the values in it.
func members(t reflect.Type, depth int) (out []string) {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || depth > 4 {
		return nil
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case name != "":
			out = append(out, name)
		case !f.Anonymous:
			out = append(out, strings.ToLower(f.Name))
		}
		out = append(out, members(f.Type, depth+1)...)
	}
	return out
}
