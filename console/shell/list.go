package shell

import (
	"context"
	"fmt"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
)

// PageRows is how many rows of a list a page shows.
const PageRows = 100

// countedTo is to what number a page counts.
const countedTo = 1000

// List is a list as a page of the console shows it: a part, with how much of the
// list it is, and links to the rest.
type List struct {
	Path   string     // of the page
	Filter url.Values // what else is in its address
	After  string     // name of the parameter that says where to go on; "" is after
	// Count counts the list, no further than to most; nil where that would mean
	// reading all of it.
	Count func(ctx context.Context, most int) (int, error)
}

// Part is what a page says of the part of a list it shows.
type Part struct {
	Said  string
	Links []Link
}

// Link is a link of a page to another part of a list.
type Link struct{ Target, Label, Hook string }

// Shown reads the part of a list that the address asks for, and says how much
// of the list it is. The list gives up to limit rows behind the place after, ""
// for the start, and says where it goes on, "" at its end.
func Shown[T any](c echo.Context, p List, list func(after string, limit int) ([]T, string, error)) (
	[]T, Part, error) {
	if p.After == "" {
		p.After = "after"
	}
	after := c.QueryParam(p.After)
	rows, next, err := list(after, PageRows)
	if err != nil {
		return nil, Part{}, err
	}
	total := -1
	switch {
	case after == "" && next == "":
		total = len(rows)
	case p.Count != nil:
		if total, err = p.Count(Context(c), countedTo+1); err != nil {
			return nil, Part{}, err
		}
	}
	out := Part{Said: said(len(rows), total, next != "")}
	if after != "" {
		out.Links = append(out.Links, Link{p.address(c, ""), "Au début", "list-first"})
	}
	if next != "" {
		out.Links = append(out.Links, Link{p.address(c, next), "Suite", "list-next"})
	}
	return rows, out, nil
}

// address is the page's with another place in the list.
func (p List) address(c echo.Context, after string) string {
	q := url.Values{}
	for name, values := range p.Filter {
		if values[0] != "" {
			q[name] = values
		}
	}
	if after != "" {
		q.Set(p.After, after)
	}
	address := web.Path(Context(c), p.Path)
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
