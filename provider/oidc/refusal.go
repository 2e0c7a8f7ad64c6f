package oidc

import "pscemu.invalid/pscemu/internal/problem"

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
	PersonTokenFails  Situation = "quirk-token-503"
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
