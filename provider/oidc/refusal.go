package oidc

import (
	"errors"
	"net/url"
	"strings"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/internal/problem"
)

// Situation names why a grant was refused.
type Situation string

// The situations of the token endpoint.
const (
	CodeUnknown       Situation = "code-unknown"
	CodeUsed          Situation = "code-used"
	CodeExpired       Situation = "code-expired"
	OtherRedirect     Situation = "redirect-uri-other"
	OtherClient       Situation = "code-other-client"
	VerifierMissing   Situation = "pkce-verifier-missing"
	VerifierMalformed Situation = "pkce-verifier-malformed"
	VerifierWrong     Situation = "pkce-verifier-wrong"
	VerifierUnasked   Situation = "pkce-verifier-unasked"
	RefreshInvalid    Situation = "refresh-invalid"
	RefreshReused     Situation = "refresh-reused"
	SessionEnded      Situation = "session-ended"
	ScopeWidened      Situation = "scope-widened"
	GrantForbidden    Situation = "grant-forbidden"
	PersonGone        Situation = "person-gone"
	BoundOtherwise    Situation = "bound-otherwise"
	QuirkTokenFails   Situation = "quirk-token-503"
	CIBAForbidden     Situation = "ciba-grant-forbidden"
	CIBAUnknown       Situation = "ciba-unknown"
	CIBAOtherClient   Situation = "ciba-other-client"
	CIBAPending       Situation = "ciba-pending"
	CIBATooFast       Situation = "ciba-too-fast"
	CIBARefused       Situation = "ciba-refused"
	CIBAExpired       Situation = "ciba-expired"
)

// Refusal is a grant refused, with its situation.
type Refusal struct {
	Problem   *problem.Error
	Situation Situation
	Argument  string // what the answer's text quotes
}

// Error explains the refusal.
func (r *Refusal) Error() string { return r.Problem.Error() }

// Unwrap lets problem.From find the explanation.
func (r *Refusal) Unwrap() error { return r.Problem }

func refuse(s Situation, reason, remedy string) *Refusal {
	return &Refusal{Problem: problem.New(problem.Forbidden, string(s), reason).Do(remedy), Situation: s}
}

// hints recognises fosite's refusals by the words of their hint.
var hints = []struct {
	words, grant string
	refusal      *Refusal
}{
	{
		"already been used",
		"authorization_code",
		refuse(
			CodeUsed,
			"the code was used before; the tokens issued from it are revoked now",
			"start a new login: a code serves once",
		),
	},
	{
		"Client ID from this request does not match the one",
		"authorization_code",
		refuse(
			OtherClient,
			"the code was issued to another client",
			"exchange a code with the client that asked for it",
		),
	},
	{
		`"redirect_uri" from this request`,
		"authorization_code",
		refuse(
			OtherRedirect,
			"the redirect_uri differs from the authorize request's",
			"send the very same redirect_uri in both requests",
		),
	},
	{
		"must be at least 43",
		"authorization_code",
		refuse(
			VerifierMalformed,
			"the code_verifier is shorter than 43 characters",
			"RFC 7636 §4.1: 43 to 128 characters",
		),
	},
	{
		"can not be longer than 128",
		"authorization_code",
		refuse(
			VerifierMalformed,
			"the code_verifier is longer than 128 characters",
			"RFC 7636 §4.1: 43 to 128 characters",
		),
	},
	{
		"must only contain",
		"authorization_code",
		refuse(
			VerifierMalformed,
			"the code_verifier holds a character that is not allowed",
			"RFC 7636 §4.1: letters, digits and -._~",
		),
	},
	{
		"did not match the code verifier",
		"authorization_code",
		refuse(
			VerifierWrong,
			"the code_verifier does not match the code_challenge",
			"send the verifier of this login's challenge",
		),
	},
	{
		"Unable to find initial PKCE data",
		"authorization_code",
		refuse(
			VerifierUnasked,
			"a code_verifier came, but the authorize request held no code_challenge",
			"send code_challenge with the authorize request",
		),
	},
	{
		"already used",
		"refresh_token",
		refuse(
			RefreshReused,
			"this refresh token was rotated away before; its whole family is revoked now",
			"keep the refresh_token of the latest answer",
		),
	},
	{
		"multiple concurrent",
		"refresh_token",
		refuse(RefreshReused, "another request was faster with the same refresh token", "refresh one at a time"),
	},
	{
		"retry the request",
		"refresh_token",
		refuse(RefreshReused, "another request was faster with the same refresh token", "refresh one at a time"),
	},
	{
		"Client ID from this request does not match",
		"refresh_token",
		refuse(
			RefreshInvalid,
			"the refresh token was issued to another client",
			"refresh with the client that received it",
		),
	},
}

// explain turns fosite's error into a refusal; other errors pass.
func explain(err error, form url.Values) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		return refusal
	}
	if errors.Is(err, fosite.ErrInvalidatedAuthorizeCode) {
		return hints[0].refusal
	}
	var e *fosite.RFC6749Error
	if !errors.As(err, &e) || e.ErrorField == fosite.ErrServerError.ErrorField {
		return err
	}
	grant := form.Get("grant_type")
	for _, h := range hints {
		if h.grant == grant && strings.Contains(e.HintField, h.words) {
			if h.refusal.Situation == VerifierMalformed && form.Get("code_verifier") == "" {
				return refuse(
					VerifierMissing,
					"the authorize request held a code_challenge, but no code_verifier came",
					"send code_verifier",
				)
			}
			return h.refusal
		}
	}
	if grant == "refresh_token" {
		return refuse(
			RefreshInvalid,
			"this is no refresh token made here, it has expired, or its session has ended",
			"start a new login",
		)
	}
	return refuse(CodeUnknown, "no such code, or it is long gone", "start a new login")
}
