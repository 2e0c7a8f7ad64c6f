package provider

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/oidc"
)

// Evidence is how sure we are that Pro Santé Connect answers so.
type Evidence string

// Measured and Source are of Keycloak 26, which PSC is built on: measured on a
// running one, or read in its source. Standard follows the specification where
// nothing is known; ours is a refusal Keycloak does not make.
const (
	Measured Evidence = "measured"
	Source   Evidence = "source"
	Standard Evidence = "standard"
	Ours     Evidence = "ours"
)

// Answer is one error as Keycloak writes it. {} in the text is what came.
type Answer struct {
	Key      string   `json:"key"`
	Endpoint string   `json:"endpoint"`
	When     string   `json:"when"`
	Status   int      `json:"status"`
	Error    string   `json:"error"`
	Text     string   `json:"error_description"`
	Evidence Evidence `json:"evidence"`
}

// Answers is the table of every error of the protocol endpoints. Status 302
// goes back to the client's redirect URI, 400 at authorize and logout is a page.
var Answers = []Answer{
	{"code-missing", "token", "no code", 400, "invalid_request", "Missing parameter: code", Measured},
	{"code-unknown", "token", "unknown code", 400, "invalid_grant", "Code not valid", Measured},
	{"code-used", "token", "used code", 400, "invalid_grant", "Code not valid", Measured},
	{"code-expired", "token", "expired code", 400, "invalid_grant", "Code is expired", Source},
	{"redirect-uri-other", "token", "other redirect_uri", 400, "invalid_grant", "Incorrect redirect_uri", Measured},
	{
		"code-other-client",
		"token",
		"code of another client",
		400,
		"invalid_grant",
		"Auth error: Found different client_id in clientSession",
		Source,
	},
	{
		"pkce-verifier-missing",
		"token",
		"PKCE verifier missing",
		400,
		"invalid_grant",
		"PKCE code verifier not specified",
		Measured,
	},
	{
		"pkce-verifier-malformed",
		"token",
		"PKCE verifier malformed",
		400,
		"invalid_grant",
		"PKCE verification failed: Invalid code verifier",
		Source,
	},
	{
		"pkce-verifier-wrong",
		"token",
		"PKCE verifier wrong",
		400,
		"invalid_grant",
		"PKCE verification failed: Code mismatch",
		Measured,
	},
	{
		"pkce-verifier-unasked",
		"token",
		"verifier without challenge",
		400,
		"invalid_grant",
		"PKCE code verifier specified but challenge not present in authorization",
		Measured,
	},
	{
		"client-secret-wrong",
		"token",
		"wrong secret",
		401,
		"unauthorized_client",
		"Invalid client or Invalid client credentials",
		Measured,
	},
	{
		"client-invalid",
		"token",
		"unknown client, none, or a certificate that is not of type ORG AUTH_CLI",
		401,
		"invalid_client",
		"Invalid client or Invalid client credentials",
		Measured,
	},
	{
		"grant-type-unknown",
		"token",
		"unknown or empty grant_type",
		400,
		"unsupported_grant_type",
		"Unsupported grant_type",
		Measured,
	},
	{
		"grant-type-missing",
		"token",
		"no form, or no grant_type",
		400,
		"invalid_request",
		"Missing form parameter: grant_type",
		Measured,
	},
	{
		"grant-forbidden",
		"token",
		"grant the client is not registered for",
		400,
		"unauthorized_client",
		"Client not allowed for direct access grants",
		Source,
	},
	{
		"grant-password",
		"token",
		"grant_type password",
		400,
		"unauthorized_client",
		"Client not allowed for direct access grants",
		Source,
	},
	{
		"grant-client-credentials",
		"token",
		"grant_type client_credentials",
		401,
		"unauthorized_client",
		"Client not enabled to retrieve service account",
		Source,
	},
	{
		"grant-device",
		"token",
		"grant_type device_code",
		400,
		"invalid_grant",
		"Client not allowed OAuth 2.0 Device Authorization Grant",
		Source,
	},
	{"parameter-repeated", "token", "repeated parameter", 400, "invalid_request", "duplicated parameter", Measured},
	{"refresh-missing", "token", "no refresh token", 400, "invalid_request", "No refresh token", Measured},
	{
		"refresh-invalid",
		"token",
		"garbage, or an access token, as refresh token",
		400,
		"invalid_grant",
		"Invalid refresh token",
		Measured,
	},
	{
		"refresh-reused",
		"token",
		"refresh token that was rotated away, or of a replayed code",
		400,
		"invalid_grant",
		"Session doesn't have required client",
		Measured,
	},
	{
		"session-ended",
		"token",
		"refresh after logout or revocation",
		400,
		"invalid_grant",
		"Session not active",
		Measured,
	},
	{"person-gone", "token", "the person was deleted", 400, "invalid_grant", "User not found", Source},
	{
		"scope-widened",
		"token",
		"refresh with a scope not granted",
		400,
		"invalid_scope",
		"Invalid scopes: {}",
		Measured,
	},
	{
		"bound-otherwise",
		"token",
		"certificate-bound grant, other certificate",
		401,
		"unauthorized_client",
		"Client certificate missing, or its thumbprint and one in the refresh token did NOT match",
		Source,
	},

	{
		"ciba-auth-req-id-missing",
		"token",
		"CIBA grant: no auth_req_id",
		400,
		"invalid_request",
		"Missing parameter: auth_req_id",
		Source,
	},
	{
		"ciba-unknown",
		"token",
		"CIBA grant: unknown or used auth_req_id",
		400,
		"invalid_grant",
		"Invalid Auth Req ID",
		Source,
	},
	{
		"ciba-other-client",
		"token",
		"CIBA grant: auth_req_id of another client",
		400,
		"invalid_grant",
		"unauthorized client",
		Source,
	},
	{
		"ciba-pending",
		"token",
		"CIBA grant: not answered yet",
		400,
		"authorization_pending",
		"The authorization request is still pending as the end-user hasn't yet been authenticated.",
		Source,
	},
	{"ciba-too-fast", "token", "CIBA grant: polled too fast", 400, "slow_down", "too early to access", Source},
	{"ciba-refused", "token", "CIBA grant: refused", 400, "access_denied", "not authorized", Source},
	{"ciba-expired", "token", "CIBA grant: timed out", 400, "expired_token", "authentication timed out", Source},
	{
		"ciba-grant-forbidden",
		"token",
		"CIBA grant: client not allowed",
		400,
		"invalid_grant",
		"Client not allowed OIDC CIBA Grant",
		Source,
	},
	{
		"ciba-forbidden",
		"ciba",
		"client not allowed",
		401,
		"invalid_grant",
		"Client not allowed OIDC CIBA Grant",
		Measured,
	},
	{
		"ciba-login-hint-missing",
		"ciba",
		"no login_hint",
		400,
		"invalid_request",
		"missing parameter : login_hint",
		Source,
	},
	{
		"ciba-hints",
		"ciba",
		"more than one hint",
		400,
		"invalid_request",
		"only one of login_hint, login_hint_token and id_token_hint may be sent",
		Standard,
	},
	{
		"ciba-request",
		"ciba",
		"signed request object",
		400,
		"invalid_request",
		"Signed authentication requests are not supported",
		Standard,
	},
	{"ciba-user", "ciba", "unknown person, or one without the means", 400, "unknown_user_id", "invalid user", Standard},
	{"ciba-scope-missing", "ciba", "no scope", 400, "invalid_request", "missing parameter : scope", Source},
	{"ciba-scope", "ciba", "unknown scope", 400, "invalid_scope", "Invalid scopes: {}", Source},
	{
		"ciba-binding-message",
		"ciba",
		"binding_message too long, or with characters that are not allowed",
		400,
		"invalid_binding_message",
		"the binding_message value has to be max 50 characters in length and must contain only basic plain-text characters without spaces",
		Source,
	},
	{
		"ciba-expiry",
		"ciba",
		"requested_expiry that is no positive number",
		400,
		"invalid_request",
		"requested_expiry must be a positive integer",
		Standard,
	},
	{
		"ciba-channel",
		"ciba",
		"channel other than CARD or MOBILE",
		400,
		"invalid_request",
		"Invalid parameter: channel",
		Ours,
	},
	{"ciba-user-code", "ciba", "user_code", 400, "invalid_request", "User code not supported", Source},
	{
		"ciba-token-unasked",
		"ciba",
		"client_notification_token with poll mode",
		400,
		"invalid_request",
		"Client Notification token supported only for the ping mode",
		Source,
	},
	{
		"ciba-token-long",
		"ciba",
		"client_notification_token over 1024 characters",
		400,
		"invalid_request",
		"Client Notification token length is limited to 1024 characters",
		Source,
	},
	{
		"ciba-too-long",
		"ciba",
		"a parameter that is longer than is kept",
		400,
		"invalid_request",
		"Invalid Request",
		Ours,
	},
	{
		"ciba-token-missing",
		"ciba",
		"no client_notification_token with ping mode",
		400,
		"invalid_request",
		"Client Notification token needs to be provided with the ping mode",
		Source,
	},
	{
		"ciba-busy",
		"ciba",
		"too many requests wait for this person",
		503,
		"server_error",
		"Failed to send authentication request",
		Source,
	},

	{
		"par-request-uri",
		"par",
		"request_uri",
		400,
		"invalid_request",
		"It is not allowed to include request_uri to PAR.",
		Source,
	},
	{
		"par-redirect-uri",
		"par",
		"missing or unregistered redirect_uri",
		400,
		"invalid_request",
		"Invalid parameter: redirect_uri",
		Source,
	},
	{"par-response-type", "par", "unknown response_type", 400, "invalid_request", "Unsupported response type", Source},
	{"par-object", "par", "unreadable request object", 400, "invalid_request_object", "Invalid Request", Source},
	{"par-too-long", "par", "a parameter that is longer than is kept", 400, "invalid_request", "Invalid Request", Ours},
	{
		"device-forbidden",
		"device",
		"client not allowed",
		400,
		"unauthorized_client",
		"Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client.",
		Measured,
	},
	{
		"registration-forbidden",
		"registration",
		"dynamic registration",
		403,
		"insufficient_scope",
		"Policy 'Trusted Hosts' rejected request to client-registration service. Details: Host not trusted.",
		Source,
	},

	{"userinfo-missing", "userinfo", "no token", 401, "", "", Measured},
	{"userinfo-invalid", "userinfo", "garbage", 401, "invalid_token", "Token verification failed", Measured},
	{
		"userinfo-session",
		"userinfo",
		"after logout or revocation",
		401,
		"invalid_token",
		"user_session_not_found",
		Measured,
	},
	{"userinfo-person", "userinfo", "the person was deleted", 401, "invalid_token", "User not found", Source},
	{
		"userinfo-bound",
		"userinfo",
		"certificate-bound token, other certificate",
		401,
		"unauthorized_client",
		"Client certificate missing, or its thumbprint and one in the refresh token did NOT match",
		Source,
	},
	{
		"introspect-client",
		"introspection",
		"no client authentication",
		401,
		"invalid_request",
		"Authentication failed.",
		Measured,
	},
	{"introspect-token", "introspection", "no token", 400, "invalid_request", "Token not provided.", Measured},
	{"revoke-token", "revocation", "no token", 400, "invalid_request", "Token not provided", Measured},
	{"revoke-invalid", "revocation", "garbage", 200, "invalid_token", "Invalid token", Measured},
	{"server-error", "every endpoint", "the store failed", 500, "server_error", "Internal Server Error", Ours},

	{
		"quirk-userinfo",
		"userinfo",
		"quirk userinfo-500",
		500,
		"unknown_error",
		"For more on this error consult the server log.",
		Source,
	},
	{"quirk-token-503", "token", "quirk token-503", 503, "temporarily_unavailable", "Service Unavailable", Ours},

	{"authorize-client", "authorize", "unknown client", 400, "", "Client not found.", Measured},
	{
		"authorize-redirect-uri",
		"authorize",
		"missing or unregistered redirect_uri",
		400,
		"",
		"Invalid parameter: redirect_uri",
		Measured,
	},
	{
		"authorize-unreadable",
		"authorize",
		"unreadable request object, unknown, used or expired request_uri, repeated parameter",
		400,
		"",
		"Invalid Request",
		Measured,
	},
	{
		"response-type-missing",
		"authorize",
		"no response_type",
		302,
		"invalid_request",
		"Missing parameter: response_type",
		Measured,
	},
	{"response-type-unknown", "authorize", "unknown response_type", 302, "unsupported_response_type", "", Measured},
	{
		"response-type-forbidden",
		"authorize",
		"response_type the client is not registered for",
		302,
		"unauthorized_client",
		"Client is not allowed to initiate browser login with given response_type. Implicit flow is disabled for the client.",
		Measured,
	},
	{
		"response-type-standard",
		"authorize",
		"response_type code for a client registered for others",
		302,
		"unauthorized_client",
		"Client is not allowed to initiate browser login with given response_type. Standard flow is disabled for the client.",
		Source,
	},
	{
		"response-mode-unknown",
		"authorize",
		"unknown response_mode",
		302,
		"invalid_request",
		"Invalid parameter: response_mode",
		Measured,
	},
	{
		"response-mode-query",
		"authorize",
		"response_mode query for tokens in front",
		302,
		"invalid_request",
		"Response_mode 'query' not allowed for implicit or hybrid flow",
		Source,
	},
	{
		"nonce-missing",
		"authorize",
		"id_token in front without nonce",
		302,
		"invalid_request",
		"Missing parameter: nonce",
		Source,
	},
	{"authorize-scope", "authorize", "unknown scope", 302, "invalid_scope", "Invalid scopes: {}", Measured},
	{
		"scope-all-missing",
		"authorize",
		"no scope_all, policy require-scope-all",
		302,
		"invalid_scope",
		"Invalid scopes: {}",
		Ours,
	},
	{
		"challenge-method",
		"authorize",
		"unknown code_challenge_method",
		302,
		"invalid_request",
		"Invalid parameter: code_challenge_method",
		Source,
	},
	{
		"challenge-missing",
		"authorize",
		"code_challenge_method alone",
		302,
		"invalid_request",
		"Missing parameter: code_challenge",
		Source,
	},
	{
		"challenge-required",
		"authorize",
		"no code_challenge, policy require-pkce",
		302,
		"invalid_request",
		"Missing parameter: code_challenge_method",
		Source,
	},
	{
		"challenge-malformed",
		"authorize",
		"bad code_challenge",
		302,
		"invalid_request",
		"Invalid parameter: code_challenge",
		Measured,
	},
	{
		"max-age",
		"authorize",
		"max_age that is no number",
		302,
		"invalid_request",
		"Invalid parameter: max_age",
		Standard,
	},
	{
		"claims-malformed",
		"authorize",
		"claims that is no JSON object",
		302,
		"invalid_request",
		"Invalid parameter: claims",
		Standard,
	},
	{
		"request-unsupported",
		"authorize",
		"request object unsigned, or of a client without registered keys",
		302,
		"request_not_supported",
		"Request objects are served only when a registered key of the client signed them",
		Standard,
	},
	{
		"request-uri-unsupported",
		"authorize",
		"request_uri that is not from the PAR endpoint",
		302,
		"request_uri_not_supported",
		"Request URIs other than those of the PAR endpoint are not supported",
		Standard,
	},
	{"login-required", "authorize", "prompt=none without session", 302, "login_required", "", Measured},
	{
		"login-refused",
		"authorize",
		"the person refused or cancelled",
		302,
		"access_denied",
		"User cancelled the login",
		Ours,
	},
	{"logout-hint", "logout", "bad id_token_hint", 400, "", "Invalid parameter: id_token_hint", Measured},
	{"logout-redirect", "logout", "unregistered post_logout_redirect_uri", 400, "", "Invalid redirect uri", Measured},
}

var answersByKey = func() map[string]Answer {
	out := map[string]Answer{}
	for _, a := range Answers {
		out[a.Key] = a
	}
	return out
}()

// answer finds a row; one that is missing is our mistake.
func answer(key string) Answer {
	if a, ok := answersByKey[key]; ok {
		return a
	}
	return answersByKey["server-error"]
}

// AnswerOf is the row with this key, nil for none.
func AnswerOf(key string) *Answer {
	if a, ok := answersByKey[key]; ok {
		return &a
	}
	return nil
}

// with fills in what the text quotes.
func (a Answer) with(came string) Answer {
	a.Text = strings.ReplaceAll(a.Text, "{}", came)
	return a
}

// description is the text alone under strict, else with our reason behind it.
func (s *Server) description(a Answer, reason error) string {
	text := a.Text
	if reason != nil && !s.settings.Strict() {
		text = strings.TrimPrefix(text+": "+reason.Error(), ": ")
	}
	return text
}

// oauthError answers a client of the back channel.
func (s *Server) oauthError(c echo.Context, a Answer, reason error) error {
	noStore(c)
	if reason != nil {
		s.why(c, reason)
	} else {
		s.why(c, problem.Code(a.Key).Of())
	}
	return oauthJSON(c, a.Status, a.Error, s.description(a, reason))
}

// tokenError finds the answer for whatever the token endpoint refused.
func tokenError(err error) Answer {
	var refusal *oidc.Refusal
	if errors.As(err, &refusal) {
		return answer(string(refusal.Situation)).with(refusal.Argument)
	}
	return clientError(err)
}

// clientError answers for a client that could not be authenticated.
func clientError(err error) Answer {
	var p *problem.Error
	switch {
	case !errors.As(err, &p) || p.Kind == problem.Internal:
		return answer("server-error")
	case p.Code == "client-secret-wrong":
		return answer("client-secret-wrong")
	}
	return answer("client-invalid")
}

func noStore(c echo.Context) {
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Pragma", "no-cache")
}

// notServed answers for what the sandbox's document advertises and is not
// done here: a correct OAuth error, never a 404.
func (s *Server) notServed(key string) echo.HandlerFunc {
	return func(c echo.Context) error {
		if key == "device-forbidden" { // Keycloak asks who the client is first
			if _, _, err := s.backChannel(c); err != nil {
				return s.oauthError(c, clientError(err), err)
			}
		}
		return s.oauthError(c, answer(key), problem.Code(key).Of())
	}
}
