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

func refuse(p *problem.Error) *Refusal {
	return &Refusal{Problem: p, Situation: Situation(p.Code)}
}

// hints recognises fosite's refusals by the words of their hint.
var hints = []struct {
	words, grant string
	refusal      *Refusal
}{
	{
		"already been used",
		"authorization_code",
		refuse(problem.CodeUsed.Of()),
	},
	{
		"Client ID from this request does not match the one",
		"authorization_code",
		refuse(problem.CodeOtherClient.Of()),
	},
	{
		`"redirect_uri" from this request`,
		"authorization_code",
		refuse(problem.RedirectURIOther.Of()),
	},
	{
		"must be at least 43",
		"authorization_code",
		refuse(problem.PKCEVerifierMalformed.Of()),
	},
	{
		"can not be longer than 128",
		"authorization_code",
		refuse(problem.PKCEVerifierMalformed.Of()),
	},
	{
		"must only contain",
		"authorization_code",
		refuse(problem.PKCEVerifierMalformed.Of()),
	},
	{
		"did not match the code verifier",
		"authorization_code",
		refuse(problem.PKCEVerifierWrong.Of()),
	},
	{
		"Unable to find initial PKCE data",
		"authorization_code",
		refuse(problem.PKCEVerifierUnasked.Of()),
	},
	{
		"already used",
		"refresh_token",
		refuse(problem.RefreshReused.Of()),
	},
	{
		"multiple concurrent",
		"refresh_token",
		refuse(problem.RefreshReused.Of()),
	},
	{
		"retry the request",
		"refresh_token",
		refuse(problem.RefreshReused.Of()),
	},
	{
		"Client ID from this request does not match",
		"refresh_token",
		refuse(problem.RefreshInvalid.Of()),
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
				return refuse(problem.PKCEVerifierMissing.Of())
			}
			return h.refusal
		}
	}
	if grant == "refresh_token" {
		return refuse(problem.RefreshInvalid.Case("other"))
	}
	return refuse(problem.CodeUnknown.Case("gone"))
}
