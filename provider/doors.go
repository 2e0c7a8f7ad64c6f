package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu/identities"
	"pscemu/problem"
	"pscemu/provider/clients"
	"pscemu/provider/journal"
	"pscemu/provider/oidc"
)

// Means of authentication, as doors and the API name them.
const (
	MeansECPS = "ecps"
	MeansCard = "card"
)

// Door is a test shortcut, listed where people can see it.
type Door struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Open        bool   `json:"open"`
}

// Doors lists every door and whether it is open.
func (s *Server) Doors() []Door {
	open := !s.config.Strict
	return []Door{
		{"login_hint", "login_hint=auto:<national id>[;means=card] on the authorize request applies the identity's behaviour without a page", open},
		{"api-logins", "POST /api/v1/logins performs the user's part for an authorize URL", open},
		{"test-identity", "the login page's tab « Identité de test » logs anybody in", open},
		{"behaviours", "a person's phone may approve or refuse by itself", open},
	}
}

// doorLogin is what a door was asked to do.
type doorLogin struct{ nationalID, means, pin string }

// door reads login_hint=auto:…; closed under strict, where the hint is a hint.
func (s *Server) door(form url.Values) (doorLogin, bool) {
	hint, ok := strings.CutPrefix(form.Get("login_hint"), "auto:")
	if !ok || s.config.Strict {
		return doorLogin{}, false
	}
	id, options, _ := strings.Cut(hint, ";")
	d := doorLogin{nationalID: id, means: MeansECPS}
	if options == "means=card" {
		d.means = MeansCard
	}
	return d, true
}

func (s *Server) throughDoor(c echo.Context, client *clients.Client, form url.Values, back callback, d doorLogin) error {
	a, err := s.openDoor(c.Request().Context(), client, form, d)
	if err != nil {
		return s.callbackError(c, back, "access_denied", printable(problem.From(err).Error()))
	}
	return s.finish(c, client, form, back, *a)
}

// openDoor is the person's part without a person: their behaviour for the
// e-CPS, their card and its code for the reader.
func (s *Server) openDoor(ctx context.Context, client *clients.Client, form url.Values, d doorLogin) (*oidc.Authentication, error) {
	id := journal.NewID()
	s.journal.Add(id, "authorize", detail(client, form), nil)
	person, err := s.people.Get(ctx, d.nationalID)
	mode := "MOBILE"
	if err == nil && d.means == MeansCard {
		mode, err = "CARD", s.useCard(ctx, person, d.pin)
	} else if err == nil {
		err = answeredBy(person)
	}
	s.journal.Add(id, "means", map[string]string{"means": d.means, "national_id": d.nationalID}, err)
	if err != nil {
		return nil, err
	}
	return &oidc.Authentication{LoginID: id, Person: person, AuthMode: mode, Time: s.clock.Now()}, nil
}

// useCard presents the person's first usable card. Without a code the door
// takes the card's own.
func (s *Server) useCard(ctx context.Context, person *identities.Identity, pin string) error {
	all, err := s.cards.List(ctx, person.NationalID, "", 20)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problem.New(problem.Conflict, "card-none", "this person has no card").Got(person.NationalID).Do("issue one: pscemu cards issue")
	}
	card := all[0]
	for _, c := range all {
		if c.State == "active" {
			card = c
		}
	}
	if pin == "" {
		pin = card.PIN
	}
	_, err = s.cards.PresentPIN(ctx, card.Serial, pin)
	return err
}

func answeredBy(person *identities.Identity) error {
	switch person.Behaviour.Action {
	case identities.Approve:
		return nil
	case identities.Refuse:
		return problem.New(problem.Forbidden, "ecps-refused", "the person refused on their phone (behaviour refuse)")
	}
	return problem.New(problem.Forbidden, "ecps-unanswered", "nobody answers on this person's phone").Got("behaviour " + string(person.Behaviour.Action)).Want("behaviour approve or refuse").
		Do("pscemu ecps behaviour ID approve")
}

// Performed is the outcome of a login done for an authorize URL.
type Performed struct {
	RedirectTo string `json:"redirect_to"`
	LoginID    string `json:"login_id"`
}

// Perform does the user's part for an authorize URL that an application made.
func (s *Server) Perform(ctx context.Context, authorizeURL, nationalID, means, pin string) (*Performed, error) {
	if s.config.Strict {
		return nil, problem.New(problem.Forbidden, "door-closed", "this test door is closed").Got("--strict").Do("start without --strict, or log in on the page")
	}
	if means == "" {
		means = MeansECPS
	}
	if means != MeansECPS && means != MeansCard {
		return nil, problem.New(problem.Invalid, "means-unknown", "no such means").Got(means).Want("ecps or card")
	}
	u, err := url.Parse(authorizeURL)
	if err != nil || !u.IsAbs() {
		return nil, problem.New(problem.Invalid, "authorize-url-invalid", "this is no authorize URL").Got(authorizeURL).Want(s.config.BaseURL + "/auth?…")
	}
	form, err := authorizeForm(&http.Request{Method: http.MethodGet, URL: u})
	if err != nil {
		return nil, err
	}
	client, err := s.clients.Get(ctx, form.Get("client_id"))
	if err == nil {
		err = redirectProblem(client, form.Get("redirect_uri"))
	}
	if err != nil {
		return nil, err
	}
	back := callback{form.Get("redirect_uri"), form.Get("state"), form.Get("response_mode")}
	if r := judge(form); r != nil {
		return &Performed{RedirectTo: s.errorAnswer(back, r.code, r.description).url()}, nil
	}
	a, err := s.openDoor(ctx, client, form, doorLogin{nationalID, means, pin})
	if problem.Is(err, "identity-unknown") || problem.Is(err, "card-none") {
		return nil, err
	}
	if err != nil {
		return &Performed{RedirectTo: s.errorAnswer(back, "access_denied", printable(problem.From(err).Error())).url()}, nil
	}
	location, _, err := s.grant(ctx, client, form, back, *a)
	return &Performed{RedirectTo: location.url(), LoginID: a.LoginID}, err
}
