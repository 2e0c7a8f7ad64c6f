package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// Long commands keep what they need in the store itself. A header says that one
// is under way; an undo record holds what an entry was before it, and is its
// claim on the entry: until it is done nobody else writes that.
const (
	longPrefix = "long/" // + id → name
	undoPrefix = "undo/" // + id + "/" + key → undone
)

const (
	longID    = 26                           // characters of a long command's id
	undoExtra = len(undoPrefix) + longID + 1 // by which an undo record's key is longer than the entry's
	undoFrame = 64                           // by which its value is longer, at most
)

func undoKey(id, key string) string { return undoPrefix + id + "/" + key }

// undone is what an entry was before a long command.
type undone struct {
	There   bool            `json:"there,omitempty"`
	Expires int64           `json:"expires,omitempty"` // Unix ns, 0 for never
	Value   json.RawMessage `json:"value,omitempty"`
	Bytes   []byte          `json:"bytes,omitempty"` // instead of a value that is no JSON
}

// record is an undo record of a raw entry, nil when there was none. A value is
// copied as it is: it is put back byte for byte.
func record(raw []byte) []byte {
	if raw == nil {
		return encode([]byte(`{}`), time.Time{})
	}
	value := raw[expiryLen:]
	if !json.Valid(value) || len(bytes.TrimSpace(value)) != len(value) { // white space around it would be lost
		out, _ := json.Marshal(undone{There: true, Expires: expiryOf(raw), Bytes: value}) // cannot fail
		return encode(out, time.Time{})
	}
	out := make([]byte, expiryLen, expiryLen+undoFrame+len(value))
	out = strconv.AppendInt(append(out, `{"there":true,"expires":`...), expiryOf(raw), 10)
	return append(append(append(out, `,"value":`...), value...), '}')
}

// entry is what lay at the key, nil when nothing did.
func (u *undone) entry() []byte {
	if !u.There {
		return nil
	}
	value := []byte(u.Value)
	if u.Value == nil {
		value = u.Bytes
	}
	raw := encode(value, time.Time{})
	putExpiry(raw, u.Expires)
	return raw
}

// claims are what a transaction knows of long commands.
type claims struct {
	long   string   // the one it is a step of
	others []string // that are under way
	looked bool     // for others
	free   bool     // it undoes, and asks nobody
}

// claim lets a transaction write an entry, unless another long command did.
func (c *claims) claim(t *overlay, key string) error {
	if c.free {
		return nil
	}
	if !c.looked {
		c.looked, c.others = true, t.underWay(c.long)
	}
	for _, id := range c.others {
		if t.raw(undoKey(id, key)) != nil {
			return claimed(t, id, key)
		}
	}
	if c.long != "" {
		t.remember(undoKey(c.long, key), key)
	}
	return nil
}

// remember keeps what the entry was before the long command; the first time only.
func (t *overlay) remember(undo, key string) {
	if t.raw(undo) != nil {
		return
	}
	former := t.raw(key)
	if !live(former, t.at) {
		former = nil
	}
	t.set(undo, record(former))
}

// underWay lists the long commands but one.
func (t *overlay) underWay(but string) (ids []string) {
	t.ascend(longPrefix, func(key string, _ []byte) bool {
		id, ok := strings.CutPrefix(key, longPrefix)
		if ok && id != but {
			ids = append(ids, id)
		}
		return ok
	})
	return ids
}

// nameOf is what a long command says it is.
func (t *overlay) nameOf(id string) (name string) {
	if raw := t.raw(longPrefix + id); len(raw) > expiryLen {
		_ = json.Unmarshal(raw[expiryLen:], &name)
	}
	return name
}

func claimed(t *overlay, id, key string) error {
	return problem.StoreClaimed.With("key", beginning(key)).With("command", t.nameOf(id))
}

// LongRecords are the kinds of record that long commands keep while they run.
// what judges the entries that a command overwrote: undoing it puts them back.
func LongRecords(what Kinds) []Kind {
	return []Kind{
		{Prefix: undoPrefix, Check: func(e Entry) error {
			id, key, ok := strings.Cut(strings.TrimPrefix(e.Key, undoPrefix), "/")
			if !ok || len(id) != longID {
				return errors.New("the key names no long command")
			}
			var u undone
			if err := decodeStrictly(e.Value, &u); err != nil || !u.There {
				return err
			}
			raw := u.entry()
			was := Entry{Key: key, Value: raw[expiryLen:]}
			if u.Expires != 0 {
				was.Expires = time.Unix(0, u.Expires).UTC()
			}
			return what.Check(was)
		}},
		{Prefix: longPrefix, Check: func(e Entry) error {
			var name string
			return decodeStrictly(e.Value, &name)
		}},
	}
}
