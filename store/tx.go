package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
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
	now    time.Time
	writes map[string]*write // nil in a read transaction
	order  []string
}

type write struct {
	value   []byte // with its expiry in front; nil = deleted
	expires int64
}

var errReadOnly = errors.New("store: write in a read transaction")

func (t *overlay) Get(key string) ([]byte, error) {
	var raw []byte
	if w, ok := t.writes[key]; ok {
		raw = w.value
	} else {
		raw = t.get(key)
	}
	if !t.live(raw) {
		return nil, ErrNotFound
	}
	return raw[8:], nil
}

// Now is the moment of the transaction.
func (t *overlay) Now() time.Time { return t.now }

func (t *overlay) live(raw []byte) bool {
	if len(raw) < 8 {
		return false
	}
	e := int64(binary.BigEndian.Uint64(raw))
	return e == 0 || t.now.UnixNano() < e
}

func (t *overlay) Put(key string, value []byte, ttl time.Duration) error {
	if err := bounded(key, value); err != nil {
		return err
	}
	w := &write{value: make([]byte, 8+len(value))}
	if ttl != Forever {
		w.expires = t.now.Add(ttl).UnixNano()
		binary.BigEndian.PutUint64(w.value, uint64(w.expires))
	}
	copy(w.value[8:], value)
	return t.set(key, w)
}

func (t *overlay) Delete(key string) error { return t.set(key, &write{}) }

func (t *overlay) set(key string, w *write) error {
	if t.writes == nil {
		return errReadOnly
	}
	if _, again := t.writes[key]; !again {
		t.order = append(t.order, key)
	}
	t.writes[key] = w
	return nil
}

func (t *overlay) List(prefix, after string, limit int) ([]Entry, error) {
	var out []Entry
	start := prefix
	if after >= prefix {
		start = after + "\x00"
	}
	own := t.own(prefix, start)
	// ownBefore takes the transaction's own entries that come before a key.
	ownBefore := func(key string) {
		for len(own) > 0 && (key == "" || own[0] < key) && len(out) < limit {
			out, own = t.appendLive(out, own[0], t.writes[own[0]].value), own[1:]
		}
	}
	t.ascend(start, func(key string, raw []byte) bool {
		if !strings.HasPrefix(key, prefix) || len(out) >= limit {
			return false
		}
		ownBefore(key)
		if len(own) > 0 && own[0] == key {
			raw, own = t.writes[own[0]].value, own[1:]
		}
		if len(out) < limit {
			out = t.appendLive(out, key, raw)
		}
		return true
	})
	ownBefore("")
	return out, nil
}

func (t *overlay) own(prefix, start string) []string {
	var keys []string
	for k := range t.writes {
		if strings.HasPrefix(k, prefix) && k >= start {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

func (t *overlay) appendLive(out []Entry, key string, raw []byte) []Entry {
	if !t.live(raw) {
		return out
	}
	e := Entry{Key: key, Value: bytes.Clone(raw[8:])}
	if at := int64(binary.BigEndian.Uint64(raw)); at != 0 {
		e.Expires = time.Unix(0, at).UTC()
	}
	return append(out, e)
}

// call runs a transaction function; its panic is its failure.
func call(fn func(Tx) error, tx Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, mistake := r.(nested); mistake {
				panic(r)
			}
			err = fmt.Errorf("store: transaction panicked: %v", r)
		}
	}()
	return fn(tx)
}
