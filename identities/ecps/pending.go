package ecps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/store"
)

// What waits is found by indexes of what waits, however many requests were
// settled: pending by means and time, due by the time of the phone's own answer.
var (
	pending = store.Collection[string]("ecps-pending") // by Request.place: its id
	due     = store.Collection[string]("ecps-due")     // by Request.dueAt: its id
)

// place is where a request stands among all that wait: by means, oldest first.
func (r *Request) place() string {
	return string(r.Means) + "." + store.Moment(r.CreatedAt) + "." + r.ID
}

// dueAt is where its phone's own answer stands among all that are to come.
func (r *Request) dueAt() string { return store.Moment(r.AnswerAt) + "." + r.ID }

// index notes a request that waits, as long as it may.
func (r *Request) index(tx store.Tx) error {
	err := pending.Put(tx, r.place(), r.ID, r.ExpiresAt.Sub(r.CreatedAt))
	if r.Answer != "" {
		err = errors.Join(err, due.Put(tx, r.dueAt(), r.ID, r.kept()))
	}
	return err
}

// unlist takes a request from the indexes.
func (r *Request) unlist(tx store.Tx) error {
	err := pending.Delete(tx, r.place())
	if r.Answer != "" {
		err = errors.Join(err, due.Delete(tx, r.dueAt()))
	}
	return err
}

// silence lets the person's phone answer nothing by itself that it has not
// answered yet.
func (s *Phones) silence(tx store.Tx, nationalID string) error {
	ids, err := waiting.Maybe(tx, nationalID)
	if err != nil {
		return err
	}
	all, err := requests.Those(tx, ids)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Means != identities.MeansECPS || r.Answer == "" || s.stateOf(r) != Pending {
			continue
		}
		if err := due.Delete(tx, r.dueAt()); err != nil {
			return err
		}
		r.Answer, r.AnswerAt = "", time.Time{}
		if err := requests.Put(tx, r.ID, r, r.kept()); err != nil {
			return err
		}
	}
	return nil
}

// Filter chooses requests; its zero value chooses all.
type Filter struct {
	NationalID  string
	Means       identities.Means
	PendingOnly bool
	After       string // behind the place that an earlier list's next names
	Limit       int    // 0 for all
}

// full tells whether a list is as long as it may be, and has one more, by which
// is known that it goes on.
func (f Filter) full(n int) bool { return f.Limit > 0 && n > f.Limit }

// Requests lists requests, and says where the list goes on ("" at its end): what
// waits for everybody, oldest first; a person's, oldest first, their latest and
// all that wait; or everybody's with the settled ones, in no particular order.
func (s *Phones) Requests(ctx context.Context, f Filter) (out []Request, next string, err error) {
	err = s.store.View(ctx, func(tx store.Tx) (err error) {
		switch {
		case f.NationalID != "":
			out, next, err = s.ofPerson(tx, f)
		case f.PendingOnly:
			out, next, err = s.waitingIn(tx, f)
		default:
			out, next, err = s.everything(tx, f)
		}
		return err
	})
	return append([]Request{}, out...), next, err
}

// CountWaiting tells how many requests wait for this means, and counts no
// further than to most.
func (s *Phones) CountWaiting(ctx context.Context, means identities.Means, most int) (n int, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		entries, err := tx.List(pending.Prefix()+string(means)+".", "", most)
		n = len(entries)
		return err
	})
	return n, err
}

// listed is how many entries a list reads at once.
const listed = 500

// waitingIn lists what waits, by the index.
func (s *Phones) waitingIn(tx store.Tx, f Filter) (out []Request, next string, err error) {
	prefix, after := pending.Prefix(), ""
	if f.Means != "" {
		prefix += string(f.Means) + "."
	}
	if f.After != "" {
		if strings.Count(f.After, ".") < 2 { // no Request.place
			return nil, "", store.NoPlace(f.After)
		}
		after = pending.Key(f.After)
	}
	for {
		entries, err := tx.List(prefix, after, listed)
		if err != nil {
			return nil, "", err
		}
		for _, e := range entries {
			after = e.Key
			r, err := requests.Maybe(tx, idOf(pending.ID(e.Key)))
			if err != nil {
				return nil, "", err
			}
			if r.ID == "" || s.stateOf(r) != Pending {
				continue
			}
			if out = append(out, r); f.full(len(out)) {
				out, next = store.Cut(out, f.Limit, (*Request).place)
				return out, next, nil
			}
		}
		if len(entries) < listed {
			return out, "", nil
		}
	}
}

// idOf is the request of a place in an index.
func idOf(place string) string { return place[strings.LastIndexByte(place, '.')+1:] }

// ofPerson lists a person's requests: those that wait, and the latest others.
func (s *Phones) ofPerson(tx store.Tx, f Filter) (out []Request, next string, err error) {
	ids, err := waiting.Maybe(tx, f.NationalID)
	if err != nil {
		return nil, "", err
	}
	latest, err := recent.Maybe(tx, f.NationalID)
	if err != nil {
		return nil, "", err
	}
	ids = append(slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(latest, id) }), latest...)
	all, err := requests.Those(tx, ids)
	if err == nil && f.After != "" {
		all, err = behind(tx, all, f.After)
	}
	for _, r := range all {
		if r.State = s.stateOf(r); f.chooses(r) {
			out = append(out, r)
		}
	}
	out, next = store.Cut(out, f.Limit, func(r *Request) string { return r.ID })
	return out, next, err
}

// behind are a person's requests behind the one with this id. One that is no
// longer listed was older than those that are, unless it waited among them.
func behind(tx store.Tx, all []Request, id string) ([]Request, error) {
	if at := slices.IndexFunc(all, func(r Request) bool { return r.ID == id }); at >= 0 {
		return all[at+1:], nil
	}
	gone, err := requests.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.NoPlace(id)
	}
	return slices.DeleteFunc(all, func(r Request) bool { return r.CreatedAt.Before(gone.CreatedAt) }), err
}

// everything lists all that can still be read.
func (s *Phones) everything(tx store.Tx, f Filter) (out []Request, next string, err error) {
	for after := f.After; ; {
		page, err := requests.List(tx, after, listed)
		if err != nil {
			return nil, "", err
		}
		for _, r := range page {
			after = r.ID
			if r.State = s.stateOf(r); !f.chooses(r) {
				continue
			}
			if out = append(out, r); f.full(len(out)) {
				out, next = store.Cut(out, f.Limit, func(r *Request) string { return r.ID })
				return out, next, nil
			}
		}
		if len(page) < listed {
			return out, "", nil
		}
	}
}

func (f Filter) chooses(r Request) bool {
	return (f.Means == "" || r.Means == f.Means) && (!f.PendingOnly || r.State == Pending)
}

// Index notes what waits: data folders of earlier versions need it once.
func (s *Phones) Index(ctx context.Context) error {
	return requests.Batches(ctx, s.store, func(tx store.Tx, _ string, r Request, _ time.Time) error {
		if s.stateOf(r) != Pending {
			return nil
		}
		return pending.Put(tx, r.place(), r.ID, r.ExpiresAt.Sub(s.clock.Now()))
	})
}
