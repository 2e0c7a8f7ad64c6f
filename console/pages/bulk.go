package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
)

// act gives the person a means, deletes them or brings them back.
func (h *People) act(c echo.Context) error {
	id := web.Param(c, "id")
	do, err := h.deed(c, c.Param("action"))
	if err == nil {
		err = h.API.Store.Update(shell.Context(c), func(tx store.Tx) error { return do(tx, id) })
	}
	if err != nil {
		return err
	}
	if c.Param("action") == "delete" {
		return web.Redirect(c, http.StatusSeeOther, "/identities?deleted="+url.QueryEscape(id))
	}
	return web.Redirect(c, http.StatusSeeOther, "/identities/"+url.PathEscape(id))
}

// deed does one thing to one person within a transaction.
type deed func(tx store.Tx, id string) error

// deed is what a form asks for.
func (h *People) deed(c echo.Context, action string) (deed, error) {
	switch action {
	case "ecps":
		return func(tx store.Tx, id string) error {
			_, err := h.API.ECPS.ActivateIn(tx, id, cards.DefaultPIN)
			return err
		}, nil
	case "card": // the type asked for, or the one that goes with the person
		kind := cards.Type(c.FormValue("type"))
		return func(tx store.Tx, id string) error {
			_, err := h.API.Cards.IssueIn(tx, cards.Request{NationalID: id, Type: kind})
			return err
		}, nil
	case "delete":
		return h.API.People.DeleteIn, nil
	case "restore":
		return func(tx store.Tx, id string) error { _, err := h.API.People.RestoreIn(tx, id); return err }, nil
	case "tag", "untag":
		tag := c.FormValue("tag")
		return func(tx store.Tx, id string) error { return h.API.People.TagIn(tx, id, tag, action == "tag") }, nil
	case "behaviour":
		b, err := identities.ParseBehaviour(c.FormValue("behaviour"), c.FormValue("after"))
		return func(tx store.Tx, id string) error { return h.API.People.SetBehaviourIn(tx, id, b) }, err
	}
	return nil, echo.ErrNotFound
}

// bulkResult is what a bulk action came to: those it cannot be done to are
// counted, with the first reason.
type bulkResult struct {
	Done int            `json:"done"`
	All  int            `json:"all"`
	Why  *problem.Error `json:"why,omitempty"`
}

// String tells it on a page.
func (r bulkResult) String() string {
	said := fmt.Sprintf("%d sur %d", r.Done, r.All)
	if r.Why != nil {
		said += " — " + r.Why.Error()
	}
	return said
}

// bulk does one thing to the people ticked, or to all whom the search finds.
// When these are many it goes on as a job, which a page shows.
func (h *People) bulk(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	do, err := h.deed(c, c.FormValue("action"))
	if err != nil {
		return err
	}
	ids, q := form["id"], searched(c)
	if c.FormValue("all") != "" {
		var more bool
		if ids, more, err = h.found(shell.Context(c), q); err != nil {
			return err
		}
		if more {
			return h.bulkLater(c, q, do)
		}
	}
	out, err := h.bulkNow(c, ids, do)
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/identities?"+addressOf(q, out.String()))
}

// searched is the search that the people on the page came of.
func searched(c echo.Context) identities.Query {
	return identities.Query{Text: c.FormValue("q"), Profession: c.FormValue("profession"), Tag: c.FormValue("with")}
}

// addressOf is a search in the address of the page, with what was done.
func addressOf(q identities.Query, done string) string {
	search := url.Values{"q": {q.Text}, "profession": {q.Profession}, "tag": {q.Tag}}
	if done != "" {
		search.Set("done", done)
	}
	return search.Encode()
}

// bulkNow does one thing to these people before it answers.
func (h *People) bulkNow(c echo.Context, ids []string, do deed) (out bulkResult, err error) {
	if len(ids) == 0 {
		return out, problem.NobodyChosen.Of()
	}
	for page := range slices.Chunk(ids, identities.Batch) {
		if err := h.bulkPage(shell.Context(c), page, do, &out); err != nil {
			return out, err
		}
	}
	if out.Done == 0 {
		return out, out.Why
	}
	return out, nil
}

// bulkLater begins a job that does one thing to all whom a search finds.
func (h *People) bulkLater(c echo.Context, q identities.Query, do deed) error {
	back := "/identities?" + addressOf(q, "")
	j, err := h.API.Jobs.Start("bulk", back, func(ctx context.Context, j *api.Job) (any, error) {
		return h.bulkFound(ctx, q, do, j)
	})
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/jobs/"+j.ID)
}

// atOnce is how many people a bulk action is done to before it answers.
const atOnce = 500

// found are the first people whom a search finds, and whether there are more.
func (h *People) found(ctx context.Context, q identities.Query) (ids []string, more bool, err error) {
	people, err := h.API.People.List(ctx, q, "", atOnce+1)
	for n := range people {
		ids = append(ids, people[n].NationalID)
	}
	return ids, len(ids) > atOnce, err
}

// bulkFound does one thing to all whom a search finds, page by page.
func (h *People) bulkFound(ctx context.Context, q identities.Query, do deed, j *api.Job) (any, error) {
	total := 0
	err := h.API.People.Each(ctx, q, "", func(*identities.Identity) error { total++; return nil })
	if err != nil {
		return nil, err
	}
	var out bulkResult
	var page []string
	flush := func() error {
		err := h.bulkPage(ctx, page, do, &out)
		page = page[:0]
		j.Progress(out.All, max(total, out.All)) // some may have come meanwhile
		return err
	}
	err = h.API.People.Each(ctx, q, "", func(i *identities.Identity) error {
		if page = append(page, i.NationalID); len(page) == identities.Batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return out, err
}

// bulkPage does one thing to some people in one transaction. When somebody is
// refused it is done person by person.
func (h *People) bulkPage(ctx context.Context, ids []string, do deed, out *bulkResult) error {
	if len(ids) == 0 {
		return nil
	}
	err := h.API.Store.Update(ctx, func(tx store.Tx) error {
		for _, id := range ids {
			if err := do(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		out.Done, out.All = out.Done+len(ids), out.All+len(ids)
		return nil
	}
	for _, id := range ids {
		err := h.API.Store.Update(ctx, func(tx store.Tx) error { return do(tx, id) })
		if err := out.count(err); err != nil {
			return err
		}
	}
	return nil
}

// count takes what came of one person; what is no refusal ends the whole.
func (r *bulkResult) count(err error) error {
	var refusal *problem.Error
	switch {
	case err == nil:
		r.Done++
	case !errors.As(err, &refusal) || refusal.Kind == problem.Internal:
		return err
	case r.Why == nil:
		r.Why = refusal
	}
	r.All++
	return nil
}
