package store

import (
	"net/url"
	"strings"
	"time"
)

// moment writes times so that keys sort as the times follow.
const moment = "20060102150405.000000000"

// MomentLen is the length of what Moment and NewestFirst write.
const MomentLen = len(moment)

// Moment begins an id by which a collection lists the oldest first.
func Moment(t time.Time) string { return t.UTC().Format(moment) }

// ParseMoment reads the time that an id of Moment begins with.
func ParseMoment(id string) (time.Time, error) {
	return time.Parse(moment, id[:min(len(id), MomentLen)])
}

// NewestFirst begins an id by which a collection lists the newest first.
func NewestFirst(t time.Time) string {
	return strings.Map(func(r rune) rune {
		if r == '.' {
			return r
		}
		return '0' + '9' - r
	}, Moment(t))
}

// Of is the part of a collection that belongs to one owner, which is listed by
// itself. A collection has either such parts or entries of its own.
func (c Collection[T]) Of(owner string) Collection[T] {
	return Collection[T](c.Prefix() + url.PathEscape(owner))
}
