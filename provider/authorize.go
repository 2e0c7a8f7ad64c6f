package provider

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
	"pscemu/provider/clients"
	"pscemu/provider/journal"
	"pscemu/provider/login"
	"pscemu/provider/oidc"
)

// callback is an authorize response under way: where it goes and what it says.
type callback struct {
	redirectURI, state, mode string
}

// authorize judges the request (RFC 6749 §4.1.1, OIDC Core §3.1.2) and either
// answers at once — an error, the session that lasts, a test door — or shows
// the login page.
func (s *Server) authorize(c echo.Context) error {
	form, err := authorizeForm(c.Request())
	if err != nil {
		return s.refuseOnPage(c, "Invalid Request", "", err)
	}
	client, err := s.clients.Get(c.Request().Context(), form.Get("client_id"))
	if err != nil {
		return s.refuseOnPage(c, "Client not found.", "", err)
	}
	if err := redirectProblem(client, form.Get("redirect_uri")); err != nil {
		return s.refuseOnPage(c, "Invalid parameter: redirect_uri", client.ID, err)
	}
	back := callback{form.Get("redirect_uri"), form.Get("state"), form.Get("response_mode")}
	if refusal := judge(form); refusal != nil {
		if back.mode != "fragment" && back.mode != "form_post" {
			back.mode = "query"
		}
		id := journal.NewID()
		s.journal.Add(id, "authorize", map[string]string{"client_id": client.ID}, problem.New(problem.Invalid, refusal.code, refusal.description).Got(refusal.received))
		return s.callbackError(c, back, refusal.code, refusal.description)
	}
	if door, ok := s.door(form); ok {
		return s.throughDoor(c, client, form, back, door)
	}
	return s.sessionOrPage(c, client, form, back)
}

// authorizeForm refuses repeated parameters (RFC 6749 §3.1), also between
// query and body.
func authorizeForm(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, problem.New(problem.Invalid, "form-unreadable", "the parameters cannot be read").Got(err.Error())
	}
	for name, values := range r.Form {
		if len(values) > 1 {
			return nil, problem.New(problem.Invalid, "parameter-repeated", "a parameter came more than once").Got(name).Want("each parameter at most once")
		}
	}
	return r.Form, nil
}

func redirectProblem(c *clients.Client, uri string) error {
	if uri == "" {
		return problem.New(problem.Invalid, "redirect-uri-missing", "the redirect_uri is missing").Want("one of the client's registered redirect URIs")
	}
	if !c.AllowsRedirect(uri) {
		p := problem.New(problem.Invalid, "redirect-uri-unregistered", "the redirect_uri is not registered for this client").Got(uri).Want(strings.Join(c.RedirectURIs, " or "))
		return p.Do("register it exactly as sent: case, port, path, slash at the end and query count")
	}
	return nil
}

func (s *Server) refuseOnPage(c echo.Context, text, clientID string, err error) error {
	s.journal.Add("", "authorize", map[string]string{"client_id": clientID}, err)
	return s.errorPage(c, http.StatusBadRequest, text, err)
}

type refusal struct{ code, description, received string }

var challenge = regexp.MustCompile(`^[A-Za-z0-9\-._~]{43,128}$`)

// judge finds the first parameter Keycloak would refuse, in its words.
func judge(form url.Values) *refusal {
	responseType, method := form.Get("response_type"), form.Get("code_challenge_method")
	scopes := strings.Fields(form.Get("scope"))
	switch {
	case form.Has("request"):
		return &refusal{"request_not_supported", "Request objects are not supported", "request"}
	case form.Has("request_uri"):
		return &refusal{"request_uri_not_supported", "Request URIs are not supported", form.Get("request_uri")}
	case responseType == "":
		return &refusal{"invalid_request", "Missing parameter: response_type", ""}
	case !knownResponseType(responseType):
		return &refusal{"unsupported_response_type", "Unknown response_type", responseType}
	case !knownResponseMode(form.Get("response_mode")):
		return &refusal{"invalid_request", "Invalid parameter: response_mode", form.Get("response_mode")}
	case responseType != "code":
		return &refusal{"unauthorized_client", "Client is not allowed to initiate browser login with given response_type. Implicit flow is disabled for the client.", responseType}
	case oidc.UnknownScope(scopes):
		return &refusal{"invalid_scope", "Invalid scopes: " + strings.Join(scopes, " "), form.Get("scope")}
	case method != "" && method != "S256" && method != "plain":
		return &refusal{"invalid_request", "Invalid parameter: code challenge method is not configured one", method}
	case method != "" && !form.Has("code_challenge"):
		return &refusal{"invalid_request", "Missing parameter: code_challenge", ""}
	case form.Has("code_challenge") && !challenge.MatchString(form.Get("code_challenge")):
		return &refusal{"invalid_request", "Invalid parameter: code_challenge", form.Get("code_challenge")}
	}
	if age := form.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return &refusal{"invalid_request", "Invalid parameter: max_age", age}
		}
	}
	return nil
}

func knownResponseType(t string) bool {
	for _, part := range strings.Fields(t) {
		if part != "code" && part != "token" && part != "id_token" && part != "none" {
			return false
		}
	}
	return true
}

func knownResponseMode(m string) bool {
	return m == "" || m == "query" || m == "fragment" || m == "form_post"
}

// sessionOrPage goes on silently with the browser's session where the request
// allows it (OIDC Core §3.1.2.3), else shows the login page.
func (s *Server) sessionOrPage(c echo.Context, client *clients.Client, form url.Values, back callback) error {
	ctx := c.Request().Context()
	prompt := " " + form.Get("prompt") + " "
	browser := s.browserSession(c)
	if browser != nil && (strings.Contains(prompt, " login ") || tooOld(browser, form.Get("max_age"), s.clock.Now()) || s.otherSubject(browser, form)) {
		browser = nil
	}
	if browser != nil {
		person, err := s.people.Get(ctx, browser.NationalID)
		if err == nil {
			id := journal.NewID()
			s.journal.Add(id, "authorize", detail(client, form), nil)
			return s.finish(c, client, form, back, oidc.Authentication{LoginID: id, Person: person, AuthMode: browser.AuthMode, Time: browser.AuthTime, SID: browser.SID})
		}
	}
	if strings.Contains(prompt, " none ") {
		s.journal.Add("", "authorize", detail(client, form), problem.New(problem.Forbidden, "login-required", "prompt=none came without a session that fits"))
		return s.callbackError(c, back, "login_required", "")
	}
	p, err := s.logins.New(c.Response(), c.Request(), client.ID, client.Name, form)
	if err != nil {
		return err
	}
	s.journal.Add(p.ID, "authorize", detail(client, form), nil)
	return c.Redirect(http.StatusFound, s.loginURL(p.ID, ""))
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
	n, _ := strconv.Atoi(maxAge) // judged before
	return now.Sub(b.AuthTime) > time.Duration(n)*time.Second
}

// otherSubject tells whether an id_token_hint names somebody else, or nobody.
func (s *Server) otherSubject(b *oidc.Browser, form url.Values) bool {
	token := form.Get("id_token_hint")
	if token == "" {
		return false
	}
	hint, err := s.oidc.IDTokenHint(token)
	return err != nil || !strings.HasSuffix(hint.Sub, ":"+b.NationalID)
}

// detail is what the journal keeps of a request: no secrets are in it.
func detail(c *clients.Client, form url.Values) map[string]string {
	d := map[string]string{"client_id": c.ID}
	for _, k := range []string{"redirect_uri", "scope", "acr_values", "prompt", "max_age", "login_hint", "response_mode", "code_challenge_method"} {
		if v := form.Get(k); v != "" {
			d[k] = v
		}
	}
	d["state"], d["nonce"] = present(form, "state"), present(form, "nonce")
	return d
}

func present(form url.Values, name string) string {
	if form.Get(name) == "" {
		return "absent"
	}
	return "present"
}

// finish answers the authorize request with a code.
func (s *Server) finish(c echo.Context, client *clients.Client, form url.Values, back callback, a oidc.Authentication) error {
	location, grant, err := s.grant(c.Request().Context(), client, form, back, a)
	if err != nil {
		return err
	}
	if grant.Secret != "" {
		s.logins.SetSession(c.Response(), grant.SID, grant.Secret)
	}
	return s.sendBack(c, location)
}

// grant makes the code and the parameters of the callback, in Keycloak's order.
func (s *Server) grant(ctx context.Context, client *clients.Client, form url.Values, back callback, a oidc.Authentication) (answerTo, *oidc.Grant, error) {
	grant, err := s.oidc.Finish(ctx, form, a, s.acr(client, form, a.AuthMode))
	if err != nil {
		s.journal.Add(a.LoginID, "callback", nil, err)
		return answerTo{}, nil, err
	}
	s.journal.Add(a.LoginID, "callback", map[string]string{"national_id": a.Person.NationalID, "authMode": a.AuthMode}, nil)
	var params pairs
	if back.state != "" {
		params.add("state", back.state)
	}
	params.add("session_state", grant.SID)
	params.add("iss", s.config.Issuer())
	params.add("code", grant.Code)
	return answerTo{back, params}, grant, nil
}

// acr applies the policy: the client's, else the server's.
func (s *Server) acr(client *clients.Client, form url.Values, authMode string) string {
	policy := client.ACR
	if policy == "" {
		policy = s.config.ACR
	}
	if policy == "requested" || policy == "" {
		if first := strings.Fields(form.Get("acr_values")); len(first) > 0 {
			return first[0]
		}
		return "eidas1"
	}
	if !strings.Contains(policy, "=") {
		return policy
	}
	for _, rule := range strings.Split(policy, ",") {
		if means, value, _ := strings.Cut(rule, "="); strings.EqualFold(strings.TrimSpace(means), authMode) {
			return strings.TrimSpace(value)
		}
	}
	return "eidas1"
}

// pairs are parameters in the order they are written.
type pairs [][2]string

func (p *pairs) add(name, value string) { *p = append(*p, [2]string{name, value}) }

func (p pairs) encode() string {
	parts := make([]string, len(p))
	for i, kv := range p {
		parts[i] = kv[0] + "=" + url.QueryEscape(kv[1])
	}
	return strings.Join(parts, "&")
}

// answerTo is an authorize response: where to, and what.
type answerTo struct {
	callback
	params pairs
}

// url is the response as a URL; form_post has none, so it reads as a query.
func (a answerTo) url() string {
	separator := "?"
	switch {
	case a.mode == "fragment":
		separator = "#"
	case strings.Contains(a.redirectURI, "?"):
		separator = "&"
	}
	return a.redirectURI + separator + a.params.encode()
}

func (s *Server) sendBack(c echo.Context, a answerTo) error {
	noStore(c)
	if a.mode == "form_post" {
		c.Response().Header().Set("Content-Security-Policy", csp)
		return s.page(c, http.StatusOK, "form_post", map[string]any{"Title": "Retour vers le service", "Action": a.redirectURI, "Params": a.params})
	}
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	return c.Redirect(status, a.url())
}

// callbackError sends an error to a redirect URI that was judged good.
func (s *Server) callbackError(c echo.Context, back callback, code, description string) error {
	return s.sendBack(c, s.errorAnswer(back, code, description))
}

func (s *Server) errorAnswer(back callback, code, description string) answerTo {
	var params pairs
	params.add("error", code)
	if description != "" {
		params.add("error_description", description)
	}
	if back.state != "" {
		params.add("state", back.state)
	}
	params.add("iss", s.config.Issuer())
	return answerTo{back, params}
}

// backOf is the callback of a pending login.
func backOf(p *login.Pending) callback {
	return callback{p.Form.Get("redirect_uri"), p.Form.Get("state"), p.Form.Get("response_mode")}
}
