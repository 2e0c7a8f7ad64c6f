// Package problem is the error every domain package returns: a stable code,
// what was received, what was expected, and what to do. The edges translate
// it into OAuth JSON, problem details (RFC 9457), a page or a line of text.
//
// The words of every refusal stand in the catalogue (folder catalogue), in
// English and in French; code names a refusal by the constant of its code:
//
//	problem.CountInvalid.With("most", 1000).Got("5000")
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
	return [...]int{
		Invalid:   400,
		NotFound:  404,
		Conflict:  409,
		Forbidden: 403,
		Internal:  500,
		TooMany:   429,
		TooLarge:  413,
		TooSlow:   408,
	}[k]
}

// Code names one refusal of the catalogue: stable, in kebab case.
type Code string

// Of is the refusal with this code.
func (c Code) Of() *Error { return (&Error{Kind: entryOf(c).kind, Code: string(c)}).worded(English) }

// Case is the refusal in one of the wordings that the code has beside its first.
func (c Code) Case(name string) *Error { return c.Of().Case(name) }

// With is the refusal with a value for {name} in its texts.
func (c Code) With(name string, value any) *Error { return c.Of().With(name, value) }

// Got is the refusal with what was received.
func (c Code) Got(s string) *Error { return c.Of().Got(s) }

// Error is one refusal, explained. Its texts are English; In words it in French.
type Error struct {
	Kind     Kind   `json:"-"`
	Code     string `json:"code"`               // stable, kebab-case
	Reason   string `json:"reason"`             // one sentence
	Received string `json:"received,omitempty"` // what came
	Expected string `json:"expected,omitempty"` // what would have been right
	Remedy   string `json:"remedy,omitempty"`   // what to do
	Link     string `json:"-"`                  // page that explains it, where there is one

	about   [2]string // what the reason is said of, before it
	wording string    // the case, "" for the first
	values  []value
	got     bool // Received is what came, not the catalogue's
	lang    string
}

// Case chooses one of the wordings that the code has beside its first.
func (e *Error) Case(name string) *Error {
	e.wording = name
	if c, ok := entryOf(Code(e.Code)).cases[name]; ok {
		e.Kind = c.kind
	}
	return e.worded(English)
}

// With gives a value for {name} in the texts. A list is written with commas;
// Or, Nor and a Phrase are written in the reader's language.
func (e *Error) With(name string, v any) *Error {
	e.values = append(e.values, valueOf(name, v))
	return e.worded(English)
}

// Got adds what was received; of something long the beginning.
func (e *Error) Got(s string) *Error {
	e.Received, e.got = shortened(s), true
	return e
}

// received is how many bytes a refusal repeats at most.
const received = 2000

func shortened(s string) string {
	if len(s) <= received {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:received], ""), len(s))
}

// Linked is the problem with the page that explains it.
func (e *Error) Linked(page string) *Error {
	linked := *e
	linked.Link = page
	return &linked
}

// About is the problem of one among many, which the phrase names with the
// arguments.
func (e *Error) About(p Phrase, args ...any) *Error {
	said := *e
	for i, lang := range []string{English, French} {
		said.about[i] = fmt.Sprintf(p.In(lang), args...) + e.about[i]
	}
	said.Reason = said.about[place(said.lang)] + strings.TrimPrefix(e.Reason, e.about[place(e.lang)])
	return &said
}

// In is the problem in the words of a language.
func (e *Error) In(lang string) *Error {
	said := *e
	return said.worded(lang)
}

// Page is the problem as a page says it: in its language, each sentence with a
// capital.
func (e *Error) Page(lang string) *Error {
	said := e.In(lang)
	said.Reason, said.Remedy = capital(said.Reason), capital(said.Remedy)
	return said
}

// Map is the problem with f applied to each text and value of it.
func (e *Error) Map(f func(string) string) *Error {
	mapped := *e
	for _, text := range []*string{&mapped.Reason, &mapped.Received, &mapped.Expected, &mapped.Remedy} {
		*text = f(*text)
	}
	mapped.values = make([]value, len(e.values))
	for i, v := range e.values {
		mapped.values[i] = value{v.name, [2]string{f(v.said[0]), f(v.said[1])}}
	}
	return &mapped
}

// Size is how many bytes its texts and values are.
func (e *Error) Size() int {
	n := len(e.Reason) + len(e.Received) + len(e.Expected) + len(e.Remedy)
	for _, v := range e.values {
		n += len(v.said[0]) + len(v.said[1])
	}
	return n
}

// worded fills in the catalogue's texts of a language. What is not from the
// catalogue, or came without its values from elsewhere, keeps its own.
func (e *Error) worded(lang string) *Error {
	entry := entryOf(Code(e.Code))
	w, ok := entry.wording(e.wording, lang)
	if !ok || e.lang == "" && e.Reason != "" && e.Reason != entry.said[0].reason {
		return e
	}
	e.lang = lang
	e.Reason, e.Expected, e.Remedy = e.about[place(lang)]+e.fill(w.reason), e.fill(w.expected), e.fill(w.remedy)
	if !e.got {
		e.Received = shortened(e.fill(w.received))
	}
	return e
}

// Error is the whole explanation on one line.
func (e *Error) Error() string {
	labels := [2]string{"received: ", "expected: "}
	if e.lang == French {
		labels = [2]string{"reçu : ", "attendu : "}
	}
	parts := []string{e.Reason}
	if e.Received != "" {
		parts = append(parts, labels[0]+e.Received)
	}
	if e.Expected != "" {
		parts = append(parts, labels[1]+e.Expected)
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
	return Unforeseen.With("error", err)
}

// Is tells whether err is a problem with this code.
func Is[C ~string](err error, code C) bool {
	var p *Error
	return errors.As(err, &p) && p.Code == string(code)
}
