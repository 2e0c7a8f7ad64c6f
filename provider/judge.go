package provider

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// rule finds what is wrong with one side of an authorize request, nil for
// nothing.
type rule func(c *clients.Client, form url.Values, policy config.Policies) *wire.Refusal

// rules are in Keycloak's order.
var rules = []rule{requestParameters, responseParameters, scopeParameters, pkceParameters, loginParameters}

// judged finds the first parameter Keycloak would refuse.
func judged(c *clients.Client, form url.Values, policy config.Policies) *wire.Refusal {
	for _, judges := range rules {
		if r := judges(c, form, policy); r != nil {
			return r
		}
	}
	return nil
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

// requestParameters refuses what unpack left: it is not served.
func requestParameters(_ *clients.Client, form url.Values, _ config.Policies) *wire.Refusal {
	switch {
	case form.Has("request"):
		return wire.Refused(problem.RequestUnsupported.Of())
	case form.Has("request_uri"):
		return wire.Refused(problem.RequestURIUnsupported.Got(form.Get("request_uri")))
	}
	return nil
}

var responseModes = []string{"", "query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"}

func responseParameters(c *clients.Client, form url.Values, _ config.Policies) *wire.Refusal {
	asked, mode := responseType(form), form.Get("response_mode")
	inFront := strings.Contains(asked, "token")
	switch {
	case asked == "":
		return wire.Refused(problem.ResponseTypeMissing.Of())
	case !slices.Contains(clients.ResponseTypes, asked):
		return wire.Refused(problem.ResponseTypeUnknown.With("accepted", clients.ResponseTypes).Got(asked))
	case !slices.Contains(responseModes, mode):
		return wire.Refused(problem.ResponseModeUnknown.Got(mode))
	case inFront && strings.HasPrefix(mode, "query"):
		return wire.Refused(problem.ResponseModeQuery.Got(mode))
	case !c.AllowsResponse(asked) && !inFront:
		return wire.Refused(problem.ResponseTypeStandard.With("accepted", c.ResponseTypes).Got(asked))
	case !c.AllowsResponse(asked):
		return wire.Refused(problem.ResponseTypeForbidden.Got(asked))
	case strings.Contains(asked, "id_token") && form.Get("nonce") == "":
		return wire.Refused(problem.NonceMissing.Of())
	}
	return nil
}

func scopeParameters(_ *clients.Client, form url.Values, policy config.Policies) *wire.Refusal {
	asked := form.Get("scope")
	switch scopes := strings.Fields(asked); {
	case oidc.UnknownScope(scopes):
		return wire.Refused(problem.AuthorizeScope.Got(asked))
	case policy.RequireScopeAll && !slices.Contains(scopes, "scope_all"):
		return wire.Refused(problem.ScopeAllMissing.Got(asked))
	}
	return nil
}

var challenge = regexp.MustCompile(`^[A-Za-z0-9\-._~]{43,128}$`)

func pkceParameters(_ *clients.Client, form url.Values, policy config.Policies) *wire.Refusal {
	method, sent := form.Get("code_challenge_method"), form.Get("code_challenge")
	switch {
	case sent == "" && policy.RequirePKCE:
		return wire.Refused(problem.ChallengeRequired.Of())
	case sent == "" && method != "":
		return wire.Refused(problem.ChallengeMissing.Got(method))
	case method != "" && method != "S256" && method != "plain":
		return wire.Refused(problem.ChallengeMethod.Got(method))
	case form.Has("code_challenge") && !challenge.MatchString(sent):
		return wire.Refused(problem.ChallengeMalformed.Got(sent))
	}
	return nil
}

func loginParameters(_ *clients.Client, form url.Values, _ config.Policies) *wire.Refusal {
	if age := form.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return wire.Refused(problem.MaxAge.Got(age))
		}
	}
	if _, _, err := claimsParameter(form); err != nil {
		return wire.Refused(problem.ClaimsMalformed.Got(form.Get("claims")))
	}
	return nil
}
