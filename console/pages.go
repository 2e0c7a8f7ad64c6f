package console

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu/cards"
	"pscemu/identities"
	"pscemu/identities/ecps"
	"pscemu/identities/nomenclature"
	"pscemu/problem"
	"pscemu/provider"
	"pscemu/web"
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
	e.GET("/scenario.yaml", func(c echo.Context) error { _, err := s.saveScenario(c); return err })
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
		e.GET("/demo", s.demoPage)
		e.GET("/demo/start", s.demoStart)
		e.GET("/demo/callback", s.demoCallback)
	}
}

func (s *Console) home(c echo.Context) error {
	return s.page(c, http.StatusOK, "console_home", map[string]any{"Title": "Console", "Doors": s.Provider.Doors(), "Settings": s.Settings.Table(), "Keys": s.OIDC.Keys(), "Version": s.Version})
}

func (s *Console) identitiesPage(c echo.Context) error {
	const size = 100
	q := query(c)
	people, err := s.People.List(ctx(c), q, c.QueryParam("after"), size)
	if err != nil {
		return err
	}
	gone, moreGone, err := s.People.Deleted(ctx(c))
	if err != nil {
		return err
	}
	rows := make([]Person, len(people))
	for i := range people {
		rows[i] = s.person(ctx(c), &people[i])
	}
	more := ""
	if len(people) == size {
		more = "?" + url.Values{"q": {q.Text}, "profession": {q.Profession}, "tag": {q.Tag}, "after": {people[size-1].NationalID}}.Encode()
	}
	var professions []choice
	for _, code := range identities.Professions() {
		professions = append(professions, choice{code, nomenclature.ProfessionLabel(code)})
	}
	return s.page(c, http.StatusOK, "console_identities", map[string]any{"Title": "Identités", "People": rows, "Query": q, "More": more, "Deleted": c.QueryParam("deleted"), "Gone": gone, "MoreGone": moreGone,
		"Done": c.QueryParam("done"), "Professions": professions, "Actions": identities.Actions})
}

func (s *Console) identityPage(c echo.Context) error {
	i, err := s.People.Get(ctx(c), param(c, "id"))
	if err != nil {
		return err
	}
	claims, err := json.MarshalIndent(i.UserInfo("MOBILE"), "", "  ")
	if err != nil {
		return err
	}
	all, err := s.Cards.List(ctx(c), i.NationalID, "", 20)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console_identity", map[string]any{"Title": i.Name(), "Person": s.person(ctx(c), i), "Claims": string(claims), "Cards": all, "CardTypes": cards.Types, "CardType": cards.TypeFor(i)})
}

func (s *Console) cardsPage(c echo.Context) error {
	list, err := s.Cards.List(ctx(c), c.QueryParam("national_id"), "", 500)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console_cards", map[string]any{"Title": "Cartes", "Cards": list, "Kits": cards.Kits()})
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
	data := map[string]any{"Title": card.Type + " " + card.Serial, "Card": card, "Type": kind, "Inserted": inside != nil && inside.Serial == card.Serial,
		"Activities": []string{}}
	if person, err := s.People.Get(ctx(c), card.NationalID); err == nil {
		data["Profession"], data["Activities"] = nomenclature.ProfessionLabel(person.Profession()), onCard(person)
	}
	return s.page(c, http.StatusOK, "console_card", data)
}

// maxOnCard is how many activities a card holds.
const maxOnCard = 16

func onCard(i *identities.Identity) (out []string) {
	for _, e := range i.Exercises {
		for _, a := range e.Activities {
			if len(out) < maxOnCard {
				out = append(out, nomenclature.ProfessionLabel(e.Profession)+" — "+a.CorporateName+" — "+nomenclature.Label("R02", a.Sector))
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
	list, err := s.Clients.List(ctx(c), "", 500)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console_clients", map[string]any{"Title": "Clients", "Clients": list})
}

// readerPage is the card reader: the logins that wait for a card (CIBA,
// channel CARD), live.
func (s *Console) readerPage(c echo.Context) error { return s.reader(c, nil) }

// waitingCard is a login at the reader with the cards that can answer it.
type waitingCard struct {
	ecps.Request
	Cards []cards.Card
}

func (s *Console) reader(c echo.Context, refusal error) error {
	rs, next, err := s.ECPS.Requests(ctx(c), ecps.Filter{Means: ecps.Card, PendingOnly: true, After: c.QueryParam("after"), Limit: 50})
	if err != nil {
		return err
	}
	var rows []waitingCard
	for _, r := range rs {
		all, err := s.Cards.List(ctx(c), r.NationalID, "", 20)
		if err != nil {
			return err
		}
		rows = append(rows, waitingCard{r, all})
	}
	data := map[string]any{"Title": "Lecteur de cartes", "Requests": rows, "Next": next}
	if refusal != nil {
		data["Problem"] = problem.From(refusal)
	}
	return s.page(c, http.StatusOK, "reader", data)
}

func (s *Console) readerAnswer(c echo.Context) error {
	id := param(c, "request")
	var err error
	if c.FormValue("answer") == "refuse" {
		_, err = s.ECPS.Answer(ctx(c), id, ecps.Refused)
	} else {
		_, err = s.readCard(c, id, c.FormValue("card"), c.FormValue("pin"))
	}
	if err != nil {
		return s.reader(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/reader")
}

func (s *Console) deliveriesPage(c echo.Context) error {
	list, next, err := s.Sender.List(ctx(c), c.QueryParam("client"), c.QueryParam("after"), 200)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console_deliveries", map[string]any{"Title": "Envois", "Deliveries": list, "Client": c.QueryParam("client"), "Next": next})
}

func (s *Console) fidelityPage(c echo.Context) error {
	rows, err := provider.Ledger()
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "console_fidelity", map[string]any{"Title": "Fidélité", "Rows": rows})
}
