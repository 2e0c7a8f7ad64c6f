package web

import (
	"fmt"
	"html/template"
	"net/url"
	"reflect"
)

// functions are what every template may call.
var functions = template.FuncMap{
	"path":     escaped,
	"select":   selectOf,
	"optional": optional,
	"cascade":  cascade,
	"groups":   groups,
}

// text is a string of whatever type: words of our own have one each.
func text(v any) (string, error) {
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.String {
		return "", fmt.Errorf("%v is no text", v)
	}
	return s.String(), nil
}

func escaped(segment any) (string, error) {
	s, err := text(segment)
	return url.PathEscape(s), err
}

// Select is what the template "select" draws: choices, which are structs with
// Code and Label, and a value that may be none of them.
type Select struct {
	Name, Value, Hook       string
	Choices, More           any
	None, Cascade, Unlisted bool
}

func selectOf(name string, chosen, choices any) (Select, error) {
	value, err := text(chosen)
	return Select{Name: name, Value: value, Choices: choices, Unlisted: !listed(value, choices)}, err
}

// optional may also be left empty.
func optional(name string, chosen, choices any) (Select, error) {
	s, err := selectOf(name, chosen, choices)
	s.None, s.Unlisted = true, s.Unlisted && s.Value != ""
	return s, err
}

// cascade has other choices follow it.
func cascade(name string, chosen, choices any, hook string) (Select, error) {
	s, err := optional(name, chosen, choices)
	s.Cascade, s.Hook = true, hook
	return s, err
}

// groups shows the usual choices before the others.
func groups(name string, chosen, usual, others any, hook string) (Select, error) {
	s, err := cascade(name, chosen, usual, hook)
	s.More, s.Unlisted = others, s.Unlisted && !listed(s.Value, others)
	return s, err
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
