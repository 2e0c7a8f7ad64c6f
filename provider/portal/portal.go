// Package portal is the e-CPS portal of the wallet: activate an e-CPS, test it,
// see one's devices, end all one's sessions. Who must prove who they are does it
// on the login page, with the means that the task takes.
package portal

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
	"pscemu.invalid/pscemu/provider/site"
)

// Services are what the portal is made of.
type Services struct {
	Settings *config.Live
	Store    store.Store
	Clock    clock.Clock
	People   *identities.People
	ECPS     *ecps.Phones
	OIDC     *oidc.Provider
	Logins   *login.Logins
	Journal  *journal.Journal
	Names    *site.Names
	Browsers *sessions.Browsers
	Ends     *sessions.Ends
	Pages    *web.View
	Polls    web.Polls
}

// New makes the tasks of the portal, and the handlers of its pages.
func New(s Services) (*Tasks, []web.Handler) {
	byCard := &activation{
		store: s.Store, clock: s.Clock, ecps: s.ECPS, logins: s.Logins, journal: s.Journal, pages: s.Pages,
		polls: s.Polls,
	}
	bravo := &test{logins: s.Logins, pages: s.Pages}
	opening := &opening{logins: s.Logins, oidc: s.OIDC, browsers: s.Browsers}
	tasks := &Tasks{people: s.People, clock: s.Clock, journal: s.Journal, pages: s.Pages, known: map[string]task{
		"activate": {"Activer mon e-CPS avec ma carte", []identities.Means{identities.MeansCard}, byCard.begin},
		"test":     {"Tester mon e-CPS", []identities.Means{identities.MeansECPS}, bravo.show},
		"devices":  {"Mes appareils", identities.AllMeans(), opening.open},
		"sessions": {"Mes sessions", identities.AllMeans(), opening.open},
	}}
	return tasks, []web.Handler{
		&home{tasks: tasks, logins: s.Logins, names: s.Names, journal: s.Journal, pages: s.Pages},
		&contact{settings: s.Settings, ecps: s.ECPS, journal: s.Journal, pages: s.Pages},
		byCard,
		&devices{browsers: s.Browsers, ecps: s.ECPS, journal: s.Journal, pages: s.Pages},
		&sessionList{browsers: s.Browsers, oidc: s.OIDC, ends: s.Ends, journal: s.Journal, pages: s.Pages},
	}
}

// group is the portal's part of the paths; another site's forms are refused.
func group(e *echo.Echo, pages *web.View) *echo.Group {
	return e.Group("/wallet", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := web.OwnForm(c.Request()); err != nil {
				return pages.Refuse(c, http.StatusForbidden, "Requête refusée", err)
			}
			return next(c)
		}
	})
}

// withSession wants the browser's session, or begins the login that opens one.
func withSession(b *sessions.Browsers, task string, next func(echo.Context, *oidc.Browser) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		session := b.Of(c)
		if session == nil {
			return web.Redirect(c, http.StatusSeeOther, "/wallet/start/"+task)
		}
		return next(c, session)
	}
}
