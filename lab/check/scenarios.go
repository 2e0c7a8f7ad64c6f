package check

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/provider/faults"
)

// scenario is one thing an application must do right.
type scenario struct {
	Finding
	play func(ctx context.Context, r *run, s scenario) outcome
}

// outcome is what a scenario saw.
type outcome struct {
	verdict Verdict
	what    string
	story   *story
	err     error // the check itself could not go on
}

func passed(what string) outcome        { return outcome{verdict: Passed, what: what} }
func failed(what string) outcome        { return outcome{verdict: Failed, what: what} }
func notApplicable(what string) outcome { return outcome{verdict: NotApplicable, what: what} }
func unjudged(err error) outcome        { return outcome{err: err} }

func judged(good bool, what string) outcome {
	if good {
		return passed(what)
	}
	return failed(what)
}

func (o outcome) in(s *story) outcome { o.story = s; return o }

func (r *run) play(ctx context.Context, s scenario) Finding {
	f := s.Finding
	o := s.play(ctx, r, s)
	f.Verdict, f.What, f.Journal = o.verdict, o.what, r.journalPage(o.story)
	if o.err != nil {
		f.Verdict, f.What = Failed, "the check could not go on: "+o.err.Error()
	}
	_ = r.setFaults(ctx)
	return f
}

// scenarios are all of them: a good login and what it shows, what must not open
// a session, what must not break the application, and what follows a login.
// The rotation comes last: an application that does not follow it would fail
// everything after it.
func scenarios() []scenario {
	wrong, rotated := wrongAnswers()
	all := slices.Concat(observations, wrong, unhealthy(), afterwards)
	return append(
		all,
		scenario{
			Finding{
				ID:       "still-works",
				Title:    "after all this a good login works",
				Source:   "PSC: availability",
				Severity: "high",
				Fix:      "an error in one login must not stop the next",
			},
			stillWorks,
		},
		rotated,
	)
}

// see is an observation of the first good login.
func see(id, severity, title, source, fix string, judge func(p *passage, s *story) outcome) scenario {
	return scenario{
		Finding{ID: id, Title: title, Source: source, Severity: severity, Fix: fix},
		func(ctx context.Context, r *run, _ scenario) outcome {
			if r.good == nil {
				return notApplicable("no good login to look at")
			}
			s, err := r.storyOf(ctx, r.good)
			if err != nil {
				return unjudged(err)
			}
			return judge(r.good, s).in(s)
		},
	}
}

// sent is an observation of a parameter of the authorize request.
func sent(id, severity, title, source, fix, name string, good func(value string) bool) scenario {
	return see(id, severity, title, source, fix, func(p *passage, _ *story) outcome {
		v := p.authorize.Get(name)
		return judged(good(v), fmt.Sprintf("%s=%q", name, v))
	})
}

func nonEmpty(v string) bool { return v != "" }

func word(w string) func(string) bool {
	return func(v string) bool { return slices.Contains(strings.Fields(v), w) }
}

var observations = []scenario{
	{
		Finding{
			ID:       "login-works",
			Title:    "a good login opens a session",
			Source:   "OIDC Core §3.1",
			Severity: "critical",
			Fix:      "see the login in the journal",
		},
		loginWorks,
	},
	sent(
		"response-type-code",
		"high",
		"the code flow is used",
		"RFC 9700 §2.1.2",
		"response_type=code",
		"response_type",
		func(v string) bool { return v == "code" },
	),
	sent(
		"scope-openid",
		"high",
		"scope holds openid",
		"OIDC Core §3.1.2.1",
		"scope=openid scope_all",
		"scope",
		word("openid"),
	),
	sent(
		"scope-all",
		"medium",
		"scope holds scope_all",
		"PSC: parameters of the authorization request",
		"scope=openid scope_all",
		"scope",
		word("scope_all"),
	),
	sent(
		"acr-asked",
		"medium",
		"acr_values asks for a level",
		"PSC: parameters of the authorization request",
		"acr_values=eidas1",
		"acr_values",
		nonEmpty,
	),
	sent(
		"state-sent",
		"critical",
		"state is sent",
		"RFC 6749 §10.12; PSC: mandatory",
		"send a random state bound to the browser's session",
		"state",
		nonEmpty,
	),
	sent(
		"state-long",
		"medium",
		"state cannot be guessed",
		"RFC 6749 §10.10",
		"128 random bits: 22 characters",
		"state",
		func(v string) bool { return len(v) >= 16 },
	),
	sent(
		"nonce-sent",
		"high",
		"nonce is sent",
		"OIDC Core §3.1.2.1; PSC: mandatory",
		"send a random nonce bound to the browser's session",
		"nonce",
		nonEmpty,
	),
	sent(
		"pkce-used",
		"medium",
		"PKCE is used",
		"RFC 9700 §2.1.1",
		"send code_challenge and keep the verifier in the session",
		"code_challenge",
		nonEmpty,
	),
	see(
		"pkce-s256",
		"low",
		"PKCE uses S256",
		"RFC 7636 §4.2",
		"code_challenge_method=S256",
		func(p *passage, _ *story) outcome {
			if p.authorize.Get("code_challenge") == "" {
				return notApplicable("no PKCE")
			}
			v := p.authorize.Get("code_challenge_method")
			return judged(v == "S256", fmt.Sprintf("code_challenge_method=%q", v))
		},
	),
	sent(
		"redirect-https",
		"medium",
		"redirect_uri is https, or loopback while developing",
		"RFC 9700 §2.6",
		"https://",
		"redirect_uri",
		func(v string) bool {
			return strings.HasPrefix(v, "https://") || strings.HasPrefix(v, "http://localhost") ||
				strings.HasPrefix(v, "http://127.0.0.1")
		},
	),
	see(
		"no-secret-in-front",
		"critical",
		"no secret goes through the browser",
		"RFC 6749 §2.3.1",
		"send client_secret to the token endpoint only, if at all",
		func(p *passage, _ *story) outcome {
			return judged(
				!p.authorize.Has("client_secret") && !strings.Contains(p.back, "client_secret"),
				"the authorize URL and the callback",
			)
		},
	),
	{
		Finding{
			ID:       "values-fresh",
			Title:    "state, nonce and code_challenge are new in each login",
			Source:   "RFC 6749 §10.12; OIDC Core §15.5.2",
			Severity: "high",
			Fix:      "make them anew for every login",
		},
		valuesFresh,
	},
	see(
		"code-exchanged-once",
		"high",
		"the code is exchanged once",
		"RFC 6749 §4.1.2",
		"handle the callback once; do not retry with the same code",
		func(_ *passage, s *story) outcome {
			return judged(
				s.count("token") == 1 && !s.refused("code-used"),
				fmt.Sprintf("%d token calls", s.count("token")),
			)
		},
	),
	see(
		"mtls",
		"high",
		"the token call presents the certificate ORG AUTH_CLI",
		"PSC: mTLS mandatory since June 2024",
		"give your HTTP client the certificate",
		func(_ *passage, s *story) outcome {
			for _, e := range s.Events {
				if e.Kind == "token" {
					return judged(e.Detail["certificate"] != "none", e.Detail["certificate"])
				}
			}
			return notApplicable("no token call")
		},
	),
	see(
		"userinfo-asked",
		"medium",
		"UserInfo is asked with the access token of this login",
		"PSC: identity and activities come from UserInfo",
		"call UserInfo with Authorization: Bearer",
		func(_ *passage, s *story) outcome {
			return judged(s.count("userinfo") > 0, fmt.Sprintf("%d calls", s.count("userinfo")))
		},
	),
	see(
		"nothing-refused",
		"medium",
		"nothing the application asked was refused",
		"RFC 6749 §5.2",
		"see the reason in the journal",
		func(_ *passage, s *story) outcome {
			for _, e := range s.Events {
				if e.Code != "" {
					return failed(e.Kind + ": " + e.Code + ": " + e.Reason)
				}
			}
			return passed("no refusal")
		},
	),
	see(
		"token-not-shown",
		"high",
		"no token is given to the browser",
		"RFC 9700 §4.3; OAuth for browser-based apps",
		"keep tokens on the server; give the browser a session cookie",
		func(p *passage, _ *story) outcome {
			return judged(
				!holdsJWT(p.page.Body) && !holdsJWT(p.page.URL) &&
					!slices.ContainsFunc(p.page.Cookies, func(c *http.Cookie) bool { return holdsJWT(c.Value) }),
				"the page, its URL and cookies",
			)
		},
	),
	see(
		"code-left-url",
		"low",
		"the code does not stay in the address bar",
		"RFC 9700 §4.2.4",
		"redirect after the callback",
		func(p *passage, _ *story) outcome {
			u, err := url.Parse(p.page.URL)
			return judged(err == nil && !u.Query().Has("code"), p.page.URL)
		},
	),
	see(
		"cookie-httponly",
		"medium",
		"the session cookie is HttpOnly",
		"OWASP session management",
		"HttpOnly",
		cookies("HttpOnly", func(c *http.Cookie) bool { return c.HttpOnly }),
	),
	see(
		"cookie-samesite",
		"low",
		"the session cookie has SameSite",
		"OWASP session management",
		"SameSite=Lax",
		cookies("SameSite", func(c *http.Cookie) bool {
			return c.SameSite == http.SameSiteLaxMode || c.SameSite == http.SameSiteStrictMode
		}),
	),
	see(
		"cookie-secure",
		"medium",
		"the session cookie is Secure on https",
		"OWASP session management",
		"Secure",
		func(p *passage, s *story) outcome {
			if !strings.HasPrefix(p.page.URL, "https://") {
				return notApplicable("the application is not on https here")
			}
			return cookies("Secure", func(c *http.Cookie) bool { return c.Secure })(p, s)
		},
	),
	{
		Finding{
			ID:       "session-renewed",
			Title:    "the session id changes at the login",
			Source:   "OWASP: session fixation",
			Severity: "high",
			Fix:      "make a new session id after the login",
		},
		sessionRenewed,
	},
	{
		Finding{
			ID:       "callback-other-browser",
			Title:    "a callback begun in one browser opens no session in another",
			Source:   "RFC 6749 §10.12; RFC 9700 §4.7",
			Severity: "critical",
			Fix:      "bind state to the browser's session",
		},
		callbackOtherBrowser,
	},
	{
		Finding{
			ID:       "callback-unasked",
			Title:    "a callback that nobody asked for opens no session",
			Source:   "RFC 6749 §10.12",
			Severity: "critical",
			Fix:      "refuse a callback without a login under way",
		},
		callbackUnasked,
	},
	{
		Finding{
			ID:       "callback-reloaded",
			Title:    "a callback that is loaded again breaks nothing and opens nothing anew",
			Source:   "RFC 6749 §10.5",
			Severity: "medium",
			Fix:      "forget state after its first use; do not send the code again",
		},
		callbackReloaded,
	},
	{
		Finding{
			ID:       "person-refuses",
			Title:    "a login the person refuses opens no session",
			Source:   "RFC 6749 §4.1.2.1",
			Severity: "high",
			Fix:      "handle error=access_denied in the callback",
		},
		personRefuses,
	},
}

var jwtForm = regexp.MustCompile(`(eyJ[\w-]+)\.[\w-]+\.[\w-]+`)

// holdsJWT tells a JWT from signed cookies that look alike: its head names an
// algorithm.
func holdsJWT(text string) bool {
	for _, m := range jwtForm.FindAllStringSubmatch(text, -1) {
		head, err := base64.RawURLEncoding.DecodeString(m[1])
		if err == nil && strings.Contains(string(head), `"alg"`) {
			return true
		}
	}
	return false
}

func cookies(what string, good func(*http.Cookie) bool) func(*passage, *story) outcome {
	return func(p *passage, _ *story) outcome {
		var bad []string
		for _, c := range p.page.Cookies {
			if !good(c) {
				bad = append(bad, c.Name)
			}
		}
		if len(p.page.Cookies) == 0 {
			return notApplicable("no cookie was set")
		}
		return judged(len(bad) == 0, strings.TrimSpace("without "+what+": "+strings.Join(bad, ", ")))
	}
}

func loginWorks(ctx context.Context, r *run, _ scenario) outcome {
	p, err := r.pass(ctx)
	if err != nil {
		return unjudged(err)
	}
	s, err := r.storyOf(ctx, p)
	if err != nil {
		return unjudged(err)
	}
	if !p.open {
		p.browser.Close()
		return failed(fmt.Sprintf("nobody is logged in at %s (status %d)", p.page.URL, p.page.Status)).in(s)
	}
	r.good = p
	return passed("logged in at " + p.page.URL).in(s)
}

func valuesFresh(ctx context.Context, r *run, _ scenario) outcome {
	if r.good == nil {
		return notApplicable("no good login to compare with")
	}
	p, err := r.begin(ctx)
	if err != nil {
		return unjudged(err)
	}
	p.browser.Close()
	var same []string
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if v := p.authorize.Get(name); v != "" && v == r.good.authorize.Get(name) {
			same = append(same, name)
		}
	}
	return judged(len(same) == 0, "the same in two logins: "+strings.Join(same, ", "))
}

func sessionRenewed(_ context.Context, r *run, _ scenario) outcome {
	if r.good == nil {
		return notApplicable("no good login to look at")
	}
	var kept []string
	for _, before := range r.good.first.Cookies {
		for _, after := range r.good.page.Cookies {
			if before.Name == after.Name && before.Value == after.Value {
				kept = append(kept, before.Name)
			}
		}
	}
	fresh := slices.ContainsFunc(
		r.good.page.Cookies,
		func(c *http.Cookie) bool { return !slices.Contains(kept, c.Name) },
	)
	if len(r.good.page.Cookies) == 0 {
		return notApplicable("no cookie was set")
	}
	return judged(fresh, "the same before and after: "+strings.Join(kept, ", "))
}

// callbackOtherBrowser hands the callback to a browser that has a login of its
// own under way, callbackUnasked to one that has none.
func callbackOtherBrowser(ctx context.Context, r *run, _ scenario) outcome {
	return r.foreignCallback(ctx, true)
}

func callbackUnasked(ctx context.Context, r *run, _ scenario) outcome {
	return r.foreignCallback(ctx, false)
}

func (r *run) foreignCallback(ctx context.Context, ownLogin bool) outcome {
	p, err := r.begin(ctx)
	if err != nil {
		return unjudged(err)
	}
	defer p.browser.Close()
	other, err := r.NewBrowser(ctx)
	if err != nil {
		return unjudged(err)
	}
	defer other.Close()
	if ownLogin {
		if _, err := other.Open(ctx, r.Start); err != nil {
			return unjudged(err)
		}
	}
	victim := *p
	victim.browser = other
	if err := r.finish(ctx, &victim); err != nil {
		return unjudged(err)
	}
	s, _ := r.storyOf(ctx, &victim)
	return judged(!victim.open, opened(victim.open)).in(s)
}

func opened(open bool) string {
	if open {
		return "a session was opened"
	}
	return "no session was opened"
}

func callbackReloaded(ctx context.Context, r *run, _ scenario) outcome {
	p, err := r.pass(ctx)
	if err != nil {
		return unjudged(err)
	}
	defer p.browser.Close()
	if !p.open {
		return notApplicable("the first load opened no session")
	}
	page, err := p.browser.Open(ctx, p.back)
	if err != nil {
		return failed("the application did not answer: " + err.Error())
	}
	s, err := r.storyOf(ctx, p)
	if err != nil {
		return unjudged(err)
	}
	if s.refused("code-used") {
		return failed("the code was sent a second time").in(s)
	}
	return judged(page.Status < 500, fmt.Sprintf("status %d", page.Status)).in(s)
}

func personRefuses(ctx context.Context, r *run, _ scenario) outcome {
	behave := func(action string) error {
		return api.Refused(r.API.SetBehaviourWithResponse(ctx, r.Person, api.BehaviourOrderInput{Action: action}))
	}
	if err := behave("refuse"); err != nil {
		return unjudged(err)
	}
	p, err := r.pass(ctx)
	if again := behave("approve"); err == nil {
		err = again
	}
	if err != nil {
		return unjudged(err)
	}
	defer p.browser.Close()
	s, _ := r.storyOf(ctx, p)
	return judged(
		!p.open && p.page.Status != 0 && p.page.Status < 500,
		fmt.Sprintf("%s; status %d", opened(p.open), p.page.Status),
	).in(s)
}

// wrongAnswers are the answers that say something wrong; and the key rotation.
func wrongAnswers() (out []scenario, rotated scenario) {
	for _, k := range faults.Table {
		if k.Stage == faults.HTTP || k.Name == faults.KindAuthTimeOld { // that one is only wrong when max_age was sent
			continue
		}
		s := scenario{
			Finding{
				ID:       string(k.Name),
				Title:    duty(k.Duty) + ": " + k.What,
				Source:   k.Source,
				Severity: k.Severity,
				Fix:      k.Fix,
			},
			withFault(k, faults.Fault{Kind: k.Name}),
		}
		if k.Stage == faults.KeySet {
			rotated = s
			continue
		}
		out = append(out, s)
	}
	return out, rotated
}

func duty(d faults.Duty) string {
	return map[faults.Duty]string{
		faults.Refuse:  "no session opens",
		faults.Recover: "the login works all the same",
		faults.Survive: "no session opens and nothing breaks",
		faults.Either:  "nothing breaks",
	}[d]
}

// unhealthy are endpoints that answer late, with errors, or in part.
func unhealthy() []scenario {
	var out []scenario
	for _, endpoint := range []faults.Endpoint{faults.AtToken, faults.AtUserInfo, faults.AtJWKS} {
		for _, name := range []faults.Kind{faults.KindSlow, faults.KindStatus, faults.KindMalformed, faults.KindCut} {
			k, _ := faults.Described(name)
			if endpoint == faults.AtJWKS && k.Duty == faults.Survive {
				k.Duty = faults.Either // keys that are known already will do
			}
			out = append(
				out,
				scenario{
					Finding{
						ID:       string(endpoint) + "-" + string(name),
						Title:    duty(k.Duty) + ": " + string(endpoint) + ": " + k.What,
						Source:   k.Source,
						Severity: k.Severity,
						Fix:      k.Fix,
					},
					withFault(
						k,
						faults.Fault{Kind: name, Endpoint: endpoint, Delay: map[faults.Kind]string{faults.KindSlow: "1500ms"}[name]},
					),
				},
			)
		}
	}
	return out
}

// marks are what HTML that was not escaped leaves on a page.
var marks = []string{"<b>pscemu-xss</b>", `<img src=x onerror="document.title`}

// withFault logs in while a fault strikes, and judges by its duty.
func withFault(k faults.Description, f faults.Fault) func(context.Context, *run, scenario) outcome {
	return func(ctx context.Context, r *run, _ scenario) outcome {
		if r.good == nil {
			return notApplicable("a good login does not work, so a bad one shows nothing")
		}
		f.Client = r.client
		if k.Name == faults.KindIDTokenOld {
			if o := r.earlier(ctx); o.err != nil {
				return o
			}
		}
		if err := r.setFaults(ctx, f); err != nil {
			return unjudged(err)
		}
		p, err := r.pass(ctx)
		if err != nil {
			return unjudged(err)
		}
		defer p.browser.Close()
		s, err := r.storyOf(ctx, p)
		if err != nil {
			return unjudged(err)
		}
		if !r.struck(ctx) {
			return notApplicable("the application never asked for what the fault changes").in(s)
		}
		return meets(k, p).in(s)
	}
}

// earlier logs in while faults are watched, so that a token is kept to replay.
func (r *run) earlier(ctx context.Context) outcome {
	if err := r.setFaults(ctx, faults.Fault{Kind: faults.KindSlow, Endpoint: faults.AtPAR, Client: r.client}); err != nil {
		return unjudged(err)
	}
	p, err := r.pass(ctx)
	if err != nil {
		return unjudged(err)
	}
	p.browser.Close()
	return outcome{}
}

func meets(k faults.Description, p *passage) outcome {
	for _, m := range marks {
		if strings.Contains(p.page.Body, m) {
			return failed("HTML of the answer stands on the page unescaped")
		}
	}
	what := fmt.Sprintf("%s; status %d at %s", opened(p.open), p.page.Status, p.page.URL)
	switch k.Duty {
	case faults.Recover:
		return judged(p.open, what)
	case faults.Refuse, faults.Survive:
		return judged(!p.open && p.page.Status != 0, what)
	}
	return judged(p.page.Status != 0, what)
}

func stillWorks(ctx context.Context, r *run, _ scenario) outcome {
	if r.good == nil {
		return notApplicable("it did not work before either")
	}
	p, err := r.pass(ctx)
	if err != nil {
		return unjudged(err)
	}
	defer p.browser.Close()
	s, _ := r.storyOf(ctx, p)
	return judged(p.open, opened(p.open)).in(s)
}
