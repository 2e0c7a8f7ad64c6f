package demo

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/rp"
	"pscemu.invalid/pscemu/internal/web"
)

// loginLife is how long a login may take.
const loginLife = 30 * time.Minute

// Party is a relying party of our own at a path of the console.
type Party struct {
	client  *rp.Client
	pending *rp.Pending
	cookies shell.Cookies
	url     string // of the console, without a slash at the end
	at      string // its path: /demo, or the order desk's /desk
}

// NewParty makes a relying party whose pages lie at a path of the console.
func NewParty(d *Demo, cookies shell.Cookies, url, at string) *Party {
	client := d.client()
	return &Party{client, rp.NewPending(loginLife, client.Now), cookies, url, at}
}

// cookie is the name of what it keeps of a login under way: each party has its
// own, so that logins of both do not disturb another.
func (p *Party) cookie() string { return strings.TrimPrefix(p.at, "/") + "-login" }

// Begin sends the browser to the login with state, nonce and PKCE. They are kept
// here, and a cookie says whose they are.
func (p *Party) Begin(c echo.Context) error {
	login := rp.NewLogin(p.url + p.at + "/callback")
	to, err := p.client.AuthorizeURL(shell.Context(c), login)
	if err != nil {
		return refusal(nil, err)
	}
	browser := rand.Text()
	for _, kept := range p.cookies.Values(c, p.cookie()) {
		if p.pending.Began([]string{kept}) {
			browser = kept // it logs in in two tabs
		}
	}
	p.pending.Keep(browser, login)
	// Lax: the way back comes from the login page's site.
	p.cookies.Set(c, p.cookie(), p.at, browser, http.SameSiteLaxMode, loginLife)
	return web.Leave(c, http.StatusFound, to)
}

// LoggedIn verifies what came back and exchanges the code. The session holds
// the checks that were made, also beside an error, which is a rp.Refusal when
// the person or the provider refused the login.
func (p *Party) LoggedIn(c echo.Context) (*rp.Session, error) {
	browsers := p.cookies.Values(c, p.cookie())
	if !p.pending.Began(browsers) {
		return nil, problem.DemoNotStarted.With("url", p.url).With("at", p.at)
	}
	login, ok := p.pending.Take(browsers, c.QueryParam("state"))
	if !ok {
		login = &rp.Login{} // of this browser there is none with this state
	} else if !p.pending.Began(browsers) {
		p.cookies.Set(c, p.cookie(), p.at, "", http.SameSiteLaxMode, 0)
	}
	in, err := p.client.Finish(shell.Context(c), login, c.QueryParams())
	var said *rp.Refusal
	if err == nil || errors.As(err, &said) && said.At == "callback" {
		return in, err
	}
	return in, refusal(in, err)
}

// refusal says why a login came to nothing.
func refusal(in *rp.Session, err error) error {
	var failed *rp.Check
	if in != nil {
		failed = in.Checks.Failed()
	}
	if failed == nil {
		return problem.DemoDiscoveryRefused.Got(err.Error())
	}
	code := problem.DemoLoginUnverified
	switch failed.Name {
	case rp.CallbackState, rp.CallbackIssuer:
		code = problem.DemoStateWrong
	case rp.IDTokenNonce:
		code = problem.DemoNonceWrong
	case rp.TokenAnswer:
		code = problem.DemoTokenRefused
	case rp.UserInfoAnswer:
		code = problem.DemoUserinfoRefused
	}
	return code.With("expected", failed.Expected).Got(string(failed.Name) + ": " + failed.Received)
}
