package provider

import (
	"errors"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
)

// cardLogin is the virtual reader: a card and its code porteur.
type cardLogin struct {
	page     *loginPage
	cards    *cards.Cards
	journal  *journal.Journal
	complete *completion
}

// Register adds the form of the tab of the card.
func (h *cardLogin) Register(e *echo.Echo) { e.POST(loginPath+"/card", h.page.with(h.submit)) }

func (h *cardLogin) submit(c echo.Context, p *login.Pending) error {
	serial, err := web.Field(c, "card")
	if err == nil && serial == "" {
		err = problem.CardMissing.Of()
	}
	if err != nil {
		return h.page.show(c, p, identities.MeansCard, err)
	}
	ctx := c.Request().Context()
	err = h.cards.InReader(ctx, serial, p.Reader)
	var card *cards.Card
	if err == nil {
		card, err = h.cards.PresentPIN(ctx, serial, c.FormValue("pin"))
	} else if p.Reader != "" {
		// The next try begins with what is in the reader then.
		_, changed := h.page.logins.Change(ctx, p.ID, func(p *login.Pending) error { p.Reader = ""; return nil })
		err = errors.Join(err, changed)
	}
	h.journal.Add(
		ctx,
		p.ID,
		journal.KindMeans,
		map[string]string{"means": string(identities.MeansCard), "card": serial},
		err,
	)
	if err != nil {
		return h.page.show(c, p, identities.MeansCard, err)
	}
	return h.complete.complete(c, p, card.NationalID, identities.AuthModeCard)
}

// testLogin logs in as the chosen person: a door, closed under strict.
type testLogin struct {
	page     *loginPage
	people   *identities.People
	journal  *journal.Journal
	complete *completion
}

// Register adds the form of the tab « Identité de test ».
func (h *testLogin) Register(e *echo.Echo) { e.POST(loginPath+"/test", h.page.with(h.submit)) }

func (h *testLogin) submit(c echo.Context, p *login.Pending) error {
	if !h.page.testDoor(p) {
		closed := problem.DoorClosed.With("door", "door-test-identity")
		return h.page.show(c, p, identities.MeansECPS, closed)
	}
	ctx := c.Request().Context()
	id, err := web.Field(c, "identity")
	if err == nil {
		_, err = h.people.Read(ctx, id)
	}
	if err != nil {
		return h.page.show(c, p, identities.MeansTest, err)
	}
	h.journal.Add(
		ctx,
		p.ID,
		journal.KindMeans,
		map[string]string{"means": string(identities.MeansTest), "national_id": id},
		nil,
	)
	return h.complete.complete(c, p, id, identities.AuthModeMobile)
}
