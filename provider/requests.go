package provider

import (
	"context"
	"net/url"
	"strings"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// asking is an authorize request that names a client and a redirect URI of
// its own: from here on even errors go back there.
type asking struct {
	client *clients.Client
	form   url.Values
	back   callback
}

// requests reads authorize requests, whichever way they come, and judges them.
type requests struct {
	settings *config.Live
	clients  *clients.Registry
	pushes   *pushes
	objects  objects
}

// asked finds whose request this is and where its answer may go. The key names
// the error page when it fails.
func (q *requests) asked(ctx context.Context, at site.Site, form url.Values) (*asking, string, error) {
	client, err := q.clients.Get(ctx, form.Get("client_id"))
	if err != nil {
		return nil, "authorize-client", err
	}
	if form, err = q.unpack(ctx, client, form, at.Issuer()); err != nil {
		return nil, "authorize-unreadable", err
	}
	if form, err = keptParameters(form); err != nil {
		return nil, "authorize-unreadable", err
	}
	if err := redirectProblem(client, form.Get("redirect_uri")); err != nil {
		return nil, "authorize-redirect-uri", err
	}
	return &asking{client, form, callbackOf(client.ID, form, at.Issuer())}, "", nil
}

// judge finds the first parameter Keycloak would refuse, nil for none.
func (q *requests) judge(client *clients.Client, form url.Values) *wire.Refusal {
	return judged(client, form, q.settings.Policies(client.Policies, nil))
}

// unpack puts what the client pushed or signed in the place of what came
// through the browser. Request objects it cannot judge stay where they are.
func (q *requests) unpack(
	ctx context.Context,
	client *clients.Client,
	form url.Values,
	iss string,
) (url.Values, error) {
	if id, ok := strings.CutPrefix(form.Get("request_uri"), pushedPrefix); ok {
		return q.pushes.take(ctx, client, id, iss)
	}
	object := form.Get("request")
	if object == "" || client.JWKS == nil || unsigned(object) {
		return form, nil
	}
	claims, err := q.objects.read(client, object, iss)
	if err != nil {
		return nil, problem.RequestObjectInvalid.Got(err.Error())
	}
	out := url.Values{"client_id": {client.ID}}
	for k, v := range form {
		if k != "request" {
			out[k] = v
		}
	}
	for k, v := range claims {
		out[k] = v // the signed value wins (OIDC Core §6.3.3)
	}
	return out, nil
}

// detail is what the journal keeps of a request: no secrets are in it.
func detail(a *asking) map[string]string {
	d := map[string]string{
		"client_id": a.client.ID,
		"state":     present(a.form, "state"),
		"nonce":     present(a.form, "nonce"),
	}
	for _, k := range noted {
		if v := a.form.Get(k); v != "" {
			d[k] = v
		}
	}
	return d
}

// noted are the parameters that the journal keeps as they came.
var noted = []string{"redirect_uri", "response_type", "scope", "acr_values", "prompt", "max_age", "login_hint",
	"response_mode", "code_challenge_method", "claims"}

func present(form url.Values, name string) string {
	if form.Get(name) == "" {
		return "absent"
	}
	return "present"
}
