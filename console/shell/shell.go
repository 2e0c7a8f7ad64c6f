// Package shell is what all pages of the console share: how they are shown and
// refused, the lists on them, where a request comes from, and the cookies of
// this world.
package shell

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Views are the ways of the console to show a page.
type Views struct {
	Whole *web.View // with the console's menu, in French
	Guide *web.View // with the menu, in the reader's language
	Bare  *web.View // without it, in the reader's language
}

// NewViews makes them. welcome gives a browser its session, where whoever comes
// is let in.
func NewViews(pages *web.Pages, cookies Cookies, strict func() bool, welcome func(echo.Context)) Views {
	view := func(bare bool, lang func(echo.Context) string) *web.View {
		return &web.View{Pages: pages, Strict: strict, Lang: lang, Why: why,
			Prepare: func(c echo.Context, status int, _ string, data map[string]any) {
				if data["Console"], data["Bare"] = true, bare; status < http.StatusBadRequest {
					welcome(c)
				}
			}}
	}
	choice := &web.Choice{
		Kept: func(c echo.Context) []string { return cookies.Values(c, "lang") },
		Keep: func(c echo.Context, lang string) {
			if OriginOf(c.Request()) != FromForeign {
				cookies.Set(c, "lang", "/", lang, http.SameSiteStrictMode, 0)
			}
		},
	}
	french := func(echo.Context) string { return web.French }
	return Views{view(false, french), view(false, choice.Lang), view(true, choice.Lang)}
}

// why is the address of the page that explains a refusal.
func why(c echo.Context, refusal error) string {
	p := problem.From(refusal)
	if strings.HasPrefix(p.Code, "http-") || !problem.Known(p.Code) {
		return "" // its text says it all
	}
	return WhyURL(web.Root(Context(c)), p.Code, "")
}

// WhyURL is the page of a console that explains a refusal.
func WhyURL(base, code, loginID string) string {
	to := base + "/why/" + url.PathEscape(code)
	if loginID != "" {
		to += "?login=" + url.QueryEscape(loginID)
	}
	return to
}

// Context is the request's.
func Context(c echo.Context) context.Context { return c.Request().Context() }
