package provider

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// parEndpoint takes an authorize request from an authenticated client (RFC 9126).
type parEndpoint struct {
	back     *backChannel
	requests *requests
	names    *site.Names
	journal  *journal.Journal
}

// Register adds the endpoint.
func (h *parEndpoint) Register(e *echo.Echo) { e.POST(site.Protocol+"/ext/par/request", h.serve) }

func (h *parEndpoint) serve(c echo.Context) error {
	r := c.Request()
	if refused := repeated(r); refused != nil {
		return h.back.refuse(c, *refused, nil)
	}
	client, _, err := h.back.authenticate(r)
	if err != nil {
		h.journal.Add(r.Context(), "", journal.KindPAR, nil, err)
		return h.back.refuse(c, clientError(err), err)
	}
	at, noted := h.names.Of(r.Host), map[string]string{"client_id": client.ID}
	form, refusal := h.pushable(r.Context(), client, r.PostForm, at)
	if refusal != nil {
		reason := refusal.Explained()
		h.journal.Add(r.Context(), "", journal.KindPAR, noted, reason)
		return h.back.refuse(c, refusal.Answer, reason)
	}
	uri, err := h.requests.pushes.keep(r.Context(), pushed{client.ID, at.Issuer(), form})
	if err != nil {
		return h.back.refuse(c, wire.Of("server-error"), err)
	}
	h.journal.Add(r.Context(), "", journal.KindPAR, noted, nil)
	web.NoStore(c)
	return c.JSON(http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
	}{uri, int(pushedLifetime.Seconds())})
}

// pushable judges the request as authorize would, and returns it without what
// only the back channel may know.
func (h *parEndpoint) pushable(
	ctx context.Context,
	client *clients.Client,
	sent url.Values,
	at site.Site,
) (url.Values, *wire.Refusal) {
	if sent.Has("request_uri") {
		return nil, wire.Refused(problem.PARRequestURI.Got(sent.Get("request_uri")))
	}
	form := url.Values{}
	for k, v := range sent {
		if k != "client_secret" && k != "client_assertion" && k != "client_assertion_type" {
			form[k] = v
		}
	}
	form.Set("client_id", client.ID)
	form, err := h.requests.unpack(ctx, client, form, at.Issuer())
	if err != nil {
		return nil, wire.Refused(problem.PARObject.Got(problem.From(err).Error()))
	}
	if form, err = keptParameters(form); err != nil {
		p := problem.From(err)
		return nil, wire.Refused(problem.PARTooLong.With("expected", problem.Expected(p)).Got(p.Received))
	}
	if uri := form.Get("redirect_uri"); redirectProblem(client, uri) != nil {
		return nil, wire.Refused(problem.PARRedirectURI.Got(uri))
	}
	return form, asPushed(h.requests.judge(client, form))
}

// asPushed is a refusal of the authorize endpoint as Keycloak's PAR endpoint
// gives it.
func asPushed(r *wire.Refusal) *wire.Refusal {
	switch {
	case r == nil:
		return nil
	case r.Key == "response-type-unknown":
		return wire.Refused(problem.PARResponseType.With("expected", problem.Expected(r.Reason)).Got(r.Reason.Received))
	case r.Error == "invalid_scope":
		r.Error = "invalid_request"
	}
	r.Status = http.StatusBadRequest
	return r
}
