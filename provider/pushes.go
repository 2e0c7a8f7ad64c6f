package provider

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
)

// pushed is an authorize request that came by the back channel.
type pushed struct {
	Client string     `json:"client_id"`
	Issuer string     `json:"iss"`
	Form   url.Values `json:"form"`
}

// Pushed requests live a minute and serve once.
const (
	pushedPrefix   = "urn:ietf:params:oauth:request_uri:"
	pushedLifetime = time.Minute
)

var pushedRequests = store.Collection[pushed]("par")

// pushes keeps the authorize requests that were pushed.
type pushes struct{ store store.Store }

// keep returns the request_uri of a pushed request.
func (p *pushes) keep(ctx context.Context, in pushed) (string, error) {
	id := strings.ToLower(journal.NewID())
	return pushedPrefix + id, pushedRequests.Save(ctx, p.store, id, in, pushedLifetime)
}

// take uses a pushed request up.
func (p *pushes) take(ctx context.Context, client *clients.Client, id, iss string) (form url.Values, err error) {
	var verdict error
	err = p.store.Update(ctx, func(tx store.Tx) error {
		in, err := pushedRequests.Get(tx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			verdict = problem.PARUnknown.Of()
			return nil
		case err != nil:
			return err
		case in.Client != client.ID || in.Issuer != iss:
			verdict = problem.PAROtherClient.Got(client.ID)
			return nil
		}
		form = in.Form
		return pushedRequests.Delete(tx, id)
	})
	return form, errors.Join(err, verdict)
}
