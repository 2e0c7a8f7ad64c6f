package store

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"

	"pscemu.invalid/pscemu/internal/problem"
)

// A transaction within another sees another moment, and its backend may wait
// for itself. It is told by the stack: the goroutine that opens it is one that
// runs a transaction function. Tests panic; a request is refused.

// strict makes nesting panic, and also refuses a transaction within a View.
var strict = testing.Testing() || nesting == "panic"

// nesting is set to panic, by a flag of the linker, in the program that tests run.
var nesting string

// running counts the functions of Update that run: while there is none, nobody
// has to look at a stack.
var running atomic.Int32

// call runs a transaction function; its panic, or the end of its goroutine, is
// its failure.
//
//go:noinline
func call(fn func(Tx) error, tx Tx) (err error) {
	running.Add(1)
	returned := false
	defer func() {
		running.Add(-1)
		if r := recover(); r != nil {
			err = panicked(r)
		} else if !returned {
			err = errEnded // seen by who reads err although nobody returns
		}
	}()
	err = fn(tx) // the one place whose address callSite is
	returned = true
	return err
}

// look runs a function of View.
//
//go:noinline
func look(fn func(Tx) error, tx Tx) error {
	err := fn(tx) // the one place whose address lookSite is
	return err
}

var errEnded = errors.New("store: the transaction function ended its goroutine")

func panicked(r any) error {
	if n, ok := r.(*nested); ok {
		return n
	}
	slog.Error("a transaction panicked", "panic", r, "stack", string(debug.Stack()))
	return fmt.Errorf("store: transaction panicked: %v", r)
}

// ErrNested is what a transaction that is opened within another is refused with.
// A command opens one transaction and hands its Tx on.
var ErrNested = errors.New("store: a transaction within another")

// nested is the error, and in tests the panic, of a transaction within another.
type nested struct{ error }

// Unwrap is the problem, and what kind it is.
func (n *nested) Unwrap() []error { return []error{n.error, ErrNested} }

// outermost refuses to open a transaction, named by what opens it, within
// another.
func outermost(what string) error {
	if !strict && running.Load() == 0 {
		return nil
	}
	within := enclosing()
	if within == "" || !strict && within == "View" {
		return nil
	}
	n := &nested{problem.TransactionNested.With("what", what).With("within", within)}
	if strict {
		panic(n)
	}
	return n
}

// rethrow panics, in tests, on the goroutine that opened the transaction: fn
// may have run on another.
func rethrow(err error) error {
	if n := (*nested)(nil); strict && errors.As(err, &n) {
		panic(n)
	}
	return err
}

// callSite and lookSite are the addresses that a transaction function returns to.
var callSite, lookSite uintptr

func init() {
	site := func(run func(func(Tx) error, Tx) error) (at uintptr) {
		_ = run(func(Tx) error {
			var pcs [1]uintptr
			runtime.Callers(2, pcs[:])
			at = pcs[0]
			return nil
		}, nil)
		return at
	}
	callSite, lookSite = site(call), site(look)
}

// stackDepth is how far enclosing looks. Transactions are opened and used by
// short functions; none calls that deep.
const stackDepth = 64

// enclosing tells what the calling goroutine is within: Update, View or nothing.
func enclosing() string {
	var pcs [stackDepth]uintptr
	stack := pcs[:runtime.Callers(3, pcs[:])]
	switch {
	case slices.Contains(stack, callSite):
		return "Update"
	case slices.Contains(stack, lookSite):
		return "View"
	}
	return ""
}
