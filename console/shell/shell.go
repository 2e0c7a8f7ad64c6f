// Package shell is what all pages of the console share: how they are rendered,
// in which language, how they say a refusal, and the cookies of this world.
package shell

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Shell shows pages.
type Shell struct {
	Pages   *web.Pages
	Cookies Cookies
	Strict  func() bool // whether every test door is closed
	// Welcome gives a browser its session, where whoever comes is let in.
	Welcome func(echo.Context)
}

// Page shows a page.
func (s *Shell) Page(c echo.Context, status int, name string, data map[string]any) error {
	if status < http.StatusBadRequest {
		s.Welcome(c)
	}
	data["Console"], data["Strict"] = true, s.Strict()
	if data["Bare"] == true {
		data["Lang"] = s.Language(c)
	}
	body, err := s.Pages.Render(Context(c), name, data)
	if err != nil {
		return err
	}
	return c.HTMLBlob(status, body)
}

// Form shows a form, again with what was refused.
func (s *Shell) Form(c echo.Context, name string, data map[string]any, refusal error) error {
	status := http.StatusOK
	if refusal != nil {
		status, data["Problem"] = http.StatusUnprocessableEntity, Explained(c, refusal)
	}
	return s.Page(c, status, name, data)
}

// Language is that of the phone's pages: the person's choice (?lang=, kept in
// a cookie), else French.
func (s *Shell) Language(c echo.Context) string {
	if lang := c.QueryParam("lang"); web.Speaks(lang) {
		if OriginOf(c.Request()) != FromForeign {
			s.Cookies.Set(c, "lang", "/", lang, http.SameSiteStrictMode, 0)
		}
		return lang
	}
	for _, kept := range s.Cookies.Values(c, "lang") {
		if web.Speaks(kept) {
			return kept
		}
	}
	return web.French
}

// Explained is a refusal with the link to its page.
func Explained(c echo.Context, err error) *problem.Error {
	p := problem.From(err)
	if _, known := problem.WhyOf(p.Code); !known {
		return p // http-…: its text says it all
	}
	return p.Linked(WhyURL(web.Root(Context(c)), p.Code, ""))
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

// Param is a path segment, unescaped: ids may hold a slash.
func Param(c echo.Context, name string) string {
	v := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return v
	}
	if u, err := url.PathUnescape(v); err == nil {
		return u
	}
	return v
}
