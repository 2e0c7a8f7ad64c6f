package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// Door is a test shortcut, listed where people can see it.
type Door struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Open        bool   `json:"open"`
}

// Doors are the test doors: which there are, and logins through them.
type Doors struct {
	settings *config.Live
	names    *site.Names
	requests *requests
	standIn  *standIn
	finish   *finisher
}

// List names every door and whether it is open. Each is a policy of its own
// (door-login-hint …), so that it can be closed alone; strict closes them all.
func (d *Doors) List() []Door {
	p := d.settings.Policies(nil, nil)
	return []Door{
		{
			"login-hint",
			"login_hint=auto:<national id>[;means=card] on the authorize request " +
				"applies the identity's behaviour without a page",
			p.DoorLoginHint,
		},
		{"api-logins", "POST /api/v1/logins performs the user's part for an authorize URL", p.DoorAPILogins},
		{"test-identity", "the login page's tab « Identité de test » logs anybody in", p.DoorTestIdentity},
		{
			"card-list",
			"the login page's card tab lists the cards that can be put into the virtual reader; " +
				"closed, it asks for the serial number",
			p.DoorCardList,
		},
		{"behaviours", "a person's phone or card may approve or refuse by itself", p.DoorBehaviours},
		{
			"totp",
			"a one-time password (TOTP) approves an e-CPS request, by API, command or on the waiting page",
			p.DoorTOTP,
		},
		{"quirks", "people with quirks (magic identities) make things go wrong", p.DoorPersonFaults},
		{"faults", "faults (PUT /api/v1/faults) make endpoints fail and answers wrong", p.DoorFaults},
	}
}

// named reads login_hint=auto:…; where it is closed the hint is a hint.
func (d *Doors) named(a *asking) (doorLogin, bool) {
	hint, ok := strings.CutPrefix(a.form.Get("login_hint"), "auto:")
	if !ok || !d.settings.Policies(a.client.Policies, nil).DoorLoginHint {
		return doorLogin{}, false
	}
	id, options, _ := strings.Cut(hint, ";")
	in := doorLogin{nationalID: id, means: identities.MeansECPS}
	if options == "means=card" {
		in.means = identities.MeansCard
	}
	return in, true
}

// through logs in as the hint says and answers the request.
func (d *Doors) through(c echo.Context, a *asking, in doorLogin) error {
	who, err := d.standIn.open(c.Request().Context(), a, in)
	if err != nil {
		return d.finish.refuse(c, a.back, wire.Of("login-refused"), err)
	}
	return d.finish.finish(c, a, *who)
}

// Performed is the outcome of a login done for an authorize URL.
type Performed struct {
	RedirectTo string `json:"redirect_to"`
	LoginID    string `json:"login_id"`
}

// Perform does the user's part for an authorize URL that an application made.
func (d *Doors) Perform(
	ctx context.Context,
	authorizeURL, nationalID string,
	means identities.Means,
	pin string,
) (*Performed, error) {
	if !d.settings.Policies(nil, nil).DoorAPILogins {
		return nil, problem.DoorClosed.With("door", "door-api-logins")
	}
	if means == "" {
		means = identities.MeansECPS
	}
	if !means.Valid() {
		return nil, problem.MeansUnknown.Case("logins").Got(string(means))
	}
	u, err := d.authorizeURL(authorizeURL)
	if err != nil {
		return nil, err
	}
	form, err := readForm(&http.Request{Method: http.MethodGet, URL: u})
	if err != nil {
		return nil, err
	}
	at := d.names.Of(u.Host)
	return d.perform(oidc.WithIssuer(ctx, at.Issuer()), at, form, doorLogin{nationalID, means, pin})
}

// authorizeURL reads an authorize URL of this world.
func (d *Doors) authorizeURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() {
		return nil, problem.AuthorizeURLInvalid.With("base_url", d.names.BaseURL).Got(raw)
	}
	rest, below := strings.CutPrefix(u.Path, d.names.Root+"/")
	if !below || d.names.Root == "" && strings.HasPrefix(rest, "s/") {
		return nil, problem.AuthorizeURLElsewhere.With("base_url", d.names.BaseURL).Got(raw)
	}
	return u, nil
}

func (d *Doors) perform(ctx context.Context, at site.Site, form url.Values, in doorLogin) (*Performed, error) {
	a, _, err := d.requests.asked(ctx, at, form)
	if err != nil {
		return nil, err
	}
	refused := func(a *asking, answer wire.Answer, reason error) *Performed {
		return &Performed{RedirectTo: d.finish.callbacks.refusal(a.back, answer, reason).url()}
	}
	if r := d.requests.judge(a.client, a.form); r != nil {
		return refused(a, r.Answer, r.Explained()), nil
	}
	who, err := d.standIn.open(ctx, a, in)
	if problem.Is(err, problem.IdentityUnknown) || problem.Is(err, problem.CardNone) {
		return nil, err
	}
	if err != nil {
		return refused(a, wire.Of("login-refused"), err), nil
	}
	location, _, err := d.finish.grant(ctx, a, *who)
	return &Performed{RedirectTo: location.url(), LoginID: who.LoginID}, err
}
