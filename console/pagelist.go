package console

import (
	"context"
	"fmt"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
)

// Every list that may be long is a lister. The control API gives a page of it
// with where it goes on, a page of the console says how much of it is shown and
// links to the rest.

// What a page of the console shows of a list, and to what number it counts.
const (
	pageRows  = 100
	countedTo = 1000
)

// pageList is a list as a page of the console shows it.
type pageList struct {
	Path   string     // of the page
	Filter url.Values // what else is in its address
	After  string     // name of the parameter that says where to go on; "" is after
	// Count counts the list, no further than to most; nil where that would mean
	// reading all of it.
	Count func(ctx context.Context, most int) (int, error)
}

// part is what a page says of the part of a list it shows.
type part struct {
	Said  string
	Links []link
}

// link is a link of a page to another part of a list.
type link struct{ Target, Label, Hook string }

// shown reads the part of a list that the address asks for, and says how much
// of the list it is.
func shown[T any](c echo.Context, p pageList, list lister[T]) ([]T, part, error) {
	if p.After == "" {
		p.After = "after"
	}
	after := c.QueryParam(p.After)
	rows, next, err := list(after, pageRows)
	if err != nil {
		return nil, part{}, err
	}
	total := -1
	switch {
	case after == "" && next == "":
		total = len(rows)
	case p.Count != nil:
		if total, err = p.Count(ctx(c), countedTo+1); err != nil {
			return nil, part{}, err
		}
	}
	out := part{Said: said(len(rows), total, next != "")}
	if after != "" {
		out.Links = append(out.Links, link{p.address(c, ""), "Au début", "list-first"})
	}
	if next != "" {
		out.Links = append(out.Links, link{p.address(c, next), "Suite", "list-next"})
	}
	return rows, out, nil
}

// address is the page's with another place in the list.
func (p pageList) address(c echo.Context, after string) string {
	q := url.Values{}
	for name, values := range p.Filter {
		if values[0] != "" {
			q[name] = values
		}
	}
	if after != "" {
		q.Set(p.After, after)
	}
	address := web.Path(ctx(c), p.Path)
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	return address
}

// said tells how many rows of how many are shown; a total below 0 is not known.
func said(rows, total int, more bool) string {
	switch {
	case total > countedTo:
		return fmt.Sprintf("%d sur plus de 1 000", rows)
	case total > rows:
		return fmt.Sprintf("%d sur %d", rows, total)
	case total >= 0 && !more:
		return fmt.Sprintf("%d en tout", rows)
	case more:
		return fmt.Sprintf("%d affichés, d’autres suivent", rows)
	}
	return fmt.Sprintf("%d affichés, fin de la liste", rows)
}
