package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/tidwall/btree"
)

// source is what a backend holds committed. A value has its expiry in front:
// 8 bytes, Unix ns, 0 = never.
type source interface {
	get(key string) []byte
	// ascend calls fn from the key on, in key order, until it returns false.
	ascend(from string, fn func(key string, raw []byte) bool)
}

// overlay is a transaction: it reads through to the source; its own writes lie
// on top until the backend applies them.
type overlay struct {
	source
	now time.Time
	at  int64 // now, as expiries are kept
	*changes
}

// changes are what a transaction writes.
type changes struct {
	writes btree.Map[string, []byte] // as the source keeps them; nil = deleted
	puts   int64                     // bytes that were put
	claims
}

func reader(s source, now time.Time) *overlay {
	return &overlay{source: s, now: now, at: nanos(now)}
}

func writer(s source, now time.Time) *overlay {
	t := &struct {
		overlay
		changes
	}{overlay: overlay{source: s, now: now, at: nanos(now)}}
	t.overlay.changes = &t.changes
	return &t.overlay
}

var errReadOnly = errors.New("store: write in a read transaction")

// raw is what the transaction sees at the key, expired or not.
func (t *overlay) raw(key string) []byte {
	if t.changes != nil {
		if raw, own := t.writes.Get(key); own {
			return raw
		}
	}
	return t.get(key)
}

func (t *overlay) Get(key string) ([]byte, error) {
	raw := t.raw(key)
	if !live(raw, t.at) {
		return nil, ErrNotFound
	}
	return raw[expiryLen:], nil
}

// Now is the moment of the transaction.
func (t *overlay) Now() time.Time { return t.now }

func (t *overlay) Put(key string, value []byte, ttl time.Duration) error {
	if t.changes == nil {
		return errReadOnly
	}
	if err := fits(key, value); err != nil {
		return err
	}
	if err := t.claim(t, key); err != nil {
		return err
	}
	var expires time.Time
	if ttl != Forever {
		expires = t.now.Add(ttl)
	}
	t.set(key, encode(value, expires))
	return nil
}

func (t *overlay) Delete(key string) error {
	if t.changes == nil {
		return errReadOnly
	}
	if err := t.claim(t, key); err != nil {
		return err
	}
	t.set(key, nil)
	return nil
}

func (c *changes) set(key string, raw []byte) {
	c.writes.Set(key, raw)
	if raw != nil {
		c.puts += int64(len(key) + len(raw))
	}
}

// keys are those that are written, in order.
func (c *changes) keys() []string { return c.writes.Keys() }

func (t *overlay) List(prefix, after string, limit int) ([]Entry, error) {
	var out []Entry
	start := prefix
	if after >= prefix {
		start = after + "\x00"
	}
	own := t.own(prefix, start)
	// ownBefore takes the transaction's own entries that come before a key.
	ownBefore := func(key string) {
		for own.more && (key == "" || own.Key() < key) && len(out) < limit {
			out = t.appendLive(out, own.Key(), own.Value())
			own.next()
		}
	}
	t.ascend(start, func(key string, raw []byte) bool {
		if !strings.HasPrefix(key, prefix) || len(out) >= limit {
			return false
		}
		ownBefore(key)
		if own.more && own.Key() == key {
			raw = own.Value()
			own.next()
		}
		if len(out) < limit {
			out = t.appendLive(out, key, raw)
		}
		return true
	})
	ownBefore("")
	return out, nil
}

// ownEntries go through what a transaction wrote below a prefix.
type ownEntries struct {
	btree.MapIter[string, []byte]
	prefix string
	more   bool
}

func (t *overlay) own(prefix, start string) (o ownEntries) {
	if t.changes != nil && t.writes.Len() > 0 {
		o.MapIter, o.prefix = t.writes.Iter(), prefix
		o.more = o.Seek(start) && strings.HasPrefix(o.Key(), prefix)
	}
	return o
}

func (o *ownEntries) next() { o.more = o.Next() && strings.HasPrefix(o.Key(), o.prefix) }

func (t *overlay) appendLive(out []Entry, key string, raw []byte) []Entry {
	if !live(raw, t.at) {
		return out
	}
	e := Entry{Key: key, Value: bytes.Clone(raw[expiryLen:])}
	if at := expiryOf(raw); at != 0 {
		e.Expires = time.Unix(0, at).UTC()
	}
	return append(out, e)
}

// expiryLen is how many bytes the expiry in front of a value takes.
const expiryLen = 8

// encode puts the expiry in front of a value.
func encode(value []byte, expires time.Time) []byte {
	raw := make([]byte, expiryLen+len(value))
	if !expires.IsZero() {
		putExpiry(raw, nanos(expires))
	}
	copy(raw[expiryLen:], value)
	return raw
}

func putExpiry(raw []byte, at int64) { binary.BigEndian.PutUint64(raw, uint64(at)) }

func expiryOf(raw []byte) int64 { return int64(binary.BigEndian.Uint64(raw)) }

// live tells whether there is an entry that has not expired.
func live(raw []byte, at int64) bool {
	if len(raw) < expiryLen {
		return false
	}
	e := expiryOf(raw)
	return e == 0 || e == math.MaxInt64 || at < e
}

// nanos are a moment's Unix ns, as near as they can hold it: what expires after
// the year 2261 stays, and there was nothing before 1970.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	case s < 0:
		return 1
	}
	return max(1, t.UnixNano())
}

// dueKey is where an entry lies in the order of the expiries.
func dueKey(key string, raw []byte) string { return string(raw[:expiryLen]) + key }

// expired tells whether a key of that order is due.
func expired[S string | []byte](due S, at int64) bool {
	e := int64(binary.BigEndian.Uint64([]byte(due[:expiryLen])))
	return e != math.MaxInt64 && e <= at
}
