package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
)

// asking is an authorize request that names a client and a redirect URI of
// its own: from here on even errors go back there.
type asking struct {
	client *clients.Client
	form   url.Values
	back   callback
}

// authorize judges the request (RFC 6749 §4.1.1, OIDC Core §3.1.2) and either
// answers at once — an error, the session that lasts, a test door — or shows
// the login page.
func (s *Server) authorize(c echo.Context) error {
	form, err := authorizeForm(c.Request())
	if err != nil {
		return s.refuseOnPage(c, "authorize-unreadable", "", err)
	}
	a, key, err := s.asked(c.Request().Context(), s.site(c), form)
	if err != nil {
		return s.refuseOnPage(c, key, form.Get("client_id"), err)
	}
	if refusal := s.judge(a); refusal != nil {
		reason := refusal.problem()
		s.journal.Add(c.Request().Context(), "", journal.KindAuthorize, detail(a), reason)
		return s.sendBack(c, s.errorAnswer(a.back, refusal.Answer, reason))
	}
	if door, ok := s.door(a); ok {
		return s.throughDoor(c, a, door)
	}
	return s.sessionOrPage(c, a)
}

// asked finds whose request this is and where its answer may go. The key names
// the error page when it fails.
func (s *Server) asked(ctx context.Context, at site, form url.Values) (*asking, string, error) {
	client, err := s.clients.Get(ctx, form.Get("client_id"))
	if err != nil {
		return nil, "authorize-client", err
	}
	if form, err = s.unpack(ctx, client, form, at.Issuer()); err != nil {
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

// authorizeForm refuses repeated parameters (RFC 6749 §3.1), also between
// query and body.
func authorizeForm(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, problem.FormUnreadable.Case("authorize-form").Got(err.Error())
	}
	if name := twice(r.Form); name != "" {
		return nil, problem.ParameterRepeated.Got(name)
	}
	return r.Form, nil
}

func redirectProblem(c *clients.Client, uri string) error {
	if uri == "" {
		return problem.RedirectURIMissing.Of()
	}
	if !c.AllowsRedirect(uri) {
		p := problem.RedirectURIUnregistered.Of()
		if near, difference := c.NearestRedirect(uri); difference != "" {
			p = p.Case("near").With("nearest", near).With("difference", difference)
		}
		return p.With("accepted", problem.Or(c.RedirectURIs)).Got(uri)
	}
	return nil
}

func (s *Server) refuseOnPage(c echo.Context, key, clientID string, err error) error {
	s.journal.Add(c.Request().Context(), "", journal.KindAuthorize, map[string]string{"client_id": clientID}, err)
	a := answer(key)
	return s.errorPage(c, a.Status, a.Text, err)
}

// refusal is an answer of the table with what made it.
type refusal struct {
	Answer
	reason *problem.Error
}

func (r *refusal) problem() *problem.Error { return r.reason }

func refused(p *problem.Error) *refusal {
	return &refusal{answer(p.Code).with(p.Received), p}
}

// judge finds the first parameter Keycloak would refuse, in its order.
func (s *Server) judge(a *asking) *refusal {
	policy := s.settings.Policies(a.client.Policies, nil)
	for _, check := range []func(*asking, config.Policies) *refusal{requestParameters, responseParameters, scopeParameters, pkceParameters, loginParameters} {
		if r := check(a, policy); r != nil {
			return r
		}
	}
	return nil
}

// requestParameters refuses what unpack left: it is not served.
func requestParameters(a *asking, _ config.Policies) *refusal {
	switch {
	case a.form.Has("request"):
		return refused(problem.RequestUnsupported.Of())
	case a.form.Has("request_uri"):
		return refused(problem.RequestURIUnsupported.Got(a.form.Get("request_uri")))
	}
	return nil
}

func responseParameters(a *asking, _ config.Policies) *refusal {
	asked, mode := responseType(a.form), a.form.Get("response_mode")
	inFront := strings.Contains(asked, "token")
	switch {
	case asked == "":
		return refused(problem.ResponseTypeMissing.Of())
	case !slices.Contains(clients.ResponseTypes, asked):
		return refused(problem.ResponseTypeUnknown.With("accepted", clients.ResponseTypes).Got(asked))
	case !slices.Contains(responseModes, mode):
		return refused(problem.ResponseModeUnknown.Got(mode))
	case inFront && strings.HasPrefix(mode, "query"):
		return refused(problem.ResponseModeQuery.Got(mode))
	case !a.client.AllowsResponse(asked) && !inFront:
		return refused(problem.ResponseTypeStandard.With("accepted", a.client.ResponseTypes).Got(asked))
	case !a.client.AllowsResponse(asked):
		return refused(problem.ResponseTypeForbidden.Got(asked))
	case strings.Contains(asked, "id_token") && a.form.Get("nonce") == "":
		return refused(problem.NonceMissing.Of())
	}
	return nil
}

var responseModes = []string{"", "query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"}

// responseType is the request's, its parts in the order of the registrations.
func responseType(form url.Values) string {
	parts := strings.Fields(form.Get("response_type"))
	order := []string{"code", "id_token", "token", "none"}
	slices.SortFunc(parts, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return strings.Join(parts, " ")
}

func scopeParameters(a *asking, policy config.Policies) *refusal {
	asked := a.form.Get("scope")
	switch scopes := strings.Fields(asked); {
	case oidc.UnknownScope(scopes):
		return refused(problem.AuthorizeScope.Got(asked))
	case policy.RequireScopeAll && !slices.Contains(scopes, "scope_all"):
		return refused(problem.ScopeAllMissing.Got(asked))
	}
	return nil
}

var challenge = regexp.MustCompile(`^[A-Za-z0-9\-._~]{43,128}$`)

func pkceParameters(a *asking, policy config.Policies) *refusal {
	method, sent := a.form.Get("code_challenge_method"), a.form.Get("code_challenge")
	switch {
	case sent == "" && policy.RequirePKCE:
		return refused(problem.ChallengeRequired.Of())
	case sent == "" && method != "":
		return refused(problem.ChallengeMissing.Got(method))
	case method != "" && method != "S256" && method != "plain":
		return refused(problem.ChallengeMethod.Got(method))
	case a.form.Has("code_challenge") && !challenge.MatchString(sent):
		return refused(problem.ChallengeMalformed.Got(sent))
	}
	return nil
}

func loginParameters(a *asking, _ config.Policies) *refusal {
	if age := a.form.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return refused(problem.MaxAge.Got(age))
		}
	}
	if _, _, err := claimsParameter(a.form); err != nil {
		return refused(problem.ClaimsMalformed.Got(a.form.Get("claims")))
	}
	return nil
}

// claimsParameter reads OIDC Core §5.5: the claims asked for, and the acr.
func claimsParameter(form url.Values) (*oidc.Claims, string, error) {
	raw := form.Get("claims")
	if raw == "" {
		return nil, "", nil
	}
	type wish struct {
		Value  any   `json:"value"`
		Values []any `json:"values"`
	}
	var in struct {
		UserInfo map[string]*wish `json:"userinfo"`
		IDToken  map[string]*wish `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(raw), &in); err != nil {
		return nil, "", err
	}
	out, acr := &oidc.Claims{}, ""
	for name := range in.UserInfo {
		out.UserInfo = append(out.UserInfo, name)
	}
	for name := range in.IDToken {
		out.IDToken = append(out.IDToken, name)
	}
	if w := in.IDToken["acr"]; w != nil {
		acr, _ = w.Value.(string)
		if acr == "" && len(w.Values) > 0 {
			acr, _ = w.Values[0].(string)
		}
	}
	return out, acr, nil
}

// sessionOrPage goes on silently with the browser's session where the request
// allows it (OIDC Core §3.1.2.3), else shows the login page.
func (s *Server) sessionOrPage(c echo.Context, a *asking) error {
	ctx := c.Request().Context()
	prompt := " " + a.form.Get("prompt") + " "
	browser := s.browserSession(c)
	if browser != nil &&
		(strings.Contains(prompt, " login ") || tooOld(browser, a.form.Get("max_age"), s.clock.Now()) || s.otherSubject(ctx, browser, a.form)) {
		browser = nil
	}
	if browser != nil {
		person, err := s.people.Read(ctx, browser.NationalID)
		if err == nil {
			id := journal.NewID()
			s.journal.Add(ctx, id, journal.KindAuthorize, detail(a), nil)
			return s.finish(
				c,
				a,
				oidc.Authentication{
					LoginID:  id,
					Person:   person,
					AuthMode: browser.AuthMode,
					Time:     browser.AuthTime,
					SID:      browser.SID,
				},
			)
		}
	}
	if strings.Contains(prompt, " none ") {
		s.journal.Add(
			ctx,
			"",
			journal.KindAuthorize,
			detail(a),
			problem.LoginRequired.Of(),
		)
		return s.sendBack(c, s.errorAnswer(a.back, answer("login-required"), nil))
	}
	p, err := s.logins.New(
		c.Response(),
		c.Request(),
		login.Pending{ClientID: a.client.ID, ClientName: a.client.Label(), Base: s.here(c), Form: a.form},
	)
	if err != nil {
		return err
	}
	s.journal.Add(ctx, p.ID, journal.KindAuthorize, detail(a), nil)
	if lang, _, _ := strings.Cut(a.form.Get("ui_locales"), " "); web.Speaks(lang) {
		s.logins.SetLanguage(c.Response(), lang)
	}
	return web.Redirect(c, http.StatusFound, s.loginURL(p.ID, ""))
}

func (s *Server) browserSession(c echo.Context) *oidc.Browser {
	sid, secret := s.logins.Session(c.Request())
	if sid == "" {
		return nil
	}
	b, err := s.oidc.CookieSession(c.Request().Context(), sid, secret)
	if err != nil {
		return nil
	}
	return b
}

func tooOld(b *oidc.Browser, maxAge string, now time.Time) bool {
	if maxAge == "" {
		return false
	}
	n, _ := strconv.Atoi(maxAge)                                          // judged before
	return now.Sub(b.AuthTime) > time.Duration(min(n, 1<<31))*time.Second // no product overflows
}

// otherSubject tells whether an id_token_hint names somebody else, or nobody.
func (s *Server) otherSubject(ctx context.Context, b *oidc.Browser, form url.Values) bool {
	token := form.Get("id_token_hint")
	if token == "" {
		return false
	}
	hint, err := s.oidc.IDTokenHint(ctx, token)
	return err != nil || hint.Sub != identities.Sub(b.NationalID)
}

// detail is what the journal keeps of a request: no secrets are in it.
func detail(a *asking) map[string]string {
	d := map[string]string{
		"client_id": a.client.ID,
		"state":     present(a.form, "state"),
		"nonce":     present(a.form, "nonce"),
	}
	for _, k := range []string{"redirect_uri", "response_type", "scope", "acr_values", "prompt", "max_age", "login_hint", "response_mode", "code_challenge_method", "claims"} {
		if v := a.form.Get(k); v != "" {
			d[k] = v
		}
	}
	return d
}

func present(form url.Values, name string) string {
	if form.Get(name) == "" {
		return "absent"
	}
	return "present"
}

// finish answers the authorize request with what it asked for.
func (s *Server) finish(c echo.Context, a *asking, who oidc.Authentication) error {
	location, grant, err := s.grant(c.Request().Context(), a, who)
	if err != nil {
		return err
	}
	if grant.Secret != "" {
		s.logins.SetSession(c.Response(), grant.SID, grant.Secret)
		s.setSessionState(c, grant.SID)
	}
	return s.sendBack(c, location)
}

// grant makes what the response type names and the parameters of the callback,
// in Keycloak's order.
func (s *Server) grant(ctx context.Context, a *asking, who oidc.Authentication) (answerTo, *oidc.Grant, error) {
	asked, acr, _ := claimsParameter(a.form) // judged before
	if v := a.form.Get("acr_values"); v != "" {
		acr = v
	}
	grant, err := s.oidc.Finish(ctx, a.client, a.form, who, s.acr(a.client, who.Person, acr, who.AuthMode), asked)
	if err != nil {
		s.journal.Add(ctx, who.LoginID, journal.KindCallback, nil, err)
		return answerTo{}, nil, err
	}
	s.journal.Add(
		ctx,
		who.LoginID,
		journal.KindCallback,
		map[string]string{"national_id": who.Person.NationalID, "authMode": string(who.AuthMode)},
		nil,
	)
	var params pairs
	params.add("state", a.back.state)
	params.add("session_state", grant.SID)
	params.add("iss", a.back.iss)
	params.add("code", grant.Code)
	params.add("id_token", grant.IDToken)
	if grant.AccessToken != "" {
		params.add("access_token", grant.AccessToken)
		params.add("token_type", "Bearer")
		params.add("expires_in", strconv.Itoa(grant.ExpiresIn))
	}
	if s.faults.Active() {
		params = s.faultyCallback(ctx, params, who, a.client.ID)
	}
	return s.answerTo(a.back, params), grant, nil
}

// acr applies the policy to what was requested: the person's, the client's,
// else the emulator's.
func (s *Server) acr(client *clients.Client, person *identities.Identity, requested string, authMode identities.AuthMode) string {
	policy := s.settings.Policies(client.Policies, person.Policies).ACR
	if strings.Contains(policy, "=") {
		rules := policy
		policy = "requested"
		for _, rule := range strings.Split(rules, ",") {
			if means, value, _ := strings.Cut(rule, "="); strings.EqualFold(means, string(authMode)) {
				policy = value
			}
		}
	}
	if policy != "requested" {
		return policy
	}
	if first := strings.Fields(requested); len(first) > 0 {
		return first[0]
	}
	return "eidas1"
}
