package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// Door is a test shortcut, listed where people can see it.
type Door struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Open        bool   `json:"open"`
}

// Doors lists every door and whether it is open. Each is a policy of its own
// (door-login-hint …), so that it can be closed alone; strict closes them all.
func (s *Server) Doors() []Door {
	p := s.settings.Policies(nil, nil)
	return []Door{
		{
			"login-hint",
			"login_hint=auto:<national id>[;means=card] on the authorize request applies the identity's behaviour without a page",
			p.DoorLoginHint,
		},
		{"api-logins", "POST /api/v1/logins performs the user's part for an authorize URL", p.DoorAPILogins},
		{"test-identity", "the login page's tab « Identité de test » logs anybody in", p.DoorTestIdentity},
		{
			"card-list",
			"the login page's card tab lists the cards that can be put into the virtual reader; closed, it asks for the serial number",
			p.DoorCardList,
		},
		{"behaviours", "a person's phone or card may approve or refuse by itself", p.DoorBehaviours},
		{
			"totp",
			"a one-time password (TOTP) approves an e-CPS request, by API, command or on the waiting page",
			p.DoorTOTP,
		},
		{"quirks", "people with quirks (magic identities) make things go wrong", p.DoorQuirks},
		{"faults", "faults (PUT /api/v1/faults) make endpoints fail and answers wrong", p.DoorFaults},
	}
}

// doorLogin is what a door was asked to do.
type doorLogin struct {
	nationalID string
	means      identities.Means
	pin        string
}

// door reads login_hint=auto:…; where it is closed the hint is a hint.
func (s *Server) door(a *asking) (doorLogin, bool) {
	hint, ok := strings.CutPrefix(a.form.Get("login_hint"), "auto:")
	if !ok || !s.settings.Policies(a.client.Policies, nil).DoorLoginHint {
		return doorLogin{}, false
	}
	id, options, _ := strings.Cut(hint, ";")
	d := doorLogin{nationalID: id, means: identities.MeansECPS}
	if options == "means=card" {
		d.means = identities.MeansCard
	}
	return d, true
}

func (s *Server) throughDoor(c echo.Context, a *asking, d doorLogin) error {
	who, err := s.openDoor(c.Request().Context(), a, d)
	if err != nil {
		return s.sendBack(c, s.errorAnswer(a.back, answer("login-refused"), err))
	}
	return s.finish(c, a, *who)
}

// openDoor is the person's part without a person: their behaviour for the
// e-CPS, their card and its code for the reader.
func (s *Server) openDoor(ctx context.Context, a *asking, d doorLogin) (*oidc.Authentication, error) {
	id := journal.NewID()
	s.journal.Add(ctx, id, journal.KindAuthorize, detail(a), nil)
	person, err := s.people.Read(ctx, d.nationalID)
	if err == nil && d.means == identities.MeansCard {
		err = s.useCard(ctx, person, d.pin)
	} else if err == nil {
		err = s.ecps.Decide(ctx, person)
	}
	s.journal.Add(ctx, id, journal.KindMeans, map[string]string{"means": string(d.means), "national_id": d.nationalID}, err)
	if err != nil {
		return nil, err
	}
	return &oidc.Authentication{LoginID: id, Person: person, AuthMode: d.means.AuthMode(), Time: s.clock.Now()}, nil
}

// useCard presents the person's first usable card. Without a code the door
// takes the card's own.
func (s *Server) useCard(ctx context.Context, person *identities.Identity, pin string) error {
	all, err := s.cards.List(ctx, person.NationalID, "", cards.All)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problem.CardNone.Case("issue").Got(person.NationalID)
	}
	card := all[0]
	for _, c := range all {
		if c.State == cards.Active {
			card = c
		}
	}
	if pin == "" {
		pin = card.PIN
	}
	_, err = s.cards.PresentPIN(ctx, card.Serial, pin)
	return err
}

// Performed is the outcome of a login done for an authorize URL.
type Performed struct {
	RedirectTo string `json:"redirect_to"`
	LoginID    string `json:"login_id"`
}

// Perform does the user's part for an authorize URL that an application made.
func (s *Server) Perform(ctx context.Context, authorizeURL, nationalID string, means identities.Means, pin string) (*Performed, error) {
	if !s.settings.Policies(nil, nil).DoorAPILogins {
		return nil, problem.DoorClosed.Case("logins")
	}
	if means == "" {
		means = identities.MeansECPS
	}
	if !means.Valid() {
		return nil, problem.MeansUnknown.Case("logins").Got(string(means))
	}
	u, err := url.Parse(authorizeURL)
	if err != nil || !u.IsAbs() {
		return nil, problem.AuthorizeURLInvalid.With("base_url", s.config.BaseURL).Got(authorizeURL)
	}
	if rest, ok := strings.CutPrefix(
		u.Path,
		s.config.Root+"/",
	); !ok ||
		s.config.Root == "" && strings.HasPrefix(rest, "s/") {
		return nil, problem.AuthorizeURLElsewhere.With("base_url", s.config.BaseURL).Got(authorizeURL)
	}
	form, err := authorizeForm(&http.Request{Method: http.MethodGet, URL: u})
	if err != nil {
		return nil, err
	}
	at := s.siteOf(u.Host)
	ctx = oidc.WithIssuer(ctx, at.Issuer())
	a, _, err := s.asked(ctx, at, form)
	if err != nil {
		return nil, err
	}
	if r := s.judge(a); r != nil {
		return &Performed{RedirectTo: s.errorAnswer(a.back, r.Answer, r.problem()).url()}, nil
	}
	who, err := s.openDoor(ctx, a, doorLogin{nationalID, means, pin})
	if problem.Is(err, problem.IdentityUnknown) || problem.Is(err, problem.CardNone) {
		return nil, err
	}
	if err != nil {
		return &Performed{RedirectTo: s.errorAnswer(a.back, answer("login-refused"), err).url()}, nil
	}
	location, _, err := s.grant(ctx, a, *who)
	return &Performed{RedirectTo: location.url(), LoginID: who.LoginID}, err
}
