// Package problem is the error every domain package returns: a stable code,
// what was received, what was expected, and what to do. The edges translate
// it into OAuth JSON, problem details (RFC 9457), a page or a line of text.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Kind groups problems by what the edge must answer.
type Kind int

// The kinds, from the caller's point of view.
const (
	Invalid   Kind = iota // the request is wrong: 400
	NotFound              // no such thing: 404
	Conflict              // not in this state: 409
	Forbidden             // refused by a rule: 403
	Internal              // ours: 500
	TooMany               // a limit in number: 429
	TooLarge              // a limit in size: 413
	TooSlow               // a limit in time: 408
)

// Status is the HTTP status of a kind.
func (k Kind) Status() int {
	return [...]int{Invalid: 400, NotFound: 404, Conflict: 409, Forbidden: 403, Internal: 500, TooMany: 429, TooLarge: 413, TooSlow: 408}[k]
}

// Error is one refusal, explained.
type Error struct {
	Kind     Kind   `json:"-"`
	Code     string `json:"code"`               // stable, kebab-case
	Reason   string `json:"reason"`             // one sentence
	Received string `json:"received,omitempty"` // what came
	Expected string `json:"expected,omitempty"` // what would have been right
	Remedy   string `json:"remedy,omitempty"`   // what to do
	Link     string `json:"-"`                  // page that explains it, where there is one
}

// New makes a problem with its code and reason.
func New(kind Kind, code, reason string) *Error {
	return &Error{Kind: kind, Code: code, Reason: reason}
}

// Got adds what was received; of something long the beginning.
func (e *Error) Got(s string) *Error { e.Received = shortened(s); return e }

// received is how many bytes a refusal repeats at most.
const received = 2000

func shortened(s string) string {
	if len(s) <= received {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:received], ""), len(s))
}

// Want adds what was expected.
func (e *Error) Want(s string) *Error { e.Expected = s; return e }

// Do adds the remedy.
func (e *Error) Do(s string) *Error { e.Remedy = s; return e }

// Linked is the problem with the page that explains it.
func (e *Error) Linked(page string) *Error {
	linked := *e
	linked.Link = page
	return &linked
}

// Error is the whole explanation on one line.
func (e *Error) Error() string {
	parts := []string{e.Reason}
	if e.Received != "" {
		parts = append(parts, "received: "+e.Received)
	}
	if e.Expected != "" {
		parts = append(parts, "expected: "+e.Expected)
	}
	if e.Remedy != "" {
		parts = append(parts, e.Remedy)
	}
	return strings.Join(parts, "; ")
}

// From finds the problem in err; any other error becomes an internal one.
func From(err error) *Error {
	var p *Error
	if errors.As(err, &p) {
		return p
	}
	return New(Internal, "internal", err.Error())
}

// Is tells whether err is a problem with this code.
func Is(err error, code string) bool {
	var p *Error
	return errors.As(err, &p) && p.Code == code
}

// Among lists what may stand in a place, as a reader wants it.
func Among[T ~string](values []T) string {
	texts := make([]string, len(values))
	for n, value := range values {
		texts[n] = string(value)
	}
	return strings.Join(texts, ", ")
}

// Nearest returns the candidate closest to s by edit distance, or "" when
// nothing is near enough to be a slip of the keyboard.
func Nearest(s string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		if d := distance(s, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
