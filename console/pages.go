package console

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider"
)

func (s *Console) pages(e *echo.Echo) {
	e.GET("/", s.home)
	e.GET("/identities", s.identitiesPage)
	e.GET("/identities/new", s.newPersonPage)
	e.GET("/identities/:id", s.identityPage)
	e.GET("/identities/:id/edit", s.editPersonPage)
	e.GET("/cards", s.cardsPage)
	e.GET("/cards/:serial", s.cardPage)
	e.GET("/clients", s.clientsPage)
	e.GET("/logins", s.loginsPage)
	e.GET("/logins/stream", s.loginsStream)
	e.GET("/logins/:id", s.loginPage)
	e.GET("/scenario", s.scenarioPage)
	e.GET("/scenario.yaml", s.api.Scenarios.Save)
	e.GET("/jobs/:id", s.jobPage)
	e.GET("/doctor", s.doctorPage)
	e.GET("/why", s.whyListPage)
	e.GET("/why/:code", s.whyPage)
	e.GET("/reader", s.readerPage)
	e.GET("/deliveries", s.deliveriesPage)
	e.GET("/fidelity", s.fidelityPage)
	s.phoneRoutes(e)
	s.orderPages(e)
	s.deskPages(e)
	e.GET("/certificates", s.certificatesPage)
	e.GET("/sign", s.signPage)
	e.POST("/sign", s.signPage)
	e.POST("/scenario", s.enterScenario)
	e.POST("/jobs/:id/cancel", s.cancelJobPage)
	e.GET("/clients/:id", s.clientPage)
	e.POST("/certificates/:serial/revoke", s.revokePage)
	e.POST("/clients/:id/certificate", s.issueForClient)
	e.POST("/clients/:id/bind", s.bindSubject)
	e.POST("/cards/kit", s.kitAction)
	e.POST("/cards/:serial/:action", s.cardAction)
	e.POST("/identities/new", s.savePerson)
	e.POST("/identities/bulk", s.bulk)
	e.POST("/identities/:id/edit", s.savePerson)
	e.POST("/identities/:id/:action", s.personAction)
	e.POST("/reader/:request", s.readerAnswer)
	if s.Demo != nil {
		demo.NewPages(s.views.Whole, demo.NewParty(s.Demo, s.cookies, s.URL, "/demo")).Register(e)
	}
}

func (s *Console) home(c echo.Context) error {
	return s.page(
		c,
		http.StatusOK,
		"console/home",
		map[string]any{
			"Title":    "Console",
			"Doors":    s.Provider.Doors(),
			"Settings": s.Settings.Table(),
			"Keys":     s.OIDC.Keys(),
			"Version":  s.Version,
		},
	)
}

func (s *Console) identitiesPage(c echo.Context) error {
	q := api.PeopleQuery(c)
	list := shell.List{Path: "/identities", Filter: url.Values{"q": {q.Text}, "profession": {q.Profession},
		"tag": {q.Tag}}}
	if q == (identities.Query{}) {
		list.Count = s.People.Count
	}
	rows, part, err := shell.Shown(c, list, s.api.People.List(ctx(c), q))
	if err != nil {
		return err
	}
	gone, err := s.People.Deleted(ctx(c), shell.PageRows+1)
	if err != nil {
		return err
	}
	gone, more := store.Cut(gone, shell.PageRows, func(i *identities.Identity) string { return i.NationalID })
	var professions []choice
	for _, code := range identities.Professions() {
		professions = append(professions, choice{code, nomenclature.ProfessionLabel(code)})
	}
	return s.page(c, http.StatusOK, "console/identities", map[string]any{"Title": "Identités", "People": rows,
		"Query": q, "Part": part, "Deleted": c.QueryParam("deleted"), "Gone": gone, "MoreGone": more != "",
		"Done": c.QueryParam("done"), "Professions": professions, "Actions": identities.Actions})
}

func (s *Console) identityPage(c echo.Context) error {
	i, err := s.People.Get(ctx(c), param(c, "id"))
	if err != nil {
		return err
	}
	claims, err := json.MarshalIndent(i.UserInfo(identities.AuthModeMobile), "", "  ")
	if err != nil {
		return err
	}
	all, err := s.cardsOf(ctx(c), i.NationalID)
	if err != nil {
		return err
	}
	return s.page(
		c,
		http.StatusOK,
		"console/identity",
		map[string]any{
			"Title":     i.Name(),
			"Person":    s.api.People.View(ctx(c), i),
			"Claims":    string(claims),
			"Cards":     all,
			"CardTypes": cards.Types,
			"CardType":  cards.TypeFor(i),
		},
	)
}

// somebodysCards are some of a person's cards, and whether there are others, which
// the page of the cards has.
type somebodysCards struct {
	NationalID string
	List       []cards.Card
	More       bool
}

// fewCards is how many of a person's cards a page shows among other things.
const fewCards = 20

func (s *Console) cardsOf(c context.Context, nationalID string) (somebodysCards, error) {
	list, next, err := s.api.Cards.List(c, nationalID)("", fewCards)
	return somebodysCards{nationalID, list, next != ""}, err
}

func (s *Console) cardsPage(c echo.Context) error {
	id := c.QueryParam("national_id")
	list, part, err := shell.Shown(c, shell.List{Path: "/cards", Filter: url.Values{"national_id": {id}},
		Count: func(ctx context.Context, most int) (int, error) { return s.Cards.Count(ctx, id, most) }},
		s.api.Cards.List(ctx(c), id))
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console/cards", map[string]any{"Title": "Cartes", "Cards": list, "Part": part,
		"Kits": cards.Kits()})
}

// cardPage shows the card's printed face and what can be done with it.
func (s *Console) cardPage(c echo.Context) error {
	card, err := s.Cards.Get(ctx(c), param(c, "serial"))
	if err != nil {
		return err
	}
	kind, err := cards.TypeNamed(card.Type)
	if err != nil {
		return err
	}
	inside, err := s.Cards.Inserted(ctx(c))
	if err != nil {
		return err
	}
	data := map[string]any{
		"Title":      card.Type + " " + card.Serial,
		"Card":       card,
		"Type":       kind,
		"Inserted":   inside != nil && inside.Serial == card.Serial,
		"Activities": []string{},
	}
	if person, err := s.People.Get(ctx(c), card.NationalID); err == nil {
		data["Profession"], data["Activities"] = nomenclature.ProfessionLabel(person.Profession()), onCard(person)
	}
	return s.page(c, http.StatusOK, "console/card", data)
}

// maxOnCard is how many activities a card holds.
const maxOnCard = 16

func onCard(i *identities.Identity) (out []string) {
	for _, e := range i.Exercises {
		for _, a := range e.Activities {
			if len(out) < maxOnCard {
				out = append(
					out,
					nomenclature.ProfessionLabel(
						e.Profession,
					)+" — "+a.CorporateName+" — "+nomenclature.Label(
						"R02",
						a.Sector,
					),
				)
			}
		}
	}
	return out
}

func (s *Console) kitAction(c echo.Context) error {
	if _, err := s.Cards.IssueKit(ctx(c), c.FormValue("kit")); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/identities?tag="+url.QueryEscape(c.FormValue("kit")))
}

func (s *Console) cardAction(c echo.Context) error {
	var err error
	serial := param(c, "serial")
	switch c.Param("action") {
	case "oppose":
		err = s.Cards.Oppose(ctx(c), serial, c.FormValue("reason"))
	case "unblock":
		err = s.Cards.Unblock(ctx(c), serial)
	case "insert":
		_, err = s.Cards.Insert(ctx(c), serial)
	case "pull":
		err = s.Cards.PullOut(ctx(c))
	default:
		err = echo.ErrNotFound
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/cards/"+url.PathEscape(serial))
}

func (s *Console) clientsPage(c echo.Context) error {
	list, part, err := shell.Shown(c, shell.List{Path: "/clients", Count: s.Clients.Count}, s.api.Clients.List(ctx(c)))
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console/clients", map[string]any{"Title": "Clients", "Clients": list,
		"Part": part})
}

// readerPage is the card reader: the logins that wait for a card (CIBA,
// channel CARD), live.
func (s *Console) readerPage(c echo.Context) error { return s.reader(c, nil) }

// waitingCard is a login at the reader with the cards that can answer it.
type waitingCard struct {
	ecps.Request
	Cards somebodysCards
}

func (s *Console) reader(c echo.Context, refusal error) error {
	waiting := func(ctx context.Context, most int) (int, error) {
		return s.ECPS.CountWaiting(ctx, identities.MeansCard, most)
	}
	rs, part, err := shell.Shown(c, shell.List{Path: "/reader", Count: waiting}, api.Requests(ctx(c), s.ECPS,
		ecps.Filter{Means: identities.MeansCard, PendingOnly: true}))
	if err != nil {
		return err
	}
	var rows []waitingCard
	for _, r := range rs {
		all, err := s.cardsOf(ctx(c), r.NationalID)
		if err != nil {
			return err
		}
		rows = append(rows, waitingCard{r, all})
	}
	data := map[string]any{"Title": "Lecteur de cartes", "Requests": rows, "Part": part}
	if refusal != nil {
		data["Problem"] = problem.From(refusal)
	}
	return s.page(c, http.StatusOK, "console/reader", data)
}

func (s *Console) readerAnswer(c echo.Context) error {
	id := param(c, "request")
	var err error
	if c.FormValue("answer") == "refuse" {
		_, err = s.ECPS.Answer(ctx(c), id, ecps.Refused)
	} else {
		_, err = s.api.Reader.Present(ctx(c), id, cmp.Or(strings.TrimSpace(c.FormValue("serial")), c.FormValue("card")),
			c.FormValue("pin"))
	}
	if err != nil {
		return s.reader(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/reader")
}

func (s *Console) deliveriesPage(c echo.Context) error {
	client := c.QueryParam("client")
	list, part, err := shell.Shown(c, shell.List{Path: "/deliveries", Filter: url.Values{"client": {client}},
		Count: func(ctx context.Context, most int) (int, error) { return s.Sender.Count(ctx, client, most) }},
		s.api.Deliveries.List(ctx(c), client))
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console/deliveries", map[string]any{"Title": "Envois", "Deliveries": list,
		"Part": part, "Client": client})
}

func (s *Console) fidelityPage(c echo.Context) error {
	rows, err := provider.Ledger()
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console/fidelity", map[string]any{"Title": "Fidélité", "Rows": rows})
}
