package provider

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
)

// tokenEndpoint serves the grants (RFC 6749 §3.2, CIBA Core §10).
type tokenEndpoint struct {
	oidc     *oidc.Provider
	journal  *journal.Journal
	faults   *answerFaults
	refusals *wire.Writer
}

// Register adds the endpoint.
func (h *tokenEndpoint) Register(e *echo.Echo) { e.POST(site.Protocol+"/token", h.serve) }

func (h *tokenEndpoint) serve(c echo.Context) error {
	r := c.Request()
	if refused := tokenForm(r); refused != nil {
		noted := map[string]string{"client_id": r.PostForm.Get("client_id"), "certificate": presented(r)}
		tell(c, h.journal, h.oidc.SessionOf(r), journal.KindToken, noted, refused.Problem())
		return h.refusals.Refuse(c, *refused, nil)
	}
	grant := r.PostForm.Get("grant_type")
	kind := journal.KindToken
	if grant == clients.RefreshToken {
		kind = journal.KindRefresh
	}
	response, session, err := h.oidc.Token(r)
	tell(c, h.journal, session, kind, map[string]string{"grant_type": grant, "certificate": presented(r)}, err)
	if err != nil {
		return h.refusals.Refuse(c, tokenError(err), err)
	}
	web.NoStore(c)
	if !h.faults.active() {
		return c.JSON(http.StatusOK, response)
	}
	changed, err := h.faults.response(r.Context(), response, session)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, changed)
}

// grants are those of the token endpoint: the parameter each cannot do
// without, and the answer when that is missing. Those without a parameter are
// advertised by the sandbox and refused.
var grants = []struct{ Type, Parameter, Missing string }{
	{clients.AuthorizationCode, "code", "code-missing"},
	{clients.RefreshToken, "refresh_token", "refresh-missing"},
	{clients.CIBA, "auth_req_id", "ciba-auth-req-id-missing"},
	{"password", "", "grant-password"},
	{"client_credentials", "", "grant-client-credentials"},
	{"urn:ietf:params:oauth:grant-type:device_code", "", "grant-device"},
}

func tokenForm(r *http.Request) *wire.Answer {
	refuse := func(key string) *wire.Answer { a := wire.Of(key); return &a }
	if refused := repeated(r); refused != nil {
		return refused
	}
	if !r.PostForm.Has("grant_type") {
		return refuse("grant-type-missing")
	}
	for _, g := range grants {
		if g.Type == r.PostForm.Get("grant_type") {
			if r.PostForm.Get(g.Parameter) == "" {
				return refuse(g.Missing)
			}
			return nil
		}
	}
	return refuse("grant-type-unknown")
}
