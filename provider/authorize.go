package provider

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// authorizeEndpoint judges the request (RFC 6749 §4.1.1, OIDC Core §3.1.2) and
// either answers at once — an error, the session that lasts, a test door — or
// shows the login page.
type authorizeEndpoint struct {
	requests *requests
	doors    *Doors
	silent   *silent
	begin    *beginning
	finish   *finisher
	failures *failures
	names    *site.Names
}

// Register adds the endpoint, at its two addresses.
func (h *authorizeEndpoint) Register(e *echo.Echo) {
	for _, path := range []string{"/auth", site.Protocol + "/auth"} {
		e.GET(path, h.serve)
		e.POST(path, h.serve)
	}
}

func (h *authorizeEndpoint) serve(c echo.Context) error {
	form, err := readForm(c.Request())
	if err != nil {
		return h.failures.onPage(c, journal.KindAuthorize, "authorize-unreadable", "", err)
	}
	a, key, err := h.requests.asked(c.Request().Context(), h.names.Of(c.Request().Host), form)
	if err != nil {
		return h.failures.onPage(c, journal.KindAuthorize, key, form.Get("client_id"), err)
	}
	if refusal := h.requests.judge(a.client, a.form); refusal != nil {
		return h.refuse(c, a, refusal.Answer, refusal.Explained())
	}
	if door, ok := h.doors.named(a); ok {
		return h.doors.through(c, a, door)
	}
	return h.sessionOrPage(c, a)
}

// refuse notes what was refused and tells the client.
func (h *authorizeEndpoint) refuse(c echo.Context, a *asking, answer wire.Answer, reason *problem.Error) error {
	h.failures.journal.Add(c.Request().Context(), "", journal.KindAuthorize, detail(a), reason)
	return h.finish.refuse(c, a.back, answer, reason)
}

// sessionOrPage goes on silently with the browser's session where the request
// allows it (OIDC Core §3.1.2.3), else shows the login page.
func (h *authorizeEndpoint) sessionOrPage(c echo.Context, a *asking) error {
	if who := h.silent.session(c, a); who != nil {
		return h.finish.finish(c, a, *who)
	}
	if strings.Contains(" "+a.form.Get("prompt")+" ", " none ") {
		reason := problem.LoginRequired.Of()
		return h.refuse(c, a, wire.Of("login-required"), reason)
	}
	return h.begin.login(c, a)
}

// beginning begins a login on the pages.
type beginning struct {
	logins  *login.Logins
	names   *site.Names
	journal *journal.Journal
}

func (b *beginning) login(c echo.Context, a *asking) error {
	p, err := b.logins.New(c.Response(), c.Request(), login.Pending{ClientID: a.client.ID,
		ClientName: a.client.Label(), Base: b.names.Here(c.Request()), Form: a.form})
	if err != nil {
		return err
	}
	b.journal.Add(c.Request().Context(), p.ID, journal.KindAuthorize, detail(a), nil)
	if lang, _, _ := strings.Cut(a.form.Get("ui_locales"), " "); web.Speaks(lang) {
		b.logins.SetLanguage(c.Response(), lang)
	}
	return web.Redirect(c, http.StatusFound, login.Path(p.ID, ""))
}
