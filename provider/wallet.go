package provider

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu/identities/ecps"
	"pscemu/problem"
	"pscemu/provider/journal"
	"pscemu/provider/login"
	"pscemu/provider/oidc"
	"pscemu/static"
	"pscemu/web"
)

// The wallet's portal: activate an e-CPS, test it, see one's devices, end all
// one's sessions. Who must prove who they are does it on the login page, with
// the means that the task takes.

// walletTask is something a person does on the portal after a login.
type walletTask struct {
	title string
	tabs  []string // of the login page
	modes []string // authModes it takes
	done  func(*Server, echo.Context, *login.Pending, oidc.Authentication) error
}

var walletTasks = map[string]walletTask{
	"activate": {"Activer mon e-CPS avec ma carte", []string{"card"}, []string{"CARD"}, (*Server).activateByCard},
	"test":     {"Tester mon e-CPS", []string{"ecps"}, []string{"MOBILE"}, (*Server).bravo},
	"devices":  {"Mes appareils", []string{"ecps", "card"}, []string{"MOBILE", "CARD"}, (*Server).openWalletSession},
	"sessions": {"Mes sessions", []string{"ecps", "card"}, []string{"MOBILE", "CARD"}, (*Server).openWalletSession},
}

func (s *Server) walletRoutes(e *echo.Echo) {
	e.GET("/home", s.walletHome)
	g := e.Group("/wallet", s.ownForms)
	g.GET("", s.walletHome)
	g.GET("/start/:task", s.startWalletTask)
	g.GET("/contact", s.contactPage)
	g.POST("/contact", s.activateByContact)
	g.GET("/activation/:id", s.activationPage)
	g.GET("/activation/:id/state", s.activationState)
	g.GET("/devices", s.withSession("devices", s.devicesPage))
	g.POST("/devices", s.withSession("devices", s.endDevice))
	g.GET("/sessions", s.withSession("sessions", s.sessionsPage))
	g.POST("/sessions", s.withSession("sessions", s.endSessions))
}

// ownForms refuses another site's form.
func (s *Server) ownForms(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := fromHere(c.Request()); err != nil {
			return s.errorPage(c, http.StatusForbidden, "Requête refusée", err)
		}
		return next(c)
	}
}

// fromHere tells whether a form was sent by a page of this host.
func fromHere(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if r.Method != http.MethodPost || origin == "" || origin == "null" || strings.EqualFold(strings.TrimPrefix(origin, "https://"), r.Host) {
		return nil
	}
	return problem.New(problem.Forbidden, "origin-other", "the form was sent from another site").Got(origin).Want("https://" + r.Host)
}

func (s *Server) walletHome(c echo.Context) error {
	return s.page(c, http.StatusOK, "wallet_home", map[string]any{"Title": "Portail e-CPS"})
}

// startWalletTask begins the login that the task wants.
func (s *Server) startWalletTask(c echo.Context) error {
	name := c.Param("task")
	task, known := walletTasks[name]
	if !known {
		return echo.ErrNotFound
	}
	p, err := s.logins.New(c.Response(), c.Request(), "", static.Translate(s.language(c), task.title), s.site(c).Wallet, url.Values{})
	if err == nil {
		p.Wallet = name
		err = s.logins.Save(c.Request().Context(), p)
	}
	if err != nil {
		return err
	}
	s.journal.Add(c.Request().Context(), p.ID, "wallet", map[string]string{"task": name}, nil)
	return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, "")+"?tab="+task.tabs[0])
}

// completeWallet ends a login of the portal's with its task.
func (s *Server) completeWallet(c echo.Context, p *login.Pending, nationalID, authMode string) error {
	ctx, task := c.Request().Context(), walletTasks[p.Wallet]
	person, err := s.people.Read(ctx, nationalID)
	if err == nil && !slices.Contains(task.modes, authMode) {
		err = problem.New(problem.Forbidden, "wallet-other-means", "Ce moyen de connexion ne sert pas ici").Got(authMode).Want(strings.Join(task.modes, " ou "))
	}
	if err == nil {
		err = s.logins.End(ctx, p)
	}
	if err == nil {
		err = task.done(s, c, p, oidc.Authentication{LoginID: p.ID, Person: person, AuthMode: authMode, Time: s.clock.Now()})
	}
	s.journal.Add(ctx, p.ID, "wallet", map[string]string{"task": p.Wallet, "national_id": nationalID}, err)
	if err != nil {
		return s.errorPage(c, http.StatusForbidden, problem.From(err).Reason, err)
	}
	return nil
}

func (s *Server) activateByCard(c echo.Context, _ *login.Pending, who oidc.Authentication) error {
	a, err := s.ecps.StartActivation(c.Request().Context(), who.Person.NationalID, ecps.ByCard)
	if err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/wallet/activation/"+a.ID)
}

func (s *Server) bravo(c echo.Context, _ *login.Pending, who oidc.Authentication) error {
	return s.page(c, http.StatusOK, "wallet_bravo", map[string]any{"Title": "Bravo", "Person": who.Person})
}

func (s *Server) openWalletSession(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	sid, secret, err := s.oidc.OpenSession(c.Request().Context(), who)
	if err != nil {
		return err
	}
	s.logins.SetSession(c.Response(), sid, secret)
	s.setSessionState(c, sid)
	return web.Redirect(c, http.StatusSeeOther, "/wallet/"+p.Wallet)
}

func (s *Server) contactPage(c echo.Context) error { return s.showContact(c, nil) }

func (s *Server) showContact(c echo.Context, refusal error) error {
	data := map[string]any{"Title": "Activer mon e-CPS par courriel et SMS", "Login": c.FormValue("login")}
	return s.formPage(c, "wallet_contact", data, refusal)
}

// hidden are the refusals that would tell a stranger who exists.
var hidden = []string{"identity-unknown", "ecps-contacts-missing"}

// activateByContact sends the mail and the SMS. With policy hide-unknown-ids
// whoever cannot have them sees the same page.
func (s *Server) activateByContact(c echo.Context) error {
	id := strings.TrimSpace(c.FormValue("login"))
	_, err := s.ecps.StartActivation(c.Request().Context(), id, ecps.ByContact)
	s.journal.Add(c.Request().Context(), journal.NewID(), "wallet", map[string]string{"task": "activate-contact", "national_id": id}, err)
	if err != nil && !(s.settings.Policies(nil, nil).HideUnknownIDs && slices.Contains(hidden, problem.From(err).Code)) {
		return s.showContact(c, err)
	}
	return s.page(c, http.StatusOK, "wallet_sent", map[string]any{"Title": "Courriel et SMS envoyés", "Login": id})
}

// activationPage shows the QR code while it is valid. Its address is the
// secret of the browser that presented the card.
func (s *Server) activationPage(c echo.Context) error {
	a, err := s.ecps.Activation(c.Request().Context(), c.Param("id"))
	if err != nil || a.By != ecps.ByCard {
		return s.errorPage(c, http.StatusNotFound, "Cette activation n'existe pas", err)
	}
	left := max(0, int(a.ExpiresAt.Sub(s.clock.Now()).Seconds()))
	data := map[string]any{"Title": "Scannez ce QR code", "Activation": a, "Left": left, "State": activationStateOf(a, left)}
	if data["State"] == "pending" {
		if data["Image"], err = static.QR(a.QR); err != nil {
			return err
		}
	}
	return s.page(c, http.StatusOK, "wallet_activation", data)
}

func activationStateOf(a *ecps.Activation, left int) string {
	switch {
	case a.Done:
		return "done"
	case left == 0 || a.WrongSMS >= ecps.MaxSMSTries:
		return "expired"
	}
	return "pending"
}

// activationState answers as soon as the phone has read the code, or its time
// is over.
func (s *Server) activationState(c echo.Context) error {
	ctx, stop := s.patience(c)
	defer stop()
	a, err := s.ecps.WaitActivation(ctx, c.Param("id"))
	if err != nil {
		return c.JSON(http.StatusNotFound, map[string]string{"state": "gone"})
	}
	noStore(c)
	return c.JSON(http.StatusOK, map[string]string{"state": activationStateOf(a, int(a.ExpiresAt.Sub(s.clock.Now())/time.Second))})
}

// withSession wants the browser's session, or begins the login that opens one.
func (s *Server) withSession(task string, next func(echo.Context, *oidc.Browser) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		b := s.browserSession(c)
		if b == nil {
			return web.Redirect(c, http.StatusSeeOther, "/wallet/start/"+task)
		}
		return next(c, b)
	}
}

func (s *Server) devicesPage(c echo.Context, b *oidc.Browser) error {
	ctx := c.Request().Context()
	device, err := s.ecps.Device(ctx, b.NationalID)
	if err != nil && !problem.Is(err, "ecps-unknown") {
		return err
	}
	former, err := s.ecps.Former(ctx, b.NationalID)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "wallet_devices", map[string]any{"Title": "Mes appareils", "NationalID": b.NationalID, "Device": device, "Former": former})
}

// endDevice deletes the device, or declares it lost.
func (s *Server) endDevice(c echo.Context, b *oidc.Browser) error {
	err := s.ecps.Remove(c.Request().Context(), b.NationalID, c.FormValue("why"))
	s.journal.Add(c.Request().Context(), "", "wallet", map[string]string{"task": "device-" + c.FormValue("why"), "national_id": b.NationalID}, err)
	if err != nil {
		return s.errorPage(c, http.StatusBadRequest, problem.From(err).Reason, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/wallet/devices")
}

func (s *Server) sessionsPage(c echo.Context, b *oidc.Browser) error {
	all, err := s.oidc.Sessions(c.Request().Context(), b.NationalID)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "wallet_sessions", map[string]any{"Title": "Mes sessions", "NationalID": b.NationalID, "Sessions": all, "Own": b.SID})
}

// endSessions ends every session of the person, in whatever browser, and tells
// the clients of each.
func (s *Server) endSessions(c echo.Context, b *oidc.Browser) error {
	ctx := c.Request().Context()
	all, err := s.oidc.Sessions(ctx, b.NationalID)
	if err != nil {
		return err
	}
	frames := []string{}
	for _, other := range all {
		ended, err := s.oidc.EndSession(ctx, other.SID)
		if err != nil {
			return err
		}
		if ended != nil {
			frames = append(frames, s.tellClients(ctx, ended)...)
		}
	}
	s.journal.Add(ctx, "", "logout", map[string]string{"national_id": b.NationalID, "sessions": itoa(len(all))}, nil)
	s.logins.ClearSession(c.Response())
	s.setSessionState(c, "")
	return s.leaveBy(c, frames, "")
}
