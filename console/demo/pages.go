package demo

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/web"
)

// Pages are those of the demo: a button that logs in, and what a login brings.
type Pages struct {
	view  *web.View
	party *Party
}

// NewPages makes the pages of a relying party.
func NewPages(v *web.View, p *Party) *Pages { return &Pages{v, p} }

// Register adds the demo's routes.
func (h *Pages) Register(e *echo.Echo) {
	e.GET("/demo", h.home)
	e.GET("/demo/start", h.party.Begin)
	e.GET("/demo/callback", h.callback)
}

func (h *Pages) home(c echo.Context) error { return h.show(c, map[string]any{}) }

// callback shows everything that a login brings.
func (h *Pages) callback(c echo.Context) error {
	in, err := h.party.LoggedIn(c)
	if err != nil {
		return err
	}
	if in.Error != "" {
		return h.show(c, map[string]any{"Error": in.Error, "Description": in.Description})
	}
	issuer := h.party.demo.Issuer
	info, err := h.party.get(issuer+"/protocol/openid-connect/userinfo", in.Access)
	if err != nil {
		return err
	}
	return h.show(c, map[string]any{
		"UserInfo":    info,
		"IDToken":     indent(in.Claims),
		"AccessToken": indent(in.AccessClaims()),
		"Raw":         in.ID,
		"Logout": issuer + "/protocol/openid-connect/logout?" + url.Values{
			"id_token_hint":            {in.ID},
			"post_logout_redirect_uri": {h.party.url + h.party.at},
		}.Encode(),
	})
}

func (h *Pages) show(c echo.Context, data map[string]any) error {
	data["Title"], data["Client"], data["Issuer"] = "Démonstration", h.party.demo.ClientID, h.party.demo.Issuer
	return h.view.Show(c, http.StatusOK, "demo/demo", data)
}
