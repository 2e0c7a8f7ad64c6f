package console

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"pscemu/cards"
	"pscemu/identities"
	"pscemu/problem"
	"pscemu/web"
)

// personAction gives the person a means, deletes them or brings them back.
func (s *Console) personAction(c echo.Context) error {
	id := param(c, "id")
	if err := s.act(c, c.Param("action"), id); err != nil {
		return err
	}
	if c.Param("action") == "delete" {
		return web.Redirect(c, http.StatusSeeOther, "/identities?deleted="+url.QueryEscape(id))
	}
	return web.Redirect(c, http.StatusSeeOther, "/identities/"+url.PathEscape(id))
}

// act does one thing to one person.
func (s *Console) act(c echo.Context, action, id string) (err error) {
	switch action {
	case "ecps":
		_, err = s.ECPS.Activate(ctx(c), id, cards.DefaultPIN)
	case "card":
		err = s.giveCard(c, id)
	case "delete":
		err = s.People.Delete(ctx(c), id)
	case "restore":
		_, err = s.People.Restore(ctx(c), id)
	case "tag", "untag":
		err = s.People.Tag(ctx(c), id, c.FormValue("tag"), action == "tag")
	case "behaviour":
		var b identities.Behaviour
		if b, err = identities.ParseBehaviour(c.FormValue("behaviour"), c.FormValue("after")); err == nil {
			err = s.People.SetBehaviour(ctx(c), id, b)
		}
	default:
		err = echo.ErrNotFound
	}
	return err
}

// giveCard issues the type asked for, or the one that goes with the person.
func (s *Console) giveCard(c echo.Context, id string) error {
	_, err := s.Cards.Issue(ctx(c), cards.Request{NationalID: id, Type: c.FormValue("type")})
	return err
}

// bulk does one thing to the people ticked, or to all whom the search finds.
// Those it cannot be done to are counted, with the first reason.
func (s *Console) bulk(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	ids, q := form["id"], identities.Query{Text: c.FormValue("q"), Profession: c.FormValue("profession"), Tag: c.FormValue("with")}
	if c.FormValue("all") != "" {
		ids = nil
		err := s.People.Each(ctx(c), q, "", func(i *identities.Identity) error { ids = append(ids, i.NationalID); return nil })
		if err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return problem.New(problem.Invalid, "nobody-chosen", "nobody was chosen").Do("tick people, or all that were found")
	}
	done, why := s.actOnAll(c, c.FormValue("action"), ids)
	if done == 0 {
		return why
	}
	said := fmt.Sprintf("%d sur %d", done, len(ids))
	if why != nil {
		said += " — " + problem.From(why).Error()
	}
	back := url.Values{"q": {q.Text}, "profession": {q.Profession}, "tag": {q.Tag}, "done": {said}}
	return web.Redirect(c, http.StatusSeeOther, "/identities?"+back.Encode())
}

// actOnAll does it to many at once: the store commits them together.
func (s *Console) actOnAll(c echo.Context, action string, ids []string) (done int, why error) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(64)
	for _, id := range ids {
		group.Go(func() error {
			err := s.act(c, action, id)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if why == nil {
				why = err
			}
			return nil
		})
	}
	_ = group.Wait() // the first error is kept in why
	return done, why
}
