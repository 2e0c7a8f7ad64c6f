package api

import (
	"reflect"
	"strconv"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Every list that may be long is a Lister. The control API gives a page of it
// with where it goes on, a page of the console says how much of it is shown and
// links to the rest.

// Lister lists up to limit rows behind the place after, "" for the start, and
// says where the list goes on, "" at its end.
type Lister[T any] func(after string, limit int) (rows []T, next string, err error)

// ByID makes a Lister of a list that goes on behind the id of a row.
func ByID[T any](id func(*T) string, list func(after string, limit int) ([]T, error)) Lister[T] {
	return func(after string, limit int) ([]T, string, error) {
		rows, err := list(after, limit+1)
		rows, next := store.Cut(rows, limit, id)
		return rows, next, err
	}
}

// How many rows a page of the control API has: so many, unless limit says
// otherwise, and never more than maxLimit.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Limit is how many rows a page has. What is no number of rows is a mistake, and
// refused; more than a page may have gives a full page, whose next goes on.
type Limit int

// UnmarshalText reads the parameter; "" is the usual limit.
func (l *Limit) UnmarshalText(asked []byte) error {
	if len(asked) == 0 {
		*l = defaultLimit
		return nil
	}
	n, err := strconv.Atoi(string(asked))
	if err != nil || n < 1 {
		return problem.LimitInvalid.With("most", maxLimit).With("usual", defaultLimit).Got(string(asked))
	}
	*l = Limit(min(n, maxLimit))
	return nil
}

func (Limit) schema() *Schema {
	least, most := 1, maxLimit
	return &Schema{Type: "integer", Minimum: &least, Maximum: &most, Default: defaultLimit}
}

// Paging are the parameters of every list that may be long.
type Paging struct {
	// Limit is how many rows a page has; more than the maximum gives the maximum,
	// and next goes on.
	Limit Limit `query:"limit"`
	// After is what next said on the page before.
	After string `query:"after"`
}

// Page is a part of a long list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the parameter after of the next page; empty when nothing follows.
	Next string `json:"next"`
	// Limit is how many rows a page has at most.
	Limit int `json:"limit"`
}

func (Page[T]) of() (reflect.Type, string) { return reflect.TypeFor[T](), "Page" }

// page answers with a part of a list.
func page[T any](p Paging, list Lister[T]) (*Page[T], error) {
	rows, next, err := list(p.After, int(p.Limit))
	if err != nil {
		return nil, err
	}
	return &Page[T]{append([]T{}, rows...), next, int(p.Limit)}, nil
}

// List is a list that is complete by nature.
type List[T any] struct {
	Items []T `json:"items"`
	// Next is empty: nothing follows.
	Next string `json:"next"`
}

func (List[T]) of() (reflect.Type, string) { return reflect.TypeFor[T](), "List" }

// all answers with a complete list.
func all[T any](rows []T) *List[T] { return &List[T]{Items: append([]T{}, rows...)} }
