package provider

import (
	"context"
	"strconv"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
	"pscemu.invalid/pscemu/provider/wire"
)

// finisher ends an authorize request: with what it asked for, or with an error
// for the client.
type finisher struct {
	settings  *config.Live
	oidc      *oidc.Provider
	journal   *journal.Journal
	browsers  *sessions.Browsers
	callbacks *callbacks
	faults    *answerFaults
}

// finish answers the authorize request with what it asked for.
func (h *finisher) finish(c echo.Context, a *asking, who oidc.Authentication) error {
	location, grant, err := h.grant(c.Request().Context(), a, who)
	if err != nil {
		return err
	}
	if grant.Secret != "" {
		h.browsers.Start(c, grant.SID, grant.Secret)
	}
	return h.callbacks.send(c, location)
}

// now is finish for a person who has logged in at this moment.
func (h *finisher) now(c echo.Context, a *asking, who oidc.Authentication) error {
	who.Time = h.callbacks.clock.Now()
	return h.finish(c, a, who)
}

// refuse answers it with an error.
func (h *finisher) refuse(c echo.Context, back callback, a wire.Answer, reason error) error {
	return h.callbacks.send(c, h.callbacks.refusal(back, a, reason))
}

// grant makes what the response type names and the parameters of the callback,
// in Keycloak's order.
func (h *finisher) grant(ctx context.Context, a *asking, who oidc.Authentication) (answerTo, *oidc.Grant, error) {
	asked, acr, _ := claimsParameter(a.form) // judged before
	if v := a.form.Get("acr_values"); v != "" {
		acr = v
	}
	policy := h.settings.Policies(a.client.Policies, who.Person.Policies).ACR
	grant, err := h.oidc.Finish(ctx, a.client, a.form, who, grantedACR(policy, acr, who.AuthMode), asked)
	if err != nil {
		h.journal.Add(ctx, who.LoginID, journal.KindCallback, nil, err)
		return answerTo{}, nil, err
	}
	noted := map[string]string{"national_id": who.Person.NationalID, "authMode": string(who.AuthMode)}
	h.journal.Add(ctx, who.LoginID, journal.KindCallback, noted, nil)
	params := granted(a.back, grant)
	if h.faults.active() {
		params = h.faults.callback(ctx, params, who, a.client.ID)
	}
	return h.callbacks.answer(a.back, params), grant, nil
}

func granted(back callback, grant *oidc.Grant) wire.Params {
	var params wire.Params
	params.Add("state", back.state)
	params.Add("session_state", grant.SID)
	params.Add("iss", back.iss)
	params.Add("code", grant.Code)
	params.Add("id_token", grant.IDToken)
	if grant.AccessToken != "" {
		params.Add("access_token", grant.AccessToken)
		params.Add("token_type", "Bearer")
		params.Add("expires_in", strconv.Itoa(grant.ExpiresIn))
	}
	return params
}
