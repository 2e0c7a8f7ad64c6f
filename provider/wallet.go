package provider

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
)

// The wallet's portal: activate an e-CPS, test it, see one's devices, end all
// one's sessions. Who must prove who they are does it on the login page, with
// the means that the task takes.

// walletTask is something a person does on the portal after a login.
type walletTask struct {
	title string
	means []identities.Means                                                     // it takes, the first one offered first
	done  func(*Server, echo.Context, *login.Pending, oidc.Authentication) error // ends the login
}

var walletTasks = map[string]walletTask{
	"activate": {"Activer mon e-CPS avec ma carte", []identities.Means{identities.MeansCard}, (*Server).activateByCard},
	"test":     {"Tester mon e-CPS", []identities.Means{identities.MeansECPS}, (*Server).bravo},
	"devices":  {"Mes appareils", identities.AllMeans(), (*Server).openWalletSession},
	"sessions": {"Mes sessions", identities.AllMeans(), (*Server).openWalletSession},
}

// modes are the means as authMode names them.
func (t walletTask) modes() (out []string) {
	for _, m := range t.means {
		out = append(out, string(m.AuthMode()))
	}
	return out
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

// fromHere tells whether a form was sent by a page of this host and port. What
// a browser says counts: Origin, and Sec-Fetch-Site. A page without an origin
// (null) is not ours: layout.html has our pages name theirs. A program that
// says neither has no person's cookies to abuse.
func fromHere(r *http.Request) error {
	if r.Method == http.MethodGet {
		return nil
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "https://"+r.Host) {
			return problem.OriginOther.Case("own-form").With("host", r.Host).Got(origin)
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return problem.OriginOther.With("site", site)
		}
	}
	return nil
}

func (s *Server) walletHome(c echo.Context) error {
	return s.page(c, http.StatusOK, "portal/home", map[string]any{"Title": "Portail e-CPS"})
}

// startWalletTask begins the login that the task wants.
func (s *Server) startWalletTask(c echo.Context) error {
	name := c.Param("task")
	task, known := walletTasks[name]
	if !known {
		return echo.ErrNotFound
	}
	p, err := s.logins.New(
		c.Response(),
		c.Request(),
		login.Pending{ClientName: s.pages.Translate(s.language(c), task.title), Base: s.here(c), Wallet: name},
	)
	if err != nil {
		return err
	}
	s.journal.Add(c.Request().Context(), p.ID, journal.KindWallet, map[string]string{"task": name}, nil)
	return web.Redirect(c, http.StatusSeeOther, s.loginURL(p.ID, "")+"?tab="+string(task.means[0]))
}

// completeWallet ends a login of the portal's with its task.
func (s *Server) completeWallet(c echo.Context, p *login.Pending, nationalID string, authMode identities.AuthMode) error {
	ctx, task := c.Request().Context(), walletTasks[p.Wallet]
	person, err := s.people.Read(ctx, nationalID)
	if err == nil && !slices.Contains(task.modes(), string(authMode)) {
		err = problem.WalletOtherMeans.With("accepted", problem.Or(task.modes())).Got(string(authMode))
	}
	if err == nil {
		err = task.done(
			s,
			c,
			p,
			oidc.Authentication{LoginID: p.ID, Person: person, AuthMode: authMode, Time: s.clock.Now()},
		)
	}
	s.journal.Add(ctx, p.ID, journal.KindWallet, map[string]string{"task": p.Wallet, "national_id": nationalID}, err)
	if err != nil {
		return s.errorPage(c, http.StatusForbidden, "", err)
	}
	return nil
}

// activateByCard begins the activation as the login ends; its page is this
// browser's alone.
func (s *Server) activateByCard(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	var a *ecps.Activation
	var verdict error
	err := s.store.Update(c.Request().Context(), func(tx store.Tx) (err error) {
		if _, err = s.logins.EndIn(tx, p.ID); err != nil {
			return err
		}
		if a, verdict, err = s.ecps.StartActivationIn(tx, who.Person.NationalID, ecps.ByCard); a == nil {
			return err
		}
		return s.logins.BindIn(tx, a.ID, p.Browser, a.ExpiresAt.Sub(s.clock.Now())+pageKept)
	})
	if err = cmp.Or(err, verdict); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/wallet/activation/"+a.ID)
}

func (s *Server) bravo(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	if err := s.logins.End(c.Request().Context(), p.ID); err != nil {
		return err
	}
	return s.page(c, http.StatusOK, "portal/bravo", map[string]any{"Title": "Bravo", "Person": who.Person})
}

func (s *Server) openWalletSession(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	if err := s.logins.End(c.Request().Context(), p.ID); err != nil {
		return err
	}
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
	return s.formPage(c, "portal/contact", data, refusal)
}

// hidden are the refusals that would tell a stranger who exists.
var hidden = []string{"identity-unknown", "ecps-contacts-missing"}

// activateByContact sends the mail and the SMS. With policy hide-unknown-ids
// whoever cannot have them sees the same page.
func (s *Server) activateByContact(c echo.Context) error {
	id, err := field(c.FormValue("login"), "login")
	if err != nil {
		return s.showContact(c, err)
	}
	_, err = s.ecps.StartActivation(c.Request().Context(), id, ecps.ByContact)
	s.journal.Add(
		c.Request().Context(),
		journal.NewID(),
		journal.KindWallet,
		map[string]string{"task": "activate-contact", "national_id": id},
		err,
	)
	if err != nil &&
		!(s.settings.Policies(nil, nil).HideUnknownIDs && slices.Contains(hidden, problem.From(err).Code)) {
		return s.showContact(c, err)
	}
	return s.page(c, http.StatusOK, "portal/sent", map[string]any{"Title": "Courriel et SMS envoyés", "Login": id})
}

// pageKept is how long the page of an activation that has ended still says so.
const pageKept = time.Hour

// activationPage shows the QR code while it is valid, to the browser that
// presented the card.
func (s *Server) activationPage(c echo.Context) error {
	if err := s.logins.Bound(c.Request(), c.Param("id")); err != nil {
		s.journal.Add(c.Request().Context(), "", journal.KindWallet, map[string]string{"task": "activation-page"}, err)
		return s.errorPage(c, http.StatusForbidden, "", err)
	}
	a, err := s.ecps.Activation(c.Request().Context(), c.Param("id"))
	if err != nil || a.By != ecps.ByCard {
		return s.errorPage(c, http.StatusNotFound, "Cette activation n'existe pas", err)
	}
	left := max(0, int(a.ExpiresAt.Sub(s.clock.Now()).Seconds()))
	data := map[string]any{
		"Title":      "Scannez ce QR code",
		"Activation": a,
		"Left":       left,
		"State":      activationStateOf(a, left),
	}
	if data["State"] == "pending" {
		if data["Image"], err = web.QR(a.QR); err != nil {
			return err
		}
	}
	return s.page(c, http.StatusOK, "portal/activation", data)
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
	if err := s.logins.Bound(c.Request(), c.Param("id")); err != nil {
		return c.JSON(http.StatusForbidden, map[string]string{"state": "gone"})
	}
	if err := web.Hold(c); err != nil {
		return err
	}
	ctx, stop := s.patience(c)
	defer stop()
	a, err := s.ecps.WaitActivation(ctx, c.Param("id"))
	if err != nil {
		return c.JSON(http.StatusNotFound, map[string]string{"state": "gone"})
	}
	noStore(c)
	return c.JSON(
		http.StatusOK,
		map[string]string{"state": activationStateOf(a, int(a.ExpiresAt.Sub(s.clock.Now())/time.Second))},
	)
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
	if err != nil && !problem.Is(err, problem.ECPSUnknown) {
		return err
	}
	former, err := s.ecps.Former(ctx, b.NationalID)
	if err != nil {
		return err
	}
	return s.page(
		c,
		http.StatusOK,
		"portal/devices",
		map[string]any{"Title": "Mes appareils", "NationalID": b.NationalID, "Device": device, "Former": former},
	)
}

// endDevice deletes the device, or declares it lost.
func (s *Server) endDevice(c echo.Context, b *oidc.Browser) error {
	err := s.ecps.Remove(c.Request().Context(), b.NationalID, c.FormValue("why"))
	s.journal.Add(
		c.Request().Context(),
		"",
		journal.KindWallet,
		map[string]string{"task": "device-" + c.FormValue("why"), "national_id": b.NationalID},
		err,
	)
	if err != nil {
		return s.errorPage(c, http.StatusBadRequest, "", err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/wallet/devices")
}

// sessionsShown is how many sessions a page lists.
const sessionsShown = 100

func (s *Server) sessionsPage(c echo.Context, b *oidc.Browser) error {
	all, next, err := s.oidc.Sessions(c.Request().Context(), b.NationalID, c.QueryParam("after"), sessionsShown)
	if err != nil {
		return err
	}
	return s.page(
		c,
		http.StatusOK,
		"portal/sessions",
		map[string]any{"Title": "Mes sessions", "NationalID": b.NationalID,
			"Sessions": all, "Next": next, "Own": b.SID},
	)
}

// endSessions ends every session of the person, in whatever browser, and tells
// the clients of each.
func (s *Server) endSessions(c echo.Context, b *oidc.Browser) error {
	ctx := c.Request().Context()
	all, err := s.endSessionsOf(ctx, b.NationalID)
	if err != nil {
		return err
	}
	frames := []string{}
	for _, e := range all {
		frames = append(frames, e.frames...)
	}
	s.journal.Add(ctx, "", journal.KindLogout, map[string]string{"national_id": b.NationalID, "sessions": itoa(len(all))}, nil)
	s.logins.ClearSession(c.Response())
	s.setSessionState(c, "")
	return s.leaveBy(c, frames, "")
}
