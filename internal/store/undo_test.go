package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
)

var errRoom = errors.New("no room on the disk")

// tight is a store on a disk that takes commits of so many writes at most.
type tight struct {
	*Memory
	most int
}

func (s *tight) Update(ctx context.Context, fn func(Tx) error) error {
	return s.Memory.Update(ctx, func(tx Tx) error {
		err := fn(tx)
		if wrote := tx.(*overlay).writes.Len(); err == nil && wrote > s.most {
			err = fmt.Errorf("%d writes: %w", wrote, errRoom)
		}
		return err
	})
}

func (s *tight) all(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := s.View(context.Background(), func(tx Tx) error {
		return Everything(tx, func(e Entry) error { out[e.Key] = string(e.Value); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fill is a long command that the disk stops: it is left with room for so many
// writes a commit.
func (s *tight) fill(left int) error {
	return Long(context.Background(), s, func(step Step) error {
		for n := range 10 {
			err := step(func(tx Tx) error {
				for k := range 100 {
					if err := tx.Put(fmt.Sprint("entry", n*100+k), []byte(`"new"`), 0); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		s.most = left
		return errRoom
	})
}

func newTight(t *testing.T) (*tight, map[string]string) {
	t.Helper()
	s := &tight{NewMemory(&clock.Adjustable{}), 1000}
	for n := range 50 {
		put := func(tx Tx) error { return tx.Put(fmt.Sprint("entry", n), []byte(`"old"`), 0) }
		if err := s.Update(context.Background(), put); err != nil {
			t.Fatal(err)
		}
	}
	return s, s.all(t)
}

func TestALongCommandIsTakenBackOnADiskThatIsNearlyFull(t *testing.T) {
	s, before := newTight(t)
	if err := s.fill(3); !errors.Is(err, errRoom) || problem.Is(err, "store-half-done") {
		t.Errorf("the command ended with %v", err)
	}
	if after := s.all(t); !maps.Equal(before, after) {
		t.Errorf("%d entries before, %d after", len(before), len(after))
	}
}

func TestALongCommandThatAFullDiskLeftHalfDoneIsTakenBackWhenThereIsRoom(t *testing.T) {
	s, before := newTight(t)
	if err := s.fill(0); !problem.Is(err, "store-half-done") || !errors.Is(err, errRoom) {
		t.Errorf("the command ended with %v", err)
	}
	s.most = 1000
	if err := Recover(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	if after := s.all(t); !maps.Equal(before, after) {
		t.Errorf("%d entries before, %d after", len(before), len(after))
	}
}
