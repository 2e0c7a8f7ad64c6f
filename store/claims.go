package store

import (
	"strings"

	"pscemu/problem"
)

// Long commands keep what they need in the store itself. A header says that one
// is under way; an undo record holds what an entry was before it, and is its
// claim on the entry: until it is done nobody else writes that.
const (
	longPrefix = "long/" // + id
	undoPrefix = "undo/" // + id + "/" + key → the former entry, nothing when there was none
)

// longID is how many characters the id of a long command has.
const longID = 26

// undoExtra is how much longer an undo record's key is than the entry's.
const undoExtra = len(undoPrefix) + longID + 1

func undoKey(id, key string) string { return undoPrefix + id + "/" + key }

func reserved(key string) bool {
	return strings.HasPrefix(key, undoPrefix) || strings.HasPrefix(key, longPrefix)
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
	if c.long != "" && !reserved(key) {
		t.remember(undoKey(c.long, key), key)
	}
	return nil
}

// remember keeps what the entry was before the long command; the first time only.
func (t *overlay) remember(undo, key string) {
	if t.raw(undo) == nil {
		former := t.raw(key)
		if !live(former, t.at) {
			former = nil
		}
		t.set(undo, append(make([]byte, expiryLen), former...))
	}
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

func claimed(t *overlay, id, key string) error {
	name := "another"
	if raw := t.raw(longPrefix + id); len(raw) > expiryLen {
		name = string(raw[expiryLen:])
	}
	return problem.New(problem.Conflict, "store-claimed", "a command that is under way has changed this, and may still take it back").
		Got(printable(key) + ", changed by: " + name).Do("try again when that command is done")
}
