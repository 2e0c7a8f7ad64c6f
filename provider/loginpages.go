package provider

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
)

func (s *Server) loginRoutes(e *echo.Echo) {
	g := e.Group("/login/:id")
	g.GET("", s.withLogin(s.loginPage))
	g.POST("/ecps", s.withLogin(s.submitECPS))
	g.GET("/wait", s.withLogin(s.waitPage))
	g.GET("/state", s.withLogin(s.waitState))
	g.GET("/continue", s.withLogin(s.continueECPS))
	g.POST("/totp", s.withLogin(s.submitTOTP))
	g.POST("/card", s.withLogin(s.submitCard))
	g.GET("/card-browser", s.withLogin(s.toCardOrigin))
	g.GET("/card-return", s.withLogin(s.fromCardOrigin))
	g.POST("/test", s.withLogin(s.submitTest))
	g.POST("/cancel", s.withLogin(s.cancel))
}

// withLogin finds the login and refuses another browser's, another site's form
// and a repeated field.
func (s *Server) withLogin(next func(echo.Context, *login.Pending) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := fromHere(c.Request()); err != nil {
			return s.errorPage(c, http.StatusForbidden, "Requête refusée", err)
		}
		p, err := s.logins.Get(c.Request(), c.Param("id"))
		if err != nil {
			return s.errorPage(c, http.StatusBadRequest, "", err)
		}
		return next(c, p)
	}
}

// loginPage shows the three means.
func (s *Server) loginPage(c echo.Context, p *login.Pending) error {
	return s.showLogin(c, p, identities.Means(c.QueryParam("tab")), nil)
}

func (s *Server) showLogin(c echo.Context, p *login.Pending, tab identities.Means, refusal error) error {
	testDoor := s.settings.Policies(nil, nil).DoorTestIdentity && p.Wallet == ""
	tabs := identities.AllMeans()
	if p.Wallet != "" {
		tabs = walletTasks[p.Wallet].means
	}
	if !slices.Contains(tabs, tab) && (tab != identities.MeansTest || !testDoor) {
		tab = tabs[0]
	}
	ctx, q := c.Request().Context(), c.QueryParam("q")
	data := map[string]any{
		"Title":    "Connectez-vous",
		"ID":       p.ID,
		"Client":   p.ClientName,
		"Tab":      tab,
		"Query":    q,
		"Path":     s.loginURL(p.ID, ""),
		"TestDoor": testDoor,
		"Tabs":     tabs,
		"Wallet":   p.Wallet != "",
	}
	hint, _ := strings.CutPrefix(p.Form.Get("login_hint"), "auto:")
	data["Login"] = cmp.Or(c.FormValue("login"), hint, s.logins.Remembered(c.Request()))
	data["Remember"] = s.logins.Remembered(c.Request()) != ""
	var err error
	switch tab {
	case identities.MeansCard:
		data["Listed"] = s.settings.Policies(nil, nil).DoorCardList
		var at *reader
		at, err = s.atReader(ctx, p, q)
		data["Reader"] = at
	case identities.MeansTest:
		data["People"], data["More"], err = s.findPeople(ctx, q)
	}
	if err != nil {
		return err
	}
	return s.formPage(c, "provider/login", data, refusal)
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
func (s *Server) atReader(ctx context.Context, p *login.Pending, q string) (*reader, error) {
	card, err := s.cards.Inserted(ctx)
	if err != nil {
		return nil, err
	}
	if card == nil && !s.settings.Policies(nil, nil).DoorCardList {
		return &reader{}, nil // nobody is listed to a visitor
	}
	if card == nil {
		return s.findCards(ctx, strings.TrimSpace(q))
	}
	if p.Reader != card.Serial {
		_, err = s.logins.Change(ctx, p.ID, func(p *login.Pending) error { p.Reader = card.Serial; return nil })
	}
	return &reader{Cards: []cards.Card{*card}, Inserted: true}, err
}

// findCards is the card tab's search: a person's cards by the national id, one
// card by its number, or all.
func (s *Server) findCards(ctx context.Context, q string) (*reader, error) {
	if card, err := s.cards.Get(ctx, q); err == nil {
		return &reader{Cards: []cards.Card{*card}}, nil
	}
	all, err := s.cards.List(ctx, q, "", offered+1)
	all, next := store.Cut(all, offered, func(c *cards.Card) string { return c.Serial })
	return &reader{Cards: all, More: next != ""}, err
}

// findPeople is the test tab's search: whom the whole national id names, and what
// two seconds find, since anybody who reaches the page may ask. more tells that
// others may fit.
func (s *Server) findPeople(ctx context.Context, q string) (people []identities.Identity, more bool, err error) {
	if person, err := s.people.Read(ctx, strings.TrimSpace(q)); err == nil {
		return []identities.Identity{*person}, false, nil
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	people, err = s.people.List(ctx, identities.Query{Text: q}, "", offered+1)
	if errors.Is(err, context.DeadlineExceeded) {
		more, err = true, nil
	}
	people, next := store.Cut(people, offered, func(i *identities.Identity) string { return i.NationalID })
	return people, more || next != "", err
}

// submitECPS sends the request to the phone.
func (s *Server) submitECPS(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	id, err := field(c.FormValue("login"), "login")
	if err != nil {
		return s.showLogin(c, p, identities.MeansECPS, err)
	}
	if id == "" {
		return s.showLogin(
			c,
			p,
			identities.MeansECPS,
			problem.NationalIDMissing.Of(),
		)
	}
	err = s.ask(ctx, p, id)
	s.journal.Add(ctx, p.ID, journal.KindECPSRequest, map[string]string{"national_id": id}, err)
	if err != nil {
		return s.showLogin(c, p, identities.MeansECPS, err)
	}
	if c.FormValue("remember") != "" {
		s.logins.Remember(c.Response(), id)
	} else {
		s.logins.Remember(c.Response(), "")
	}
	return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, "/wait"))
}

// ask sends a request to the phone and makes the login wait for it. One that it
// waited for before is taken back first, also when the new one is refused.
func (s *Server) ask(ctx context.Context, p *login.Pending, nationalID string) error {
	takeBack := func(tx store.Tx) error {
		_, err := s.logins.ChangeIn(tx, p.ID, func(p *login.Pending) error { return s.takeBackIn(tx, p) })
		return err
	}
	if p.Request != "" {
		if err := s.store.Update(ctx, takeBack); err != nil {
			return err
		}
	}
	var verdict error
	err := s.store.Update(ctx, func(tx store.Tx) (err error) {
		_, err = s.logins.ChangeIn(tx, p.ID, func(p *login.Pending) (err error) {
			if err = s.takeBackIn(tx, p); err != nil {
				return err
			}
			var r *ecps.Request
			if r, verdict, err = s.ecps.StartIn(tx, ecps.Ask{NationalID: nationalID, Client: p.ClientName}); r != nil {
				p.Request = r.ID
			}
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	return verdict
}

// takeBackIn cancels the request that the login waits for; a settled one stays
// as it is.
func (s *Server) takeBackIn(tx store.Tx, p *login.Pending) error {
	if p.Request == "" {
		return nil
	}
	_, err := s.ecps.AnswerIn(tx, p.Request, ecps.Cancelled)
	if refusal := (*problem.Error)(nil); errors.As(err, &refusal) {
		err = nil
	}
	p.Request = ""
	return err
}

// waitPage shows the number to compare; a refreshed page without JavaScript
// and a script with it go on by themselves.
func (s *Server) waitPage(c echo.Context, p *login.Pending) error { return s.showWait(c, p, nil) }

func (s *Server) showWait(c echo.Context, p *login.Pending, refusal error) error {
	r, err := s.ecps.Request(c.Request().Context(), p.Request)
	if err != nil {
		return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, ""))
	}
	if r.State != ecps.Pending {
		return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, "/continue"))
	}
	data := map[string]any{
		"Title":   "Validez sur votre téléphone",
		"Path":    s.loginURL(p.ID, ""),
		"Request": r,
		"Client":  p.ClientName,
		"TOTP":    s.settings.Policies(nil, nil).DoorTOTP,
	}
	status := http.StatusOK
	if refusal != nil {
		status, data["Problem"] = http.StatusForbidden, problem.From(refusal)
	}
	return s.page(c, status, "provider/wait", data)
}

const longPoll = 20 * time.Second

// patience bounds a long poll; it ends too when the server stops.
func (s *Server) patience(c echo.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithTimeout(c.Request().Context(), longPoll)
	go func() {
		select {
		case <-s.closing:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// waitState answers as soon as the request is settled.
func (s *Server) waitState(c echo.Context, p *login.Pending) error {
	if err := web.Hold(c); err != nil {
		return err
	}
	ctx, stop := s.patience(c)
	defer stop()
	r, err := s.ecps.Wait(ctx, p.Request)
	if err != nil {
		return c.JSON(http.StatusNotFound, map[string]string{"state": "gone"})
	}
	noStore(c)
	return c.JSON(http.StatusOK, map[string]string{"state": string(r.State)})
}

var ecpsEnds = map[ecps.State]*problem.Error{
	ecps.Refused:     problem.ECPSRefused.Case("page"),
	ecps.WrongTOTP:   problem.ECPSWrongTOTP.Of(),
	ecps.WrongNumber: problem.ECPSWrongNumber.Case("page"),
	ecps.Expired:     problem.ECPSExpired.Of(),
	ecps.Cancelled:   problem.ECPSCancelled.Of(),
}

// continueECPS goes on when the phone approved, else offers another try.
func (s *Server) continueECPS(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	r, err := s.ecps.Request(ctx, p.Request)
	if err != nil {
		return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, ""))
	}
	switch r.State {
	case ecps.Pending:
		return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, "/wait"))
	case ecps.Approved:
		return s.complete(c, p, r.NationalID, identities.AuthModeMobile)
	}
	refusal := ecpsEnds[r.State]
	s.journal.Add(ctx, p.ID, journal.KindMeans, map[string]string{"means": string(identities.MeansECPS), "national_id": r.NationalID}, refusal)
	return s.page(
		c,
		http.StatusOK,
		"provider/ended",
		map[string]any{
			"Title":   "Connexion interrompue",
			"Path":    s.loginURL(p.ID, ""),
			"State":   string(r.State),
			"Problem": refusal,
		},
	)
}

// submitTOTP approves with the device's one-time password.
func (s *Server) submitTOTP(c echo.Context, p *login.Pending) error {
	if _, err := s.ecps.ApproveTOTP(
		c.Request().Context(),
		p.Request,
		strings.TrimSpace(c.FormValue("totp")),
	); err != nil {
		s.journal.Add(c.Request().Context(), p.ID, journal.KindMeans, map[string]string{"means": string(identities.MeansTOTP)}, err)
		return s.showWait(c, p, err)
	}
	return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, "/continue"))
}

// submitCard is the virtual reader: a card and its code porteur.
func (s *Server) submitCard(c echo.Context, p *login.Pending) error {
	serial, err := field(c.FormValue("card"), "card")
	if err == nil && serial == "" {
		err = problem.CardMissing.Of()
	}
	if err != nil {
		return s.showLogin(c, p, identities.MeansCard, err)
	}
	ctx := c.Request().Context()
	err = s.cards.InReader(ctx, serial, p.Reader)
	var card *cards.Card
	if err == nil {
		card, err = s.cards.PresentPIN(ctx, serial, c.FormValue("pin"))
	} else if p.Reader != "" {
		// The next try begins with what is in the reader then.
		_, changed := s.logins.Change(ctx, p.ID, func(p *login.Pending) error { p.Reader = ""; return nil })
		err = errors.Join(err, changed)
	}
	s.journal.Add(ctx, p.ID, journal.KindMeans, map[string]string{"means": string(identities.MeansCard), "card": serial}, err)
	if err != nil {
		return s.showLogin(c, p, identities.MeansCard, err)
	}
	return s.complete(c, p, card.NationalID, identities.AuthModeCard)
}

// submitTest logs in as the chosen person: a door, closed under strict.
func (s *Server) submitTest(c echo.Context, p *login.Pending) error {
	if !s.settings.Policies(nil, nil).DoorTestIdentity || p.Wallet != "" {
		return s.showLogin(
			c,
			p,
			identities.MeansECPS,
			problem.DoorClosed.Case("totp"),
		)
	}
	id, err := field(c.FormValue("identity"), "identity")
	if err == nil {
		_, err = s.people.Read(c.Request().Context(), id)
	}
	if err != nil {
		return s.showLogin(c, p, identities.MeansTest, err)
	}
	s.journal.Add(c.Request().Context(), p.ID, journal.KindMeans, map[string]string{"means": string(identities.MeansTest), "national_id": id}, nil)
	return s.complete(c, p, id, identities.AuthModeMobile)
}

// cancel tells the service that the person gave up.
func (s *Server) cancel(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	err := s.store.Update(ctx, func(tx store.Tx) error {
		ended, err := s.logins.EndIn(tx, p.ID)
		if err != nil {
			return err
		}
		return s.takeBackIn(tx, ended)
	})
	if err != nil {
		return s.errorPage(c, http.StatusBadRequest, "", err)
	}
	if p.Wallet != "" {
		return web.Redirect(c, http.StatusSeeOther, "/wallet")
	}
	s.journal.Add(
		ctx,
		p.ID,
		journal.KindCancel,
		nil,
		problem.LoginCancelled.Of(),
	)
	return s.sendBack(c, s.errorAnswer(s.backOf(p), answer("login-refused"), nil))
}

// complete ends the login, once, and sends the browser back with a code.
func (s *Server) complete(c echo.Context, p *login.Pending, nationalID string, authMode identities.AuthMode) error {
	if p.Wallet != "" {
		return s.completeWallet(c, p, nationalID, authMode)
	}
	ctx := c.Request().Context()
	client, person, err := s.parties(ctx, p.ClientID, nationalID)
	if err == nil {
		err = s.logins.End(ctx, p.ID)
	}
	if err != nil {
		s.journal.Add(ctx, p.ID, journal.KindMeans, nil, err)
		return s.errorPage(c, http.StatusBadRequest, "", err)
	}
	return s.finish(
		c,
		&asking{client, p.Form, s.backOf(p)},
		oidc.Authentication{LoginID: p.ID, Person: person, AuthMode: authMode, Time: s.clock.Now()},
	)
}

func (s *Server) parties(
	ctx context.Context,
	clientID, nationalID string,
) (*clients.Client, *identities.Identity, error) {
	client, err := s.clients.Get(ctx, clientID)
	if err != nil {
		return nil, nil, err
	}
	person, err := s.people.Read(ctx, nationalID)
	return client, person, err
}
