package provider

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
)

// phoneLogin sends the request to the phone.
type phoneLogin struct {
	page    *loginPage
	waiting *phoneRequests
	journal *journal.Journal
}

// Register adds the form of the tab e-CPS.
func (h *phoneLogin) Register(e *echo.Echo) { e.POST(loginPath+"/ecps", h.page.with(h.submit)) }

func (h *phoneLogin) submit(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	id, err := web.Field(c, "login")
	if err != nil {
		return h.page.show(c, p, identities.MeansECPS, err)
	}
	if id == "" {
		return h.page.show(
			c,
			p,
			identities.MeansECPS,
			problem.NationalIDMissing.Of(),
		)
	}
	err = h.waiting.ask(ctx, p, id)
	h.journal.Add(ctx, p.ID, journal.KindECPSRequest, map[string]string{"national_id": id}, err)
	if err != nil {
		return h.page.show(c, p, identities.MeansECPS, err)
	}
	remembered := ""
	if c.FormValue("remember") != "" {
		remembered = id
	}
	h.page.logins.Remember(c.Response(), remembered)
	return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, "/wait"))
}

// phoneWait shows the number to compare, and goes on when the phone has
// answered.
type phoneWait struct {
	*guard
	settings *config.Live
	ecps     *ecps.Phones
	journal  *journal.Journal
	complete *completion
	polls    web.Polls
}

// Register adds the page, what its script asks for, and where it goes on.
func (h *phoneWait) Register(e *echo.Echo) {
	e.GET(loginPath+"/wait", h.with(func(c echo.Context, p *login.Pending) error { return h.show(c, p, nil) }))
	e.GET(loginPath+"/state", h.with(h.state))
	e.GET(loginPath+"/continue", h.with(h.goOn))
	e.POST(loginPath+"/totp", h.with(h.submitTOTP))
}

// show is the page: a refreshed one without JavaScript and a script with it go
// on by themselves.
func (h *phoneWait) show(c echo.Context, p *login.Pending, refusal error) error {
	r, err := h.ecps.Request(c.Request().Context(), p.Request)
	if err != nil {
		return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, ""))
	}
	if r.State != ecps.Pending {
		return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, "/continue"))
	}
	data := map[string]any{
		"Title":   "Validez sur votre téléphone",
		"Path":    login.Path(p.ID, ""),
		"Request": r,
		"Client":  p.ClientName,
		"TOTP":    h.settings.Policies(nil, nil).DoorTOTP,
	}
	status := http.StatusOK
	if refusal != nil {
		status, data["Problem"] = http.StatusForbidden, problem.From(refusal)
	}
	return h.pages.Show(c, status, "provider/wait", data)
}

// state answers as soon as the request is settled.
func (h *phoneWait) state(c echo.Context, p *login.Pending) error {
	ctx, stop, err := h.polls.Wait(c)
	if err != nil {
		return err
	}
	defer stop()
	r, err := h.ecps.Wait(ctx, p.Request)
	if err != nil {
		return c.JSON(http.StatusNotFound, map[string]string{"state": "gone"})
	}
	web.NoStore(c)
	return c.JSON(http.StatusOK, map[string]string{"state": string(r.State)})
}

var ecpsEnds = map[ecps.State]*problem.Error{
	ecps.Refused:     problem.ECPSRefused.Case("page"),
	ecps.WrongTOTP:   problem.ECPSWrongTOTP.Of(),
	ecps.WrongNumber: problem.ECPSWrongNumber.Case("page"),
	ecps.Expired:     problem.ECPSExpired.Of(),
	ecps.Cancelled:   problem.ECPSCancelled.Of(),
}

// goOn completes the login when the phone approved, else offers another try.
func (h *phoneWait) goOn(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	r, err := h.ecps.Request(ctx, p.Request)
	if err != nil {
		return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, ""))
	}
	switch r.State {
	case ecps.Pending:
		return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, "/wait"))
	case ecps.Approved:
		return h.complete.complete(c, p, r.NationalID, identities.AuthModeMobile)
	}
	refusal := ecpsEnds[r.State]
	h.journal.Add(
		ctx,
		p.ID,
		journal.KindMeans,
		map[string]string{"means": string(identities.MeansECPS), "national_id": r.NationalID},
		refusal,
	)
	return h.pages.Show(c, http.StatusOK, "provider/ended", map[string]any{
		"Title":   "Connexion interrompue",
		"Path":    login.Path(p.ID, ""),
		"State":   string(r.State),
		"Problem": refusal,
	})
}

// submitTOTP approves with the device's one-time password.
func (h *phoneWait) submitTOTP(c echo.Context, p *login.Pending) error {
	ctx := c.Request().Context()
	_, err := h.ecps.ApproveTOTP(ctx, p.Request, strings.TrimSpace(c.FormValue("totp")))
	if err != nil {
		h.journal.Add(ctx, p.ID, journal.KindMeans, map[string]string{"means": string(identities.MeansTOTP)}, err)
		return h.show(c, p, err)
	}
	return web.Redirect(c, http.StatusSeeOther, login.Path(p.ID, "/continue"))
}
