package store

import (
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// outOfMap makes an error of it when a torn file leads bbolt out of what is
// mapped of it, which would end the process otherwise.
func outOfMap(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			*err = fmt.Errorf("damaged: %v", r)
		}
	}
}

// whole tells a file that was cut off.
func whole(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("cut off: it has %d bytes of %d", info.Size(), tx.Size())
		}
		return err
	})
}
