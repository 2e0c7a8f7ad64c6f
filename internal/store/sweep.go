package store

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"
)

// sweepMost is how many entries one commit of Sweep removes.
const sweepMost = 2000

// Sweep removes at most some thousand expired entries in one commit.
func (s *Bolt) Sweep(context.Context) (n int, err error) {
	if err := outermost("Sweep"); err != nil {
		return 0, err
	}
	at, idle := nanos(s.clock.Now()), false
	err = s.view(func(_ *file, tx *bbolt.Tx) error {
		idle = firstDue(tx.Bucket(expiryBucket).Cursor(), at) == nil
		return nil
	})
	if err != nil || idle {
		return 0, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.file == nil {
		return 0, ErrClosed
	}
	err = s.file.Update(func(tx *bbolt.Tx) (err error) {
		n, err = sweep(tx, at)
		return err
	})
	return n, err
}

func firstDue(c *bbolt.Cursor, at int64) []byte {
	if k, _ := c.First(); k != nil && expired(k, at) {
		return k
	}
	return nil
}

// sweep removes the entries that expired first. One that was written again since
// has another place in the order, or none.
func sweep(tx *bbolt.Tx, at int64) (n int, err error) {
	data, expiry := tx.Bucket(dataBucket), tx.Bucket(expiryBucket)
	c := expiry.Cursor()
	for k := firstDue(c, at); k != nil && n < sweepMost; k = firstDue(c, at) {
		k = bytes.Clone(k)
		if v := data.Get(k[expiryLen:]); v != nil && bytes.Equal(v[:expiryLen], k[:expiryLen]) {
			if err := data.Delete(k[expiryLen:]); err != nil {
				return n, err
			}
		}
		if err := expiry.Delete(k); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
