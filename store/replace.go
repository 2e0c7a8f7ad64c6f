package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// raw is an entry as backends keep it: its expiry in front.
func (Replacement) raw(e Entry) ([]byte, error) {
	if err := bounded(e.Key, e.Value); err != nil {
		return nil, err
	}
	raw := make([]byte, 8+len(e.Value))
	if !e.Expires.IsZero() {
		binary.BigEndian.PutUint64(raw, uint64(e.Expires.UnixNano()))
	}
	copy(raw[8:], e.Value)
	return raw, nil
}

// then runs Then; its panic is its failure.
func (r Replacement) then() (err error) {
	if r.Then == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: panicked: %v", p)
		}
	}()
	return r.Then()
}

func putBack(err error) error { return errors.Join(ErrPutBack, err) }
