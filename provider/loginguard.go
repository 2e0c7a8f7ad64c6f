package provider

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/portal"
	"pscemu.invalid/pscemu/provider/site"
)

// guard stands before the pages of a login.
type guard struct {
	logins *login.Logins
	pages  *web.View
}

// with finds the login and refuses another browser's, and another site's form.
func (g *guard) with(next func(echo.Context, *login.Pending) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := web.OwnForm(c.Request()); err != nil {
			return g.pages.Refuse(c, http.StatusForbidden, "Requête refusée", err)
		}
		p, err := g.logins.Get(c.Request(), c.Param("id"))
		if err != nil {
			return g.pages.Refuse(c, http.StatusBadRequest, "", err)
		}
		return next(c, p)
	}
}

// loginPath is the path of a login's page in the routes.
const loginPath = "/login/:id"

// completion ends a login whose person has shown who they are.
type completion struct {
	clients  *clients.Registry
	people   *identities.People
	logins   *login.Logins
	finish   *finisher
	names    *site.Names
	tasks    *portal.Tasks
	failures *failures
}

// complete ends the login, once, and sends the browser back with a code, or to
// the task of the portal that it was for.
func (h *completion) complete(c echo.Context, p *login.Pending, nationalID string, authMode identities.AuthMode) error {
	if p.Wallet != "" {
		return h.tasks.Complete(c, p, nationalID, authMode)
	}
	ctx := c.Request().Context()
	client, person, err := h.parties(ctx, p.ClientID, nationalID)
	if err == nil {
		err = h.logins.End(ctx, p.ID)
	}
	if err != nil {
		h.failures.journal.Add(ctx, p.ID, journal.KindMeans, nil, err)
		return h.failures.pages.Refuse(c, http.StatusBadRequest, "", err)
	}
	return h.finish.now(c, &asking{client, p.Form, backOf(p, h.names)},
		oidc.Authentication{LoginID: p.ID, Person: person, AuthMode: authMode})
}

func (h *completion) parties(
	ctx context.Context,
	clientID, nationalID string,
) (*clients.Client, *identities.Identity, error) {
	client, err := h.clients.Get(ctx, clientID)
	if err != nil {
		return nil, nil, err
	}
	person, err := h.people.Read(ctx, nationalID)
	return client, person, err
}
