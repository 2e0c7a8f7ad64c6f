package provider

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/portal"
)

// loginPage shows the three means.
type loginPage struct {
	*guard
	settings *config.Live
	people   *identities.People
	cards    *cards.Cards
	tasks    *portal.Tasks
}

// Register adds the page.
func (h *loginPage) Register(e *echo.Echo) {
	e.GET(loginPath, h.with(func(c echo.Context, p *login.Pending) error {
		return h.show(c, p, identities.Means(c.QueryParam("tab")), nil)
	}))
}

// show is the page with one of its tabs, again with what was refused.
func (h *loginPage) show(c echo.Context, p *login.Pending, tab identities.Means, refusal error) error {
	testDoor := h.testDoor(p)
	tabs := h.tabs(p)
	if !slices.Contains(tabs, tab) && (tab != identities.MeansTest || !testDoor) {
		tab = tabs[0]
	}
	hint, _ := strings.CutPrefix(p.Form.Get("login_hint"), "auto:")
	remembered := h.logins.Remembered(c.Request())
	data := map[string]any{
		"Title":    "Connectez-vous",
		"ID":       p.ID,
		"Client":   p.ClientName,
		"Tab":      tab,
		"Query":    c.QueryParam("q"),
		"Path":     login.Path(p.ID, ""),
		"TestDoor": testDoor,
		"Tabs":     tabs,
		"Wallet":   p.Wallet != "",
		"Login":    cmp.Or(c.FormValue("login"), hint, remembered),
		"Remember": remembered != "",
	}
	if err := h.fill(c.Request().Context(), data, p, tab, c.QueryParam("q")); err != nil {
		return err
	}
	return h.pages.Form(c, "provider/login", data, refusal)
}

// testDoor tells whether the page has the tab « Identité de test ».
func (h *loginPage) testDoor(p *login.Pending) bool {
	return h.settings.Policies(nil, nil).DoorTestIdentity && p.Wallet == ""
}

func (h *loginPage) tabs(p *login.Pending) []identities.Means {
	if p.Wallet != "" {
		return h.tasks.Tabs(p.Wallet)
	}
	return identities.AllMeans()
}

// fill adds what a tab offers.
func (h *loginPage) fill(
	ctx context.Context,
	data map[string]any,
	p *login.Pending,
	tab identities.Means,
	q string,
) (err error) {
	switch tab {
	case identities.MeansCard:
		data["Listed"] = h.settings.Policies(nil, nil).DoorCardList
		data["Reader"], err = h.atReader(ctx, p, q)
	case identities.MeansTest:
		data["People"], data["More"], err = h.findPeople(ctx, q)
	}
	return err
}

// offered is how many cards or people a login page offers. It says when there
// are more; a search by the whole number finds each.
const offered = 50

// reader are the cards that a login page offers.
type reader struct {
	Cards    []cards.Card
	Inserted bool // the one in the reader
	More     bool // there are others
}

// atReader are the cards that can be used: the one in the reader, or any that
// the door card-list shows. The login remembers which one was in it.
func (h *loginPage) atReader(ctx context.Context, p *login.Pending, q string) (*reader, error) {
	card, err := h.cards.Inserted(ctx)
	if err != nil {
		return nil, err
	}
	if card == nil && !h.settings.Policies(nil, nil).DoorCardList {
		return &reader{}, nil // nobody is listed to a visitor
	}
	if card == nil {
		return h.findCards(ctx, strings.TrimSpace(q))
	}
	if p.Reader != card.Serial {
		_, err = h.logins.Change(ctx, p.ID, func(p *login.Pending) error { p.Reader = card.Serial; return nil })
	}
	return &reader{Cards: []cards.Card{*card}, Inserted: true}, err
}

// findCards is the card tab's search: a person's cards by the national id, one
// card by its number, or all.
func (h *loginPage) findCards(ctx context.Context, q string) (*reader, error) {
	if card, err := h.cards.Get(ctx, q); err == nil {
		return &reader{Cards: []cards.Card{*card}}, nil
	}
	all, err := h.cards.List(ctx, q, "", offered+1)
	all, next := store.Cut(all, offered, func(c *cards.Card) string { return c.Serial })
	return &reader{Cards: all, More: next != ""}, err
}

// findPeople is the test tab's search: whom the whole national id names, and what
// two seconds find, since anybody who reaches the page may ask. more tells that
// others may fit.
func (h *loginPage) findPeople(
	ctx context.Context,
	q string,
) (people []identities.Identity, more bool, err error) {
	if person, err := h.people.Read(ctx, strings.TrimSpace(q)); err == nil {
		return []identities.Identity{*person}, false, nil
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	people, err = h.people.List(ctx, identities.Query{Text: q}, "", offered+1)
	if errors.Is(err, context.DeadlineExceeded) {
		more, err = true, nil
	}
	people, next := store.Cut(people, offered, func(i *identities.Identity) string { return i.NationalID })
	return people, more || next != "", err
}
