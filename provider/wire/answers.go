// Package wire is what leaves the protocol endpoints: the errors as Keycloak
// writes them, the characters that an error's text may hold, and parameters in
// their order. It knows no endpoint.
package wire

import (
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
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
var Answers = slices.Concat(tokenAnswers, cibaAnswers, parAnswers, resourceAnswers, authorizeAnswers)

var byKey = func() map[string]Answer {
	out := map[string]Answer{}
	for _, a := range Answers {
		out[a.Key] = a
	}
	return out
}()

// Of finds a row; one that is missing is our mistake, and answers server-error.
func Of(key string) Answer {
	if a, ok := byKey[key]; ok {
		return a
	}
	return byKey["server-error"]
}

// Find is the row with this key, nil for none.
func Find(key string) *Answer {
	if a, ok := byKey[key]; ok {
		return &a
	}
	return nil
}

// With fills in what the text quotes.
func (a Answer) With(came string) Answer {
	a.Text = strings.ReplaceAll(a.Text, "{}", came)
	return a
}

// Problem is the answer as a refusal that can be explained.
func (a Answer) Problem() *problem.Error { return problem.Code(a.Key).Of() }

// Refusal is an answer of the table with what made it.
type Refusal struct {
	Answer
	Reason *problem.Error
}

// Refused is the refusal of this row of the table.
func Refused(p *problem.Error) *Refusal { return &Refusal{Of(p.Code).With(p.Received), p} }

// Because is a refusal for a reason that was found elsewhere.
func Because(code problem.Code, err error) *Refusal {
	p := problem.From(err)
	return Refused(code.With("expected", problem.Expected(p)).Got(strings.TrimSpace(p.Code + " " + p.Received)))
}

// Explained is the refusal for the journal and for people.
func (r *Refusal) Explained() *problem.Error { return r.Reason }
