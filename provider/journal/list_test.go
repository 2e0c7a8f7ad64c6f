package journal

import (
	"context"
	"fmt"
	"testing"

	"pscemu.invalid/pscemu/internal/clock"
)

func TestTheJournalIsListedByPagesWhileItGoesOn(t *testing.T) {
	j := New(&clock.Adjustable{}, Limits{Logins: 20, Bytes: 1 << 20})
	login := func(n int) {
		j.Add(
			context.Background(),
			fmt.Sprintf("login-%02d", n),
			KindAuthorize,
			map[string]string{"client_id": fmt.Sprintf("client-%d", n%2)},
			nil,
		)
	}
	for n := range 20 {
		login(n)
	}
	q := Query{Client: "client-1"}
	if n := j.Fitting(q); n != 10 {
		t.Errorf("%d fit, want 10", n)
	}
	var got []string
	for before, pages := int64(0), 0; ; {
		page, next := j.List(q, before, 5)
		for _, l := range page {
			got = append(got, l.ID)
		}
		if pages++; next == 0 {
			if pages != 2 {
				t.Errorf("%d pages of 5, want 2: an empty one follows none", pages)
			}
			break
		}
		before = next
		j.Add(context.Background(), "login-01", KindToken, nil, nil) // an old one goes on
		login(21)                                                    // and the oldest of all goes
	}
	if fmt.Sprint(
		got,
	) != "[login-19 login-17 login-15 login-13 login-11 login-09 login-07 login-05 login-03 login-01]" {
		t.Errorf("listed were %v", got)
	}
	// Where the list went on is gone: so is all behind it.
	_, next := j.List(Query{}, 0, 19)
	j.Clear()
	login(1)
	if page, more := j.List(Query{}, next, 5); next == 0 || len(page) > 1 || more != 0 {
		t.Errorf("after it was cleared: %v, %d", page, more)
	}
}

func TestEventsThatAreNotKeptAreCounted(t *testing.T) {
	j := New(&clock.Adjustable{}, Limits{Logins: 10, Bytes: 1 << 20})
	for range maxEvents + 7 {
		j.Add(context.Background(), "one", KindToken, nil, nil)
	}
	if l := j.Get("one"); len(l.Events) != maxEvents || l.Dropped != 7 {
		t.Errorf("%d events are kept, %d said to be dropped", len(l.Events), l.Dropped)
	}
}
