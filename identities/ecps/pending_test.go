package ecps_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
)

// What waits is listed however many were settled: the list once read the first
// 20,000 only.
func TestEveryRequestThatWaitsIsListedAmongManyThatAreSettled(t *testing.T) {
	c := &clock.Adjustable{}
	c.Set(noon, true)
	w := newWorld(t, store.NewMemory(c), c)
	ctx := context.Background()
	busy, at := w.person(1), w.person(2)
	if err := w.directory.SetBehaviour(ctx, busy, identities.Behaviour{Action: identities.Approve}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := range 26_000 {
		if n%10_000 == 5 {
			want = append(want, w.ask(at).ID)
			c.Advance(time.Millisecond)
		}
		w.ask(busy)
	}
	card, err := w.Start(ctx, ecps.Ask{NationalID: at, Means: identities.MeansCard})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range w.waiting(ecps.Filter{Means: identities.MeansECPS}) {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("on phones wait %v, want %v", got, want)
	}
	if list := w.waiting(ecps.Filter{Means: identities.MeansCard}); len(list) != 1 || list[0].ID != card.ID {
		t.Errorf("at the reader wait %v", list)
	}
	page, next, err := w.Requests(ctx, ecps.Filter{Means: identities.MeansECPS, PendingOnly: true, Limit: 2})
	if err != nil || len(page) != 2 || next == "" {
		t.Fatalf("%v %q %v", page, next, err)
	}
	rest, next, err := w.Requests(ctx, ecps.Filter{Means: identities.MeansECPS, PendingOnly: true, Limit: 2, After: next})
	if err != nil || len(rest) != 1 || next != "" || rest[0].ID != want[2] {
		t.Errorf("%v %q %v", rest, next, err)
	}
	settled := 0
	for after, more := "", true; more; more = after != "" {
		page, next, err := w.Requests(ctx, ecps.Filter{Limit: 1000, After: after})
		if err != nil {
			t.Fatal(err)
		}
		settled, after = settled+len(page), next
	}
	if settled != 26_004 {
		t.Errorf("%d can be read", settled)
	}
}

func TestAListOfWhatWaitsLosesWhatIsAnsweredOrOver(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		var asked []*ecps.Request
		for range 4 {
			asked = append(asked, w.ask(id))
		}
		if _, err := w.Approve(ctx, asked[0].ID, ecps.Response{Code: "1234", Number: asked[0].Number}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Refuse(ctx, asked[1].ID, ""); err != nil {
			t.Fatal(err)
		}
		if n := len(w.waiting(ecps.Filter{})); n != 2 {
			t.Errorf("%d wait, want 2", n)
		}
		w.clock.Advance(ecps.RequestLifetime)
		if n := len(w.waiting(ecps.Filter{})) + len(w.waiting(ecps.Filter{NationalID: id})); n != 0 {
			t.Errorf("%d wait when their time is over", n)
		}
		if all, _, err := w.Requests(ctx, ecps.Filter{NationalID: id}); err != nil || len(all) != 4 {
			t.Errorf("%d can be read: %v", len(all), err)
		}
	})
}

// A data folder of an earlier version has no index.
func TestAnIndexIsBuiltOfWhatWaitsAlready(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		waits, done := w.ask(id), w.ask(id)
		if _, err := w.Answer(ctx, done.ID, ecps.Refused); err != nil {
			t.Fatal(err)
		}
		err := w.store.Update(ctx, func(tx store.Tx) error {
			list, err := tx.List("ecps-pending/", "", 10)
			for _, e := range list {
				if err == nil {
					err = tx.Delete(e.Key)
				}
			}
			return err
		})
		if err != nil || len(w.waiting(ecps.Filter{})) != 0 {
			t.Fatal(err)
		}
		if err := w.Index(ctx); err != nil {
			t.Fatal(err)
		}
		if list := w.waiting(ecps.Filter{}); len(list) != 1 || list[0].ID != waits.ID {
			t.Errorf("%v wait", list)
		}
	})
}

// prepared starts a request which the phone answers by itself after a minute.
func (w *world) prepared(id string, action identities.Action) *ecps.Request {
	w.t.Helper()
	if err := w.Prepare(
		context.Background(),
		id,
		identities.Behaviour{Action: action, After: time.Minute},
	); err != nil {
		w.t.Fatal(err)
	}
	return w.ask(id)
}

func TestAPhoneAnswersByItselfAfterARestart(t *testing.T) {
	c := &clock.Adjustable{}
	c.Set(noon, true)
	path := filepath.Join(t.TempDir(), "db")
	s := openFile(t, path, c)
	w := newWorld(t, s, c)
	id := w.person(1)
	approved, refused := w.prepared(id, identities.Approve), w.prepared(id, identities.Refuse)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, openFile(t, path, c), c)
	w.countSettled()
	if w.state(approved.ID) != ecps.Pending {
		t.Fatal("answered before its time")
	}
	c.Advance(time.Minute)
	if w.state(approved.ID) != ecps.Approved || w.state(refused.ID) != ecps.Refused {
		t.Errorf("%s %s", w.state(approved.ID), w.state(refused.ID))
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	go w.Serve(ctx)
	changed := w.store.Watch(ctx, settledCount.Prefix())
	for w.settled(approved.ID)+w.settled(refused.ID) < 2 {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("nobody heard of the answers")
		}
	}
	if w.settled(approved.ID) != 1 || w.settled(refused.ID) != 1 {
		t.Error("settled more than once")
	}
	if got := w.waiting(ecps.Filter{}); len(got) != 0 {
		t.Errorf("%v wait", got)
	}
}

func TestAPhoneAnswersAtItsTimeOnTheEmulatorsClock(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		w.countSettled()
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		id := w.person(1)
		r := w.prepared(id, identities.Approve)
		go w.Serve(ctx)
		w.clock.Advance(time.Minute)
		got, err := w.Wait(ctx, r.ID)
		if err != nil || got.State != ecps.Approved {
			t.Fatalf("%+v %v", got, err)
		}
		if _, err := w.Answer(ctx, r.ID, ecps.Refused); !problem.Is(err, "ecps-request-settled") {
			t.Errorf("another answer: %v", err)
		}
	})
}

func TestAnAnswerThatComesTooLateIsNone(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		w.countSettled()
		id := w.person(1)
		r := w.prepared(id, identities.Late)
		w.clock.Advance(ecps.RequestLifetime + time.Second)
		if w.state(r.ID) != ecps.Expired {
			t.Errorf("late: %s", w.state(r.ID))
		}
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		go w.Serve(ctx)
		// Behind it comes another, which shows that the late one was passed.
		next := w.prepared(id, identities.Approve)
		w.clock.Advance(time.Minute)
		if got, err := w.Wait(ctx, next.ID); err != nil || got.State != ecps.Approved {
			t.Fatalf("%+v %v", got, err)
		}
		if w.settled(r.ID) != 0 || w.state(r.ID) != ecps.Expired {
			t.Errorf("late: settled %d times, %s", w.settled(r.ID), w.state(r.ID))
		}
	})
}

func TestALostPhoneAnswersNothingByItself(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		r := w.prepared(id, identities.Approve)
		if err := w.Remove(ctx, id, "lost"); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Minute)
		if w.state(r.ID) != ecps.Pending {
			t.Errorf("a lost phone: %s", w.state(r.ID))
		}
		w.clock.Advance(time.Minute)
		if w.state(r.ID) != ecps.Expired {
			t.Errorf("in the end: %s", w.state(r.ID))
		}
	})
}

// A person's list goes on when the request behind which it does has left it.
func TestAPersonsListGoesOnBehindARequestThatLeftIt(t *testing.T) {
	onEachStore(t, func(t *testing.T, w *world) {
		ctx, id := context.Background(), w.person(1)
		if err := w.directory.SetBehaviour(ctx, id, identities.Behaviour{Action: identities.Approve}); err != nil {
			t.Fatal(err)
		}
		asked := func() string {
			w.clock.Advance(time.Millisecond)
			return w.ask(id).ID
		}
		var all []string
		for range 10 {
			all = append(all, asked())
		}
		page, next, err := w.Requests(ctx, ecps.Filter{NationalID: id, Limit: 4})
		if err != nil || len(page) != 4 || next != all[3] {
			t.Fatalf("%v %q %v", page, next, err)
		}
		for range 28 { // the oldest leave the list, and the one it goes on behind
			all = append(all, asked())
		}
		var got []string
		for next != "" {
			page, more, err := w.Requests(ctx, ecps.Filter{NationalID: id, Limit: 10, After: next})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				got = append(got, r.ID)
			}
			next = more
		}
		if want := all[len(all)-30:]; !slices.Equal(got, want) {
			t.Errorf("%d requests follow, want the %d that are listed still", len(got), len(want))
		}
		if _, _, err := w.Requests(
			ctx,
			ecps.Filter{NationalID: id, After: "nothing"},
		); !problem.Is(
			err,
			"after-invalid",
		) {
			t.Errorf("behind nothing: %v", err)
		}
	})
}
