package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"pscemu.invalid/pscemu/internal/problem"
)

// strictly is the value that strict holds a policy to, for those it holds.
func strictly(f reflect.StructField) (string, bool) { return f.Tag.Lookup("strict") }

// strictPolicies are the policies that strict holds, by their index, and a
// Policies with the values it holds them to.
var strictPolicies = sync.OnceValues(func() (held []int, values Policies) {
	for i, f := range slices.Collect(reflect.TypeFor[Policies]().Fields()) {
		value, ok := strictly(f)
		if !ok {
			continue
		}
		row := Setting{Name: f.Tag.Get("name"), Value: value, Origin: "strict"}
		if err := set(reflect.ValueOf(&values).Elem().Field(i), row, f.Tag); err != nil {
			panic(err) // the tag is wrong
		}
		held = append(held, i)
	}
	return held, values
})

// hold gives each policy that strict holds the strict value, whatever it was.
func (p *Policies) hold() {
	held, values := strictPolicies()
	to, from := reflect.ValueOf(p).Elem(), reflect.ValueOf(values)
	for _, i := range held {
		to.Field(i).Set(from.Field(i))
	}
}

// HeldByStrict lists the policies that strict holds, with the value.
func HeldByStrict() map[string]string {
	out := map[string]string{}
	for _, f := range fields() {
		if value, ok := strictly(f); ok {
			out[f.Tag.Get("name")] = value
		}
	}
	return out
}

func heldByStrict(name, value, held string) error {
	code := problem.SettingStrict
	if strings.HasPrefix(name, "door-") {
		code = problem.DoorsStrict
	}
	return code.With("held", name+"="+held).Got(name + "=" + value)
}

// Permits refuses policies of a client or an identity that strict overrules.
func (l *Live) Permits(o Overrides) error {
	if !l.Strict() {
		return nil
	}
	held := HeldByStrict()
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if value, ok := held[name]; ok && o[name] != value {
			return heldByStrict(name, o[name], value)
		}
	}
	return nil
}

// overrule gives a row the value that strict holds it to, and remembers what
// somebody had set otherwise.
func (l *Loaded) overrule(row *Setting, held string) {
	if row.Value != held && row.Origin != "default" {
		l.Overruled = append(l.Overruled, *row)
	}
	row.Value, row.Origin = held, "strict"
}
