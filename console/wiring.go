package console

import (
	"slices"

	"pscemu.invalid/pscemu/console/access"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/console/desk"
	"pscemu.invalid/pscemu/console/guide"
	"pscemu.invalid/pscemu/console/pages"
	"pscemu.invalid/pscemu/console/phone"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/docs"
	"pscemu.invalid/pscemu/internal/web"
)

// wiring gives each handler the few things it needs.
type wiring struct {
	Setup
	views   shell.Views
	cookies shell.Cookies
	door    *access.Door
}

// handlers are all that the console answers, but its gate.
func (w wiring) handlers() []web.Handler {
	return slices.Concat(w.served(), w.people(), w.cards(), w.protocol(), w.world())
}

// served is what programs ask for.
func (w wiring) served() []web.Handler {
	out := []web.Handler{
		w.API,
		&assets{w.Pages},
		&supervision{w.Listener.Metrics},
		&api.Revocation{PKI: w.API.Certificates.PKI},
		&api.Directory{People: w.API.People.People, Base: w.API.URL + "/fhir"},
	}
	if w.Listener.Pprof {
		out = append(out, profiles{})
	}
	return out
}

// people are the pages of people and what they have.
func (w wiring) people() []web.Handler {
	v, a := w.views.Whole, w.API
	return []web.Handler{
		&pages.People{View: v, API: a.People, Cards: a.Cards},
		&pages.Editor{View: v, People: a.People.People},
		&pages.Outbox{View: v, Outbox: a.Outbox.Outbox},
		&phone.Phones{View: w.views.Bare, ECPS: a.Phones.ECPS, People: a.People.People, Closing: w.Closing},
	}
}

// cards are the pages of cards and certificates, and the desk that makes them.
func (w wiring) cards() []web.Handler {
	v, a := w.views.Whole, w.API
	return []web.Handler{
		&pages.Cards{View: v, API: a.Cards, People: a.People.People},
		&pages.Reader{View: v, API: a.Reader, Cards: a.Cards},
		&pages.Certificates{View: v, API: a.Certificates},
		&desk.Orders{View: v, Orders: a.Orders},
		&desk.Space{View: v, Orders: a.Orders, Cards: a.Cards, Clients: a.Clients, Party: w.party("/desk"),
			Here: desk.NewVisitors(w.cookies, a.Clock.Clock)},
	}
}

// protocol are the pages of clients and their logins, and the demo.
func (w wiring) protocol() []web.Handler {
	v, a := w.views.Whole, w.API
	clients := &pages.Clients{View: v, API: a.Clients, Certificates: a.Certificates, URL: a.URL}
	out := []web.Handler{
		clients,
		&pages.Logins{View: v, API: a.Logins, Closing: w.Closing},
		&pages.Refusals{View: v, API: a.Refusals, Sees: w.door.Sees},
		&pages.Deliveries{View: v, API: a.Deliveries},
	}
	if party := w.party("/demo"); party != nil {
		clients.Token = w.Demo.Issuer + "/protocol/openid-connect/token"
		out = append(out, demo.NewPages(w.views.Guide, party))
	}
	return out
}

// world are the pages of the whole emulator, and the guides.
func (w wiring) world() []web.Handler {
	v, a := w.views.Whole, w.API
	return []web.Handler{
		&pages.Home{View: v, Settings: a.Settings, Keys: a.Keys, Version: a.Version},
		&pages.Scenarios{View: v, API: a.Scenarios},
		&pages.Jobs{View: v, Jobs: a.Jobs},
		&pages.Doctor{View: v, Examine: a.Doctor.Examine},
		&pages.Reference{View: w.views.Guide, API: a},
		guide.New(docs.Guides, w.views.Guide.Show, w.views.Guide.Lang),
	}
}

// party is a relying party of our own at a path, nil when there is no demo
// client.
func (w wiring) party(at string) *demo.Party {
	if w.Demo == nil {
		return nil
	}
	return demo.NewParty(w.Demo, w.cookies, w.API.URL, at)
}

// Routes are all addresses that a console answers, by path.
func Routes() []web.Route {
	empty := &api.API{
		People:       &api.People{},
		Phones:       &api.Phones{},
		Outbox:       &api.Outbox{},
		Certificates: &api.Certificates{},
		Clock:        &api.Clock{},
		Settings:     &api.Settings{},
		Doctor:       &api.Doctor{},
	}
	return New(Setup{API: empty, Pages: web.NewPages(nil), Demo: &demo.Demo{}, Listener: Listener{Pprof: true}}).Routes()
}
