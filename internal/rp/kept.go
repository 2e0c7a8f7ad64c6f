package rp

import (
	"iter"
	"time"
)

// Kept remembers values for a while and not more than so many: the oldest makes
// room. Its owner holds a lock around each call.
type Kept[V any] struct {
	life time.Duration
	most int
	all  map[string]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

// NewKept keeps each value for life, and most of them at once.
func NewKept[V any](life time.Duration, most int) *Kept[V] {
	return &Kept[V]{life: life, most: most, all: map[string]kept[V]{}}
}

// Put keeps a value under a key, and forgets those whose time is over.
func (k *Kept[V]) Put(key string, value V, now time.Time) {
	first, at := "", now.Add(k.life)
	for name, other := range k.all {
		if now.After(other.until) {
			delete(k.all, name)
		} else if !other.until.After(at) {
			first, at = name, other.until
		}
	}
	if len(k.all) >= k.most {
		delete(k.all, first)
	}
	k.all[key] = kept[V]{value, now.Add(k.life)}
}

// Get is the value under a key, if its time is not over.
func (k *Kept[V]) Get(key string, now time.Time) (V, bool) {
	found, ok := k.all[key]
	return found.value, ok && !now.After(found.until)
}

// Delete forgets a key.
func (k *Kept[V]) Delete(key string) { delete(k.all, key) }

// All are the values kept whose time is not over; they may be deleted meanwhile.
func (k *Kept[V]) All(now time.Time) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for key, found := range k.all {
			if !now.After(found.until) && !yield(key, found.value) {
				return
			}
		}
	}
}
