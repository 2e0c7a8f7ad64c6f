package web

import (
	"html/template"
	"net/url"
	"reflect"
)

// functions are what every template may call.
var functions = template.FuncMap{
	"path":     url.PathEscape,
	"select":   selectOf,
	"optional": optional,
	"cascade":  cascade,
	"groups":   groups,
}

// Select is what the template "select" draws: choices, which are structs with
// Code and Label, and a value that may be none of them.
type Select struct {
	Name, Value, Hook       string
	Choices, More           any
	None, Cascade, Unlisted bool
}

func selectOf(name, value string, choices any) Select {
	return Select{Name: name, Value: value, Choices: choices, Unlisted: !listed(value, choices)}
}

// optional may also be left empty.
func optional(name, value string, choices any) Select {
	s := selectOf(name, value, choices)
	s.None, s.Unlisted = true, s.Unlisted && value != ""
	return s
}

// cascade has other choices follow it.
func cascade(name, value string, choices any, hook string) Select {
	s := optional(name, value, choices)
	s.Cascade, s.Hook = true, hook
	return s
}

// groups shows the usual choices before the others.
func groups(name, value string, usual, others any, hook string) Select {
	s := cascade(name, value, usual, hook)
	s.More, s.Unlisted = others, s.Unlisted && !listed(value, others)
	return s
}

func listed(value string, choices any) bool {
	list := reflect.ValueOf(choices)
	for n := range list.Len() {
		if list.Index(n).FieldByName("Code").String() == value {
			return true
		}
	}
	return false
}
