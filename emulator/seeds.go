package emulator

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/delivery"
	"pscemu.invalid/pscemu/provider/oidc"
)

// DemoID is the client_id of the demo client.
const DemoID = "demo"

// seeded marks what a fresh data folder received once.
var seeded = store.Collection[bool]("seeded")

func (e *Emulator) once(ctx context.Context, what string, do func() error) error {
	if done, err := seeded.Load(ctx, e.store, what); err == nil && done {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	return seeded.Save(ctx, e.store, what, true, store.Forever)
}

func (e *Emulator) personas(ctx context.Context) error {
	if err := e.once(ctx, "cards-index", func() error { return e.cards.Index(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "structures-index", func() error { return e.orders.Index(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "revoked-index", func() error { return e.pki.Index(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "lists-index", func() error { return e.indexLists(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "pending-index", func() error { return e.indexPending(ctx) }); err != nil {
		return err
	}
	if err := e.once(ctx, "magic", func() error { return e.magic(ctx) }); err != nil {
		return err
	}
	err := e.once(ctx, "personas", func() error {
		var steps []func() error
		for _, p := range identities.Personas() {
			steps = append(steps, func() error {
				if err := e.people.Put(ctx, &p.Identity); err != nil {
					return err
				}
				if p.ECPS {
					if _, err := e.ecps.Activate(ctx, p.NationalID, cards.DefaultPIN); err != nil {
						return err
					}
				}
				if p.Card == "" {
					return nil
				}
				_, err := e.cards.Issue(ctx, cards.Request{NationalID: p.NationalID, Type: cards.Type(p.Card)})
				return err
			})
		}
		return parallel(steps...) // the store commits them together
	})
	if err != nil {
		return err
	}
	return e.renewCards(ctx)
}

// indexPending notes requests, sessions, deliveries and messages where they are looked for.
func (e *Emulator) indexPending(ctx context.Context) error {
	return first(
		func() error { return e.ecps.Index(ctx) },
		func() error { return oidc.IndexSessions(ctx, e.store, e.clock) },
		func() error { return delivery.Index(ctx, e.store, e.clock) },
		func() error { return outbox.Index(ctx, e.store) },
	)
}

// indexLists notes certificates and orders where they are looked for.
func (e *Emulator) indexLists(ctx context.Context) error {
	return first(
		func() error { return e.pki.IndexCertificates(ctx) },
		func() error { return e.orders.IndexOrders(ctx) },
	)
}

// first runs steps one after the other until one fails.
func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// renewCards gives each persona a new card whose own has ended, so that a data
// folder of years ago serves as one of today. Other people's cards end as they do.
func (e *Emulator) renewCards(ctx context.Context) error {
	for _, p := range identities.Personas() {
		if p.Card == "" {
			continue
		}
		held, err := e.cards.List(ctx, p.NationalID, "", cards.All)
		if err != nil {
			return err
		}
		if len(held) == 0 || slices.ContainsFunc(held, func(c cards.Card) bool { return c.State != cards.Expired }) {
			continue
		}
		if _, err := e.cards.Issue(
			ctx,
			cards.Request{NationalID: p.NationalID, Type: cards.Type(p.Card)},
		); err != nil &&
			!problem.Is(err, problem.IdentityUnknown) {
			return err
		}
	}
	return nil
}

// magic makes the people whose number decides the outcome.
func (e *Emulator) magic(ctx context.Context) error {
	var people []identities.Identity
	for _, m := range identities.MagicPeople() {
		people = append(people, *m.Identity())
	}
	return parallel(
		func() error { return e.people.PutAll(ctx, people) },
		func() error { return e.ecps.ActivateAll(ctx, people, cards.DefaultPIN) },
		func() error { return e.magicCards(ctx) }, // the store commits them together
	)
}

// magicCards gives each magic person a CPS in the state of their row.
func (e *Emulator) magicCards(ctx context.Context) error {
	return e.store.Update(ctx, func(tx store.Tx) error {
		for _, m := range identities.MagicPeople() {
			r := cards.Request{
				Holders: []identities.Identity{*m.Identity()}, Type: cards.CPS, State: cards.State(m.CardState),
			}
			if _, err := e.cards.IssueIn(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// demoClient registers the demo client once, and keeps its certificate valid.
func (e *Emulator) demoClient(ctx context.Context) error {
	err := e.once(ctx, "demo-client", func() error {
		return e.clients.Put(
			ctx,
			&clients.Client{
				ID:                DemoID,
				Name:              "Application de démonstration",
				Secret:            rand.Text(),
				RedirectURIPolicy: clients.Loopback,
				DeliveryMode:      clients.Poll,
				RedirectURIs: []string{
					"http://localhost:8080/callback",
				},
				PostLogoutRedirectURIs: []string{"http://localhost:8080/"},
			},
		)
	})
	if err != nil {
		return err
	}
	return e.demoCertificate(ctx)
}

var demoSerial = store.Collection[string]("demo-certificate")

func (e *Emulator) demoCertificate(ctx context.Context) error {
	subject := clients.OwnSubject(DemoID)
	serial, err := demoSerial.Load(ctx, e.store, "serial")
	var cert *pki.Certificate
	switch {
	case errors.Is(err, store.ErrNotFound):
		cert, err = e.pki.Issue(ctx, pki.Request{Profile: pki.ProfileAuthCLI, Subject: subject, ClientID: DemoID})
	case err == nil:
		// The authority is needed to judge any client's certificate.
		if _, err = e.pki.Authority(ctx, "el-org"); err != nil {
			return err
		}
		if _, err = e.pki.Authority(ctx, "el-root"); err != nil {
			return err
		}
		if cert, err = e.pki.Certificate(ctx, serial); err == nil {
			cert, err = e.pki.Renew(ctx, cert, subject)
		}
	}
	if err != nil {
		return err
	}
	if err := e.demoFiles(ctx, cert); err != nil || cert.Serial == serial {
		return err
	}
	return demoSerial.Save(ctx, e.store, "serial", cert.Serial, store.Forever)
}
