// Package errorsx is what github.com/ory/fosite calls of the package of this
// name: see the README beside go.mod.
package errorsx

import "errors"

// The carriers that fosite asserts its errors to be.
type (
	DebugCarrier      interface{ Debug() string }
	ReasonCarrier     interface{ Reason() string }
	RequestIDCarrier  interface{ RequestID() string }
	StatusCarrier     interface{ Status() string }
	StatusCodeCarrier interface{ StatusCode() int }
)

// WithStack returns err as it is: nobody reads the stacks, and taking one costs
// more than the refusal.
func WithStack(err error) error { return err }

// Cause returns the innermost error.
func Cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}
