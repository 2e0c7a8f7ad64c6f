package store

import (
	"context"
	"encoding/json"
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
func NewestFirst(t time.Time) string { return backwards(Moment(t)) }

// ParseNewestFirst reads the time that an id of NewestFirst begins with.
func ParseNewestFirst(id string) (time.Time, error) {
	return ParseMoment(backwards(id[:min(len(id), MomentLen)]))
}

// backwards turns digits so that what sorts first sorts last. Twice leaves them.
func backwards(digits string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' {
			return r
		}
		return '0' + '9' - r
	}, digits)
}

// Of is the part of a collection that belongs to one owner, which is listed by
// itself. A collection has either such parts or entries of its own.
func (c Collection[T]) Of(owner string) Collection[T] {
	return Collection[T](c.Prefix() + url.PathEscape(owner))
}

// Batches calls fn for each entry in transactions of bounded size, in which fn
// may write: to build an index, or to change the form of what is there. expires
// is zero for an entry that does not.
func (c Collection[T]) Batches(
	ctx context.Context,
	s Store,
	fn func(tx Tx, id string, v T, expires time.Time) error,
) error {
	for after, n := "", walkPage; n == walkPage; {
		end := after
		err := s.Update(ctx, func(tx Tx) error {
			page, err := tx.List(c.Prefix(), after, walkPage)
			if n = len(page); err != nil || n == 0 {
				return err
			}
			end = page[n-1].Key
			return c.each(tx, page, fn)
		})
		if err != nil {
			return err
		}
		after = end
	}
	return nil
}

func (c Collection[T]) each(tx Tx, page []Entry, fn func(tx Tx, id string, v T, expires time.Time) error) error {
	for _, e := range page {
		var v T
		if err := json.Unmarshal(e.Value, &v); err != nil {
			return err
		}
		if err := fn(tx, c.ID(e.Key), v, e.Expires); err != nil {
			return err
		}
	}
	return nil
}
