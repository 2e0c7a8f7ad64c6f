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
		return problem.New(problem.Invalid, "redirect-uri-missing", "the redirect_uri is missing").
			Want("one of the client's registered redirect URIs")
	}
	if !c.AllowsRedirect(uri) {
		reason := "the redirect_uri is not registered for this client"
		near, difference := c.NearestRedirect(uri)
		if difference != "" {
			reason += "; it differs from " + near + " by " + difference
		}
		p := problem.New(problem.Invalid, "redirect-uri-unregistered", reason).
			Got(uri).
			Want(strings.Join(c.RedirectURIs, " or "))
		return p.Do("register it exactly as sent: case, port, path, slash at the end and query count")
	}
	return nil
}

// requestParameters refuses what unpack left: it is not served.
func requestParameters(_ *clients.Client, form url.Values, _ config.Policies) *wire.Refusal {
	switch {
	case form.Has("request"):
		return wire.Refused("request-unsupported", "request", "a JWS signed by a key of the client's jwks")
	case form.Has("request_uri"):
		return wire.Refused("request-uri-unsupported", form.Get("request_uri"), "a request_uri of the PAR endpoint")
	}
	return nil
}

var responseModes = []string{"", "query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"}

func responseParameters(c *clients.Client, form url.Values, _ config.Policies) *wire.Refusal {
	asked, mode := responseType(form), form.Get("response_mode")
	inFront := strings.Contains(asked, "token")
	switch {
	case asked == "":
		return wire.Refused("response-type-missing", "", "response_type=code")
	case !slices.Contains(clients.ResponseTypes, asked):
		return wire.Refused("response-type-unknown", asked, strings.Join(clients.ResponseTypes, ", "))
	case !slices.Contains(responseModes, mode):
		return wire.Refused("response-mode-unknown", mode, "query, fragment or form_post")
	case inFront && strings.HasPrefix(mode, "query"):
		return wire.Refused("response-mode-query", mode, "fragment or form_post")
	case !c.AllowsResponse(asked) && !inFront:
		return wire.Refused("response-type-standard", asked, strings.Join(c.ResponseTypes, ", "))
	case !c.AllowsResponse(asked):
		return wire.Refused("response-type-forbidden", asked, "code, or register response_types")
	case strings.Contains(asked, "id_token") && form.Get("nonce") == "":
		return wire.Refused("nonce-missing", "", "a nonce, since an id token comes through the browser")
	}
	return nil
}

func scopeParameters(_ *clients.Client, form url.Values, policy config.Policies) *wire.Refusal {
	asked := form.Get("scope")
	switch scopes := strings.Fields(asked); {
	case oidc.UnknownScope(scopes):
		return wire.Refused("authorize-scope", asked, "scopes of the discovery document")
	case policy.RequireScopeAll && !slices.Contains(scopes, "scope_all"):
		return wire.Refused("scope-all-missing", asked, "openid scope_all")
	}
	return nil
}

var challenge = regexp.MustCompile(`^[A-Za-z0-9\-._~]{43,128}$`)

func pkceParameters(_ *clients.Client, form url.Values, policy config.Policies) *wire.Refusal {
	method, sent := form.Get("code_challenge_method"), form.Get("code_challenge")
	switch {
	case sent == "" && policy.RequirePKCE:
		return wire.Refused("challenge-required", "", "code_challenge and code_challenge_method=S256")
	case sent == "" && method != "":
		return wire.Refused("challenge-missing", method, "code_challenge")
	case method != "" && method != "S256" && method != "plain":
		return wire.Refused("challenge-method", method, "S256 or plain")
	case form.Has("code_challenge") && !challenge.MatchString(sent):
		return wire.Refused("challenge-malformed", sent, "43 to 128 characters of A-Z a-z 0-9 - . _ ~")
	}
	return nil
}

func loginParameters(_ *clients.Client, form url.Values, _ config.Policies) *wire.Refusal {
	if age := form.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return wire.Refused("max-age", age, "seconds")
		}
	}
	if _, _, err := claimsParameter(form); err != nil {
		return wire.Refused("claims-malformed", form.Get("claims"), `a JSON object such as {"id_token":{"email":null}}`)
	}
	return nil
}
