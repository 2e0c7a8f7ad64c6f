package portal

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
)

// task is something a person does on the portal after a login.
type task struct {
	title string
	means []identities.Means                                            // it takes, the first one offered first
	done  func(echo.Context, *login.Pending, oidc.Authentication) error // ends the login
}

// modes are the means as authMode names them.
func (t task) modes() (out []string) {
	for _, m := range t.means {
		out = append(out, string(m.AuthMode()))
	}
	return out
}

// Tasks are what a person logs in to the portal for.
type Tasks struct {
	people  *identities.People
	clock   clock.Clock
	journal *journal.Journal
	pages   *web.View
	known   map[string]task
}

// Tabs are those of the login page that serve a task.
func (t *Tasks) Tabs(name string) []identities.Means { return t.known[name].means }

// Complete ends a login of the portal's with its task.
func (t *Tasks) Complete(c echo.Context, p *login.Pending, nationalID string, authMode identities.AuthMode) error {
	ctx, task := c.Request().Context(), t.known[p.Wallet]
	person, err := t.people.Read(ctx, nationalID)
	if err == nil && !slices.Contains(task.modes(), string(authMode)) {
		err = problem.WalletOtherMeans.With("accepted", problem.Or(task.modes())).Got(string(authMode))
	}
	if err == nil {
		who := oidc.Authentication{LoginID: p.ID, Person: person, AuthMode: authMode, Time: t.clock.Now()}
		err = task.done(c, p, who)
	}
	t.journal.Add(ctx, p.ID, journal.KindWallet, map[string]string{"task": p.Wallet, "national_id": nationalID}, err)
	if err != nil {
		return t.pages.Refuse(c, http.StatusForbidden, "", err)
	}
	return nil
}

// test shows that the e-CPS works.
type test struct {
	logins *login.Logins
	pages  *web.View
}

func (t *test) show(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	if err := t.logins.End(c.Request().Context(), p.ID); err != nil {
		return err
	}
	return t.pages.Show(c, http.StatusOK, "portal/bravo", map[string]any{"Title": "Bravo", "Person": who.Person})
}

// opening opens a session for the pages of the person's own.
type opening struct {
	logins   *login.Logins
	oidc     *oidc.Provider
	browsers *sessions.Browsers
}

func (o *opening) open(c echo.Context, p *login.Pending, who oidc.Authentication) error {
	if err := o.logins.End(c.Request().Context(), p.ID); err != nil {
		return err
	}
	sid, secret, err := o.oidc.OpenSession(c.Request().Context(), who)
	if err != nil {
		return err
	}
	o.browsers.Start(c, sid, secret)
	return web.Redirect(c, http.StatusSeeOther, "/wallet/"+p.Wallet)
}
