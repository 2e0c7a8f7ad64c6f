package api

import (
	"strconv"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// Every list that may be long is a lister. The control API gives a page of it
// with where it goes on, a page of the console says how much of it is shown and
// links to the rest.

// lister lists up to limit rows behind the place after, "" for the start, and
// says where the list goes on, "" at its end.
type Lister[T any] func(after string, limit int) (rows []T, next string, err error)

// byID makes a lister of a list that goes on behind the id of a row.
func ByID[T any](id func(*T) string, list func(after string, limit int) ([]T, error)) Lister[T] {
	return func(after string, limit int) ([]T, string, error) {
		rows, err := list(after, limit+1)
		rows, next := store.Cut(rows, limit, id)
		return rows, next, err
	}
}

// How many rows a page of the control API has: so many, unless ?limit says
// otherwise, and never more than maxLimit.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// limit reads ?limit. What is no number of rows is a mistake, and refused; more
// than a page may have gives a full page, whose next goes on.
func limit(c echo.Context) (int, error) {
	asked := c.QueryParam("limit")
	if asked == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(asked)
	if err != nil || n < 1 {
		return 0, problem.LimitInvalid.With("most", maxLimit).With("usual", defaultLimit).Got(asked)
	}
	return min(n, maxLimit), nil
}

// listing is a page of a list in the control API.
type listing[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`  // ?after= of the next page; "" when nothing follows
	Limit int    `json:"limit"` // how many rows a page has
}

// listed answers with a page of a list.
func listed[T any](c echo.Context, list Lister[T]) (any, error) {
	n, err := limit(c)
	if err != nil {
		return nil, err
	}
	rows, next, err := list(c.QueryParam("after"), n)
	if err != nil {
		return nil, err
	}
	return listing[T]{append([]T{}, rows...), next, n}, nil
}
