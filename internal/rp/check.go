package rp

import (
	"fmt"
	"strings"
)

// Name is one thing that is verified of what a provider sends.
type Name string

// The checks, in the order of a login.
const (
	CallbackOnce   Name = "callback-once"   // no parameter comes twice
	CallbackState  Name = "callback-state"  // state is the one sent from this browser
	CallbackIssuer Name = "callback-issuer" // iss names the provider that was asked
	CallbackCode   Name = "callback-code"   // there is a code, and no error

	TokenAnswer Name = "token-answer" // 200 in JSON, with an access token and an id token
	TokenType   Name = "token-type"   // the access token is a Bearer token

	IDTokenForm      Name = "id-token-form"      // a signed JWT in compact form
	IDTokenAlgorithm Name = "id-token-algorithm" // signed with an algorithm that was agreed
	IDTokenSignature Name = "id-token-signature" // by a key of the provider's key set
	IDTokenIssuer    Name = "id-token-issuer"    // iss is the provider
	IDTokenAudience  Name = "id-token-audience"  // aud is this client, and nobody else
	IDTokenParty     Name = "id-token-party"     // azp is this client
	IDTokenSubject   Name = "id-token-subject"   // sub is there
	IDTokenExpiry    Name = "id-token-expiry"    // exp lies ahead
	IDTokenIssued    Name = "id-token-issued"    // iat is recent
	IDTokenNotBefore Name = "id-token-not-before"
	IDTokenNonce     Name = "id-token-nonce"     // nonce is the one sent
	IDTokenHash      Name = "id-token-hash"      // at_hash is that of the access token
	IDTokenLevel     Name = "id-token-level"     // acr is one that was asked for
	IDTokenAuthTime  Name = "id-token-auth-time" // auth_time is not older than max_age

	UserInfoAnswer  Name = "userinfo-answer"  // 200 in JSON
	UserInfoSubject Name = "userinfo-subject" // sub is the id token's
	UserInfoClaims  Name = "userinfo-claims"  // what the application depends on is there, of its type

	RefreshSubject  Name = "refresh-subject"   // the new id token is about the same person
	RefreshAuthTime Name = "refresh-auth-time" // of the same authentication

	LogoutState   Name = "logout-state"         // state of the return is the one sent
	LogoutEvent   Name = "logout-token-event"   // the token is a logout's
	LogoutNoNonce Name = "logout-token-nonce"   // a logout token holds no nonce
	LogoutSession Name = "logout-token-session" // it names a person or a session
	LogoutID      Name = "logout-token-id"      // it has a jti
)

// Check is one thing that was verified, and what came of it.
type Check struct {
	Name     Name   `json:"name"`
	Source   string `json:"source"` // the requirement
	OK       bool   `json:"ok"`
	Received string `json:"received,omitempty"`
	Expected string `json:"expected,omitempty"`
}

// Checks are what was verified, in order. What did not apply is left out.
type Checks []Check

// Failed is the first check that failed, nil when all is well.
func (all Checks) Failed() *Check {
	for n := range all {
		if !all[n].OK {
			return &all[n]
		}
	}
	return nil
}

// Named is the check of this name, nil when it did not apply.
func (all Checks) Named(name Name) *Check {
	for n := range all {
		if all[n].Name == name {
			return &all[n]
		}
	}
	return nil
}

// Unverified is the error of an answer that must not be trusted.
type Unverified struct{ Check Check }

// Error tells what came and what was expected.
func (e *Unverified) Error() string {
	return fmt.Sprintf(
		"%s: received %q, expected %s (%s)",
		e.Check.Name,
		e.Check.Received,
		e.Check.Expected,
		e.Check.Source,
	)
}

// Refusal is an error that the provider answered with.
type Refusal struct {
	At     string // callback, token, userinfo …
	Status int    // of the answer, 0 in a callback
	Code   string // error
	Text   string // error_description
	Body   string // its beginning, where it holds no error
}

// Error is the refusal on one line.
func (e *Refusal) Error() string {
	said := e.Code
	if e.Text != "" {
		said += ": " + e.Text
	}
	if e.Code == "" {
		said = e.Body
	}
	if e.Status == 0 {
		return e.At + ": " + said
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %d %s", e.At, e.Status, said))
}

// ledger gathers checks.
type ledger struct {
	checks Checks
	skip   []Name
}

// hold notes a check; one that is skipped always passes.
func (l *ledger) hold(name Name, source string, ok bool, received, expected string) {
	for _, skipped := range l.skip {
		ok = ok || skipped == name
	}
	l.checks = append(l.checks, Check{name, source, ok, cut(received), expected})
}

// err is the first failure.
func (l *ledger) err() error {
	if failed := l.checks.Failed(); failed != nil {
		return &Unverified{*failed}
	}
	return nil
}

// cut bounds what is repeated of an answer.
func cut(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
