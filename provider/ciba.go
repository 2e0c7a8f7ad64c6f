package provider

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// cibaEndpoint starts a login that the client's server asks for, without a
// browser (CIBA Core §7).
type cibaEndpoint struct {
	back    *backChannel
	begin   *backchannelStart
	clock   clock.Clock
	journal *journal.Journal
}

// Register adds the endpoint.
func (h *cibaEndpoint) Register(e *echo.Echo) { e.POST(site.Protocol+"/ext/ciba/auth", h.serve) }

func (h *cibaEndpoint) serve(c echo.Context) error {
	r := c.Request()
	if refused := repeated(r); refused != nil {
		return h.back.refuse(c, *refused, nil)
	}
	client, _, err := h.back.authenticate(r)
	if err != nil {
		h.journal.Add(r.Context(), "", journal.KindCIBA, map[string]string{"certificate": presented(r)}, err)
		return h.back.refuse(c, clientError(err), err)
	}
	id := journal.NewID()
	b, refusal, err := h.begin.login(r.Context(), client, r.PostForm, id)
	if refusal != nil {
		err = refusal.Explained()
	}
	h.journal.Add(r.Context(), id, journal.KindCIBA, map[string]string{
		"client_id":       client.ID,
		"login_hint":      r.PostForm.Get("login_hint"),
		"channel":         r.PostForm.Get("channel"),
		"binding_message": r.PostForm.Get("binding_message"),
	}, err)
	switch {
	case refusal != nil:
		return h.back.refuse(c, refusal.Answer, err)
	case err != nil:
		return h.back.refuse(c, wire.Of("server-error"), err)
	}
	return h.begun(c, b)
}

// begun says how the client comes for the tokens.
func (h *cibaEndpoint) begun(c echo.Context, b *oidc.Backchannel) error {
	web.NoStore(c)
	left := b.ExpiresAt.Sub(h.clock.Now()).Round(time.Second)
	return c.JSON(http.StatusOK, struct {
		AuthReqID string `json:"auth_req_id"`
		ExpiresIn int    `json:"expires_in"`
		Interval  int    `json:"interval"`
	}{b.ID, int(left.Seconds()), int(b.Interval.Seconds())})
}
