package ecps

import (
	"hash/maphash"
	"strconv"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// tries are the activations begun within an hour by somebody who is unknown. Of
// is whose they are.
type tries struct {
	Of string      `json:"of"`
	At []time.Time `json:"at"`
}

// Anybody can ask for an activation of anybody. Known people are counted each;
// unknown ones, of whom there is no end, share so many places, where one pushes
// another out. Which place is whose cannot be told from outside, so that nobody
// finds out who is unknown by pushing them out.
const unknownPlaces = 4096

var (
	begun        = store.Collection[[]time.Time]("ecps-activations-of") // by person
	begunUnknown = store.Collection[tries]("ecps-activations-unknown")  // by place
)

// notTooOften bounds how many activations a person, known or not, begins.
func (s *Phones) notTooOften(tx store.Tx, nationalID string, known bool) error {
	if known {
		times, err := begun.Maybe(tx, nationalID)
		if err == nil {
			times, err = s.oneMore(times)
		}
		if err != nil {
			return err
		}
		return begun.Put(tx, nationalID, times, time.Hour)
	}
	place := strconv.FormatUint(maphash.String(s.seed, nationalID)%unknownPlaces, 10)
	t, err := begunUnknown.Maybe(tx, place)
	if t.Of != nationalID {
		t = tries{Of: nationalID}
	}
	if err == nil {
		t.At, err = s.oneMore(t.At)
	}
	if err != nil {
		return err
	}
	return begunUnknown.Put(tx, place, t, time.Hour)
}

// oneMore adds this moment to those within the last hour, unless there are too
// many.
func (s *Phones) oneMore(times []time.Time) ([]time.Time, error) {
	now, recent := s.clock.Now(), []time.Time{}
	for _, t := range times {
		if now.Sub(t) < time.Hour && !t.After(now) {
			recent = append(recent, t)
		}
	}
	if len(recent) >= MaxActivations {
		return nil, problem.ECPSActivationTooMany.With("count", len(recent)).With("most", MaxActivations)
	}
	return append(recent, now), nil
}
