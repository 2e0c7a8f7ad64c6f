package clock

import (
	"math"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/problem"
)

// Whatever is asked, the clock ends within its range, or stays as it was.
func TestTheClockStaysWithinItsRangeWhateverIsAsked(t *testing.T) {
	at := func(text string) *time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return &v
	}
	by := func(d time.Duration) *time.Duration { return &d }
	frozen := true
	for name, c := range map[string]struct {
		from *time.Time // frozen there before
		to   Change
		ok   bool
	}{
		"the earliest":                   {to: Change{Now: at("2000-01-01T00:00:00Z")}, ok: true},
		"the latest":                     {to: Change{Now: at("2200-01-01T00:00:00Z")}, ok: true},
		"the latest, frozen":             {to: Change{Now: at("2200-01-01T00:00:00Z"), Frozen: &frozen}, ok: true},
		"another zone's latest":          {to: Change{Now: at("2200-01-01T01:00:00+01:00")}, ok: true},
		"a second before the earliest":   {to: Change{Now: at("1999-12-31T23:59:59Z")}},
		"a second behind the latest":     {to: Change{Now: at("2200-01-01T00:00:01Z")}},
		"the year 9999":                  {to: Change{Now: at("9999-12-31T23:59:59Z")}},
		"the year 9999, frozen":          {to: Change{Now: at("9999-12-31T23:59:59Z"), Frozen: &frozen}},
		"the year 0":                     {to: Change{Now: at("0000-01-01T00:00:00Z")}},
		"Go's zero":                      {to: Change{Now: &time.Time{}}},
		"the longest offset":             {to: Change{Offset: by(math.MaxInt64)}},
		"the longest offset back":        {to: Change{Offset: by(math.MinInt64)}},
		"five years on":                  {to: Change{Offset: by(43800 * time.Hour)}, ok: true},
		"an hour from the latest":        {from: at("2200-01-01T00:00:00Z"), to: Change{Advance: by(time.Hour)}},
		"an hour back from the earliest": {from: at("2000-01-01T00:00:00Z"), to: Change{Advance: by(-time.Hour)}},
		"the longest advance":            {from: at("2199-01-01T00:00:00Z"), to: Change{Advance: by(math.MaxInt64)}},
		"the longest advance back":       {from: at("2000-01-02T00:00:00Z"), to: Change{Advance: by(math.MinInt64)}},
		"from end to end": {
			from: at("2000-01-01T00:00:00Z"),
			to:   Change{Advance: by(Latest.Sub(Earliest))},
			ok:   true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Adjustable{}
			if c.from != nil {
				if err := a.Set(*c.from, true); err != nil {
					t.Fatal(err)
				}
			}
			before := a.State()
			err := a.Apply(c.to)
			if c.ok != (err == nil) || !c.ok && !problem.Is(err, "clock-out-of-range") {
				t.Fatalf("got %v", err)
			}
			after := a.State()
			if !c.ok && (after.Offset != before.Offset || after.Frozen != before.Frozen) {
				t.Errorf("refused, and yet %+v became %+v", before, after)
			}
			if now := a.Now(); now.Before(Earliest) || now.After(Latest.Add(time.Minute)) {
				t.Errorf("it shows %s", now)
			}
		})
	}
}

func TestTwoAdvancesFromEndToEndDoNotWrap(t *testing.T) {
	a := &Adjustable{}
	for range 2000 {
		_ = a.Advance(876000 * time.Hour)
		_ = a.Advance(-2 * 876000 * time.Hour)
		if now := a.Now(); now.Before(Earliest) || now.After(Latest) {
			t.Fatalf("it shows %s", now)
		}
	}
}

func TestFreezingAndGoingOnKeepTheTime(t *testing.T) {
	yes, no := true, false
	a := &Adjustable{}
	then := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	if err := a.Set(then, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(Change{Frozen: &yes}); err != nil {
		t.Fatal(err)
	}
	stood := a.Now()
	hour := time.Hour
	if err := a.Apply(Change{Advance: &hour}); err != nil || !a.Now().Equal(stood.Add(hour)) || !a.State().Frozen {
		t.Errorf("advanced while frozen: %v %+v", err, a.State())
	}
	if err := a.Apply(
		Change{Frozen: &no},
	); err != nil || a.State().Frozen ||
		a.Now().Sub(stood.Add(hour)) > time.Minute {
		t.Errorf("it does not go on from where it stood: %v %+v", err, a.State())
	}
}

func TestAStateOutOfRangeIsRefused(t *testing.T) {
	for _, s := range []State{
		{Offset: "2000000h"}, {Offset: "-2000000h"}, {Offset: "99999999999999h"}, {Offset: "soon"},
		{Frozen: true, Now: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, {Frozen: true},
	} {
		a := &Adjustable{}
		if s.Check() == nil || a.Restore(s) == nil || a.State().Offset != "0s" || a.State().Frozen {
			t.Errorf("%+v was taken: %+v", s, a.State())
		}
	}
	if err := (State{}).Check(); err != nil {
		t.Error(err)
	}
}
