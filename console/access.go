package console

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// ownHostOnly refuses requests that reached us under a foreign name (DNS
// rebinding), and whatever another site's page sends.
func (s *Console) ownHostOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return problem.HostForeign.With("url", s.URL).Got(r.Host)
		}
		sends := r.Method != http.MethodGet || len(r.Header.Values("Origin")) > 0
		if sends && originOf(r) == fromForeign {
			return foreign(r)
		}
		return next(c)
	}
}

func foreign(r *http.Request) error {
	got := "Origin: " + r.Header.Get("Origin")
	if r.Header.Get("Origin") == "" {
		got = "Sec-Fetch-Site: " + r.Header.Get("Sec-Fetch-Site")
	}
	return problem.OriginForeign.With("host", r.Host).Got(got)
}

// access holds every route to its row of reaches. What is no route goes on: it
// is 404 or 405 for everybody.
func (s *Console) access(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !s.routed[r.Method+" "+c.Path()] {
			return next(c)
		}
		elsewhere := originOf(r) == fromForeign
		switch reachOf(c.Path()) {
		case byAnybody:
			return next(c)
		case byVisitor:
			if elsewhere && !showsAPerson(r) {
				return foreign(r)
			}
			return next(c)
		case byToken:
			return s.withToken(c, next)
		}
		switch {
		case elsewhere && showsAPerson(r):
			return s.gate(c, http.StatusForbidden, nil)
		case elsewhere:
			return foreign(r)
		case s.entered(c), s.tokenIs(bearer(r)), r.Method == http.MethodGet && !s.Link:
			return next(c)
		case r.Method != http.MethodGet:
			return problem.ConsoleCookieMissing.Of()
		case wantsPage(r):
			return s.gate(c, http.StatusUnauthorized, nil)
		}
		return s.unauthorised(c, closed())
	}
}

func closed() *problem.Error {
	return problem.ConsoleClosed.Of()
}

// withToken wants the bearer token, or a session, on our own pages only.
func (s *Console) withToken(c echo.Context, next echo.HandlerFunc) error {
	if originOf(c.Request()) == fromForeign {
		return foreign(c.Request())
	}
	if s.tokenIs(bearer(c.Request())) || s.entered(c) {
		return next(c)
	}
	return s.unauthorised(
		c,
		problem.APITokenWrong.Of(),
	)
}

// unauthorised answers 401.
func (s *Console) unauthorised(c echo.Context, p *problem.Error) error {
	c.Response().Header().Set("WWW-Authenticate", `Bearer realm="pscemu"`)
	return &unauthorised{p}
}

type unauthorised struct{ error }

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (s *Console) tokenIs(t string) bool {
	return subtle.ConstantTimeCompare([]byte(t), []byte(s.Token)) == 1
}

// keysFor leaves the keys of worlds out of an answer to a browser that was let
// in by its session: it never sees an API token.
func (s *Console) keysFor(c echo.Context, answer any) any {
	keyed, holds := answer.(interface{ WithoutKeys() any })
	if !holds || s.tokenIs(bearer(c.Request())) {
		return answer
	}
	return keyed.WithoutKeys()
}

// entered tells whether the browser opened this console.
func (s *Console) entered(c echo.Context) bool {
	for _, value := range s.cookies(c, "console") {
		if s.sessions.holds(value, func() string { return peer(ctx(c)) }) {
			return true
		}
	}
	return false
}

// sees tells whether a page that anybody may see also shows what is of one
// login: not to another site's visitor, nor to who did not open the console.
func (s *Console) sees(c echo.Context) bool {
	return originOf(c.Request()) != fromForeign && (!s.Link || s.entered(c) || s.tokenIs(bearer(c.Request())))
}

// welcome gives a browser its session, where whoever comes is let in: never
// one that another site sent.
func (s *Console) welcome(c echo.Context) {
	if !s.Link && originOf(c.Request()) != fromForeign && !s.entered(c) {
		s.letIn(c, "")
	}
}

// letIn begins a session and leaves its cookie.
func (s *Console) letIn(c echo.Context, user string) {
	s.setCookie(c, "console", "/", s.sessions.begin(user), http.SameSiteStrictMode, 0)
}

// cookieName differs between the worlds of a host: cookies know no ports, and
// spaces share one.
func (s *Console) cookieName(what string) string { return "pscemu-" + what + "-" + s.Instance }

// cookies are the values that came under a name: another port of this host may
// have set one more for a longer path, which must not hide ours.
func (s *Console) cookies(c echo.Context, what string) (out []string) {
	for _, kept := range c.Request().CookiesNamed(s.cookieName(what)) {
		out = append(out, kept.Value)
	}
	return out
}

// setCookie sets a cookie of this world below a path of it; one with no value
// is taken away.
func (s *Console) setCookie(c echo.Context, what, path, value string, site http.SameSite, age time.Duration) {
	cookie := &http.Cookie{
		Name:     s.cookieName(what),
		Value:    value,
		Path:     web.Path(ctx(c), path),
		HttpOnly: true,
		SameSite: site,
		MaxAge:   int(age.Seconds()),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}
