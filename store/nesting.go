package store

import (
	"bytes"
	"errors"
	"flag"
	"runtime"
	"strconv"
	"sync/atomic"
)

// ErrNested is the answer to a transaction that is opened within another of
// the same goroutine: it would wait for itself for ever, or read what is not
// what it writes to. A command opens one Update and hands its Tx on.
var ErrNested = errors.New("store: a transaction within an Update; hand the Tx on instead")

// nesting knows which goroutine is within an Update.
type nesting struct{ inside atomic.Uint64 }

// enter notes that this goroutine is within an Update, until the end is called.
func (n *nesting) enter() (end func()) {
	n.inside.Store(goroutine())
	return func() { n.inside.Store(0) }
}

// refuse answers whether this goroutine is within an Update already. A test
// fails there and then: the panic is not caught.
func (n *nesting) refuse() error {
	inside := n.inside.Load()
	if inside == 0 || inside != goroutine() {
		return nil
	}
	if flag.Lookup("test.v") != nil {
		panic(nested{})
	}
	return ErrNested
}

// nested is a panic that call lets pass.
type nested struct{}

func (nested) Error() string { return ErrNested.Error() }

// goroutine is the number of this goroutine, which the runtime tells in a
// trace alone.
func goroutine() uint64 {
	var b [40]byte
	trace := b[:runtime.Stack(b[:], false)]
	trace = bytes.TrimPrefix(trace, []byte("goroutine "))
	n, _ := strconv.ParseUint(string(trace[:bytes.IndexByte(trace, ' ')]), 10, 64)
	return n
}
