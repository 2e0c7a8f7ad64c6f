package emulator

import (
	"context"
	"strings"
	"time"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/demo"
	"pscemu.invalid/pscemu/lab/doctor"
)

// api wires the control API.
func (e *Emulator) api(relying *demo.Demo, spaces api.Spaces) *api.API {
	jobs := &api.Jobs{Clock: e.clock, Closing: e.closing}
	bearer := api.HoldsToken(e.ready.APIToken)
	return &api.API{
		URL:     e.at.console,
		Version: e.version,
		People: &api.People{Store: e.store, People: e.people, ECPS: e.ecps, Cards: e.cards, Jobs: jobs,
			FHIR: e.at.console + "/fhir"},
		Phones:       &api.Phones{ECPS: e.ecps, People: e.people, Cards: e.cards, Closing: e.closing},
		Reader:       &api.Reader{ECPS: e.ecps, Cards: e.cards},
		Outbox:       &api.Outbox{Outbox: e.outbox},
		Cards:        &api.Cards{Cards: e.cards, PKI: e.pki},
		Certificates: &api.Certificates{PKI: e.pki, Clients: e.clients},
		Orders:       &api.Orders{Orders: e.orders, PKI: e.pki},
		Clients:      &api.Clients{Clients: e.clients, PKI: e.pki},
		Logins:       &api.Logins{Journal: e.journal, Doors: e.provider.Doors, Version: e.version, URL: e.at.console},
		Refusals:     &api.Refusals{Journal: e.journal},
		Faults:       &api.Faults{Faults: e.faults, Settings: e.live},
		Deliveries:   &api.Deliveries{Sender: e.sender},
		Clock:        &api.Clock{Clock: e.clock},
		Settings:     &api.Settings{Settings: e.live, Doors: e.provider.Doors},
		Keys:         &api.Keys{OIDC: e.oidc},
		World:        &api.World{State: e, Bearer: bearer},
		Spaces:       &api.SpaceList{Spaces: spaces, Bearer: bearer},
		Scenarios:    e.scenarios(relying, jobs),
		Jobs:         jobs,
		Doctor:       &api.Doctor{Examine: e.examine(relying)},
	}
}

func (e *Emulator) scenarios(relying *demo.Demo, jobs *api.Jobs) *api.Scenarios {
	out := &api.Scenarios{State: e, Jobs: jobs, URL: e.at.console, Services: api.Services{Store: e.store,
		Clock: e.clock, Settings: e.live, People: e.people, ECPS: e.ecps, Cards: e.cards, Clients: e.clients,
		PKI: e.pki, Faults: e.faults}}
	if relying != nil {
		out.Demo = relying.ClientID
	}
	return out
}

// examine is the doctor, who looks from the server's side.
func (e *Emulator) examine(relying *demo.Demo) func(context.Context, string) []api.Finding {
	return func(ctx context.Context, app string) (out []api.Finding) {
		limited, stop := context.WithTimeout(ctx, 20*time.Second)
		defer stop()
		p := &doctor.Patient{App: app, Clock: e.clock.State(), Clients: e.clients}
		if relying != nil {
			p.Issuer, p.Roots = relying.Issuer, relying.Roots
			p.Base = strings.TrimSuffix(relying.AuthorizeURL, "/auth")
			_, certificate := relying.Keys()
			p.Certificates = append(p.Certificates, doctor.Pair{Name: relying.ClientID, Certificate: certificate})
		}
		for _, f := range doctor.Examine(limited, p) {
			out = append(out, api.Finding{What: f.What, Grade: string(f.Grade), Found: f.Found, Remedy: f.Remedy})
		}
		return out
	}
}
