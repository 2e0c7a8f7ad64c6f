package provider

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu/problem"
	"pscemu/provider/oidc"
)

// answer is an OAuth error as Keycloak writes it.
type answer struct {
	Status      int
	Error       string
	Description string
}

// Answers by situation; the texts are Keycloak's.
var (
	badClient        = answer{http.StatusUnauthorized, "invalid_client", "Invalid client or Invalid client credentials"}
	badSecret        = answer{http.StatusUnauthorized, "unauthorized_client", "Invalid client or Invalid client credentials"}
	noCode           = answer{http.StatusBadRequest, "invalid_request", "Missing parameter: code"}
	noRefresh        = answer{http.StatusBadRequest, "invalid_request", "No refresh token"}
	noGrantType      = answer{http.StatusBadRequest, "invalid_request", "Missing form parameter: grant_type"}
	badGrantType     = answer{http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant_type"}
	duplicated       = answer{http.StatusBadRequest, "invalid_request", "duplicated parameter"}
	noToken          = answer{http.StatusBadRequest, "invalid_request", "Token not provided"}
	noTokenInspect   = answer{http.StatusBadRequest, "invalid_request", "Token not provided."}
	notAuthenticated = answer{http.StatusUnauthorized, "invalid_request", "Authentication failed."}
	revokeInvalid    = answer{http.StatusOK, "invalid_token", "Invalid token"}
	serverError      = answer{http.StatusInternalServerError, "server_error", "Internal Server Error"}
	badGrant         = answer{http.StatusBadRequest, "invalid_grant", "Invalid grant"}
)

// tokenAnswers translates what the token service says of a grant, by the
// situation it names; the first that fits counts.
var tokenAnswers = []struct {
	situation oidc.Situation
	answer    answer
}{
	{oidc.CodeUnknown, answer{http.StatusBadRequest, "invalid_grant", "Code not valid"}},
	{oidc.CodeUsed, answer{http.StatusBadRequest, "invalid_grant", "Code not valid"}},
	{oidc.CodeExpired, answer{http.StatusBadRequest, "invalid_grant", "Code is expired"}},
	{oidc.OtherRedirect, answer{http.StatusBadRequest, "invalid_grant", "Incorrect redirect_uri"}},
	{oidc.OtherClient, answer{http.StatusBadRequest, "invalid_grant", "Auth error: Found different client_id in clientSession"}},
	{oidc.VerifierMissing, answer{http.StatusBadRequest, "invalid_grant", "PKCE code verifier not specified"}},
	{oidc.VerifierMalformed, answer{http.StatusBadRequest, "invalid_grant", "PKCE verification failed: Invalid code verifier"}},
	{oidc.VerifierWrong, answer{http.StatusBadRequest, "invalid_grant", "PKCE verification failed: Code mismatch"}},
	{oidc.VerifierUnasked, answer{http.StatusBadRequest, "invalid_grant", "PKCE code verifier specified but challenge not present in authorization"}},
	{oidc.RefreshInvalid, answer{http.StatusBadRequest, "invalid_grant", "Invalid refresh token"}},
	{oidc.RefreshReused, answer{http.StatusBadRequest, "invalid_grant", "Session doesn't have required client"}},
	{oidc.SessionEnded, answer{http.StatusBadRequest, "invalid_grant", "Session not active"}},
	{oidc.ScopeWidened, answer{http.StatusBadRequest, "invalid_scope", "Invalid scopes"}},
}

// oauthError answers with the text alone under strict, else with our reason
// behind it.
func (s *Server) oauthError(c echo.Context, a answer, reason error) error {
	description := a.Description
	if reason != nil && !s.config.Strict {
		description += ": " + reason.Error()
	}
	noStore(c)
	return c.JSON(a.Status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{a.Error, printable(description)})
}

// printable keeps to the characters RFC 6749 §5.2 allows, and a bounded length.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\':
			return '/'
		case r < 0x20 || r == 0x7f:
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 600 {
		s = string(r[:600]) + "…"
	}
	return s
}

// tokenError finds the answer for whatever the token endpoint refused.
func tokenError(err error) answer {
	var refusal *oidc.Refusal
	if errors.As(err, &refusal) {
		for _, row := range tokenAnswers {
			if row.situation == refusal.Situation {
				return row.answer
			}
		}
		return badGrant
	}
	return clientError(err)
}

// clientError answers for a client that could not be authenticated.
func clientError(err error) answer {
	var p *problem.Error
	switch {
	case !errors.As(err, &p) || p.Kind == problem.Internal:
		return serverError
	case p.Code == "client-secret-wrong":
		return badSecret
	}
	return badClient
}

func noStore(c echo.Context) {
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Pragma", "no-cache")
}
